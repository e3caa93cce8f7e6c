"""What the demo does, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from modelfoundry.client import (
    Augmentation,
    BinaryProblem,
    GradSplitterRecipe,
    MultiClassProblem,
    Problem,
    TrainingRecipe,
    ValidationSplit,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """The network, how it is trained, and which modules the default recipe makes of it. Chosen on validation data."""

    dataset: str
    model: str
    architecture: str
    training: TrainingRecipe
    validation: ValidationSplit
    """Of training and searches alike: what a network learned from says nothing about it."""
    problems: Mapping[str, Problem]
    """Target problems by the id of the module that is made for them."""
    split: str
    shown: str
    """The module that is taken home."""
    shown_label: str
    """Label of the image that it is shown."""
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionSettings:
    """The weak models, how they are taken apart, and what becomes of their modules. Chosen on the validation split."""

    dataset: str
    architecture: str
    seeds: tuple[int, ...]
    """One model for each; the seed also draws the imbalanced part of the images that it is trained on."""
    training: TrainingRecipe
    recipe: GradSplitterRecipe
    validation: ValidationSplit
    composition: str
    split: str

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the models."""
        return tuple(f"weak-{seed}" for seed in self.seeds)


SETTINGS: Final = DemoSettings(
    dataset="digits",
    model="digits-cnn",
    architecture="zoo:digits_cnn",
    training=TrainingRecipe(epochs=30, batch_size=64, augmentation=Augmentation.CROP),
    validation=ValidationSplit(fraction=0.2),
    problems=MappingProxyType(
        {f"digit-{label}": BinaryProblem(str(label)) for label in range(10)}
        | {"digits-0-to-4": MultiClassProblem(tuple(str(label) for label in range(5)))}
    ),
    split="test",
    shown="digit-7",
    shown_label="7",
    seed=0,
)
COMPOSITION_SETTINGS: Final = CompositionSettings(
    dataset="digits",
    architecture="zoo:digits_cnn",
    seeds=(1, 2, 3),
    training=TrainingRecipe(recipe="weak", epochs=8, batch_size=32, lr=0.05, augmentation=Augmentation.NONE),
    # Hundreds of images make few steps an epoch: with the paper's 0.001 masks would not reach 0.
    recipe=GradSplitterRecipe(
        warmup_epochs=8,
        cycles=3,
        mask_epochs=3,
        head_epochs=1,
        batch_size=32,
        lr_warmup=0.03,
        lr_head=0.01,
        lr_mask=0.02,
    ),
    validation=ValidationSplit(fraction=0.2),
    composition="digits-composed",
    split="test",
)
SERVICE_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({"MODELFOUNDRY_DECOMPOSER_SLOTS": "2"})
"""Two searches at a time: a small network does not use more than a core."""
