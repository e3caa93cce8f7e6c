"""How modules are searched and networks trained, as data. None means: as the named recipe has it.

`SeamRecipe` and `GradSplitterRecipe` spell the settings of two algorithms out for those who write them by hand;
`algorithms.Search` takes those of any algorithm by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from modelfoundry.values.computing import TrainingSubset


class Augmentation(StrEnum):
    """How training images are varied: not at all, by random crops, or by crops and horizontal flips.

    `AUTO`, of SeaM's recipe `distilled` alone: as much of it as the model bears.
    """

    NONE = "none"
    CROP = "crop"
    CROP_FLIP = "crop_flip"
    AUTO = "auto"


class Precision(StrEnum):
    """Numbers that a search computes in. `AUTO`: bfloat16 where the processor has instructions for it, else float32."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class InitialMasks(StrEnum):
    """How real-valued masks begin. `ONES`: everything is kept at first."""

    ONES = "ones"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeamRecipe:
    """How SeaM searches (Qi et al., ICSE 2023, sections 3 and 4.1). Ranges: `recipe.proto`.

    Args:
        recipe: Name of the recipe that fields with None come from. Empty: the first, `distilled`.
        initial_masks: How masks begin.
        epochs: Epochs at most, 1 to 10,000.
        head_epoch_every: Every so many epochs one trains the head alone. 0: never.
        batch_size: Samples in a batch, 1 to 4096.
        lr_head: Learning rate of the head, above 0.
        lr_mask: Learning rate of the masks, above 0.
        alpha: Weight of the retention term in the loss, 0 or more.
        patience: Epochs below the base model's validation accuracy until the search stops. 0: never.
        augmentation: How training images are varied.
        retention: `distilled`: share of the weights that the module keeps, above 0 and at most 1.
        steps: `distilled`: batches that the masks learn from, 1 to 1,000,000, or 0: as the data ask.
        lr_norm: `distilled`: learning rate of scales and shifts of batch normalisations, above 0.
        temperature: `distilled`: by which logits are divided when module and base are compared, above 0.
        precision: `distilled`: numbers that a step computes in.
        hard_negatives: `distilled`: share of the rest's images that are drawn the more often the more the model takes
            them for the label, 0 to 1.
    """

    recipe: str = ""
    initial_masks: InitialMasks | None = None
    epochs: int | None = None
    head_epoch_every: int | None = None
    batch_size: int | None = None
    lr_head: float | None = None
    lr_mask: float | None = None
    alpha: float | None = None
    patience: int | None = None
    augmentation: Augmentation | None = None
    retention: float | None = None
    steps: int | None = None
    lr_norm: float | None = None
    temperature: float | None = None
    precision: Precision | None = None
    hard_negatives: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GradSplitterRecipe:
    """How GradSplitter searches (Qi et al., TOSEM 2023, sections 3 and 4.1). Ranges: `recipe.proto`.

    Args:
        recipe: Name of the recipe that fields with None come from.
        warmup_epochs: Epochs of the heads alone before the first cycle.
        cycles: Cycles, each of `mask_epochs` and `head_epochs`.
        mask_epochs: Epochs of masks and heads at the beginning of a cycle.
        head_epochs: Epochs of the heads alone at the end of a cycle.
        batch_size: Samples in a batch, 1 to 4096.
        lr_warmup: Learning rate of the heads before the first cycle, above 0.
        lr_head: Learning rate of the heads in the cycles, above 0.
        lr_mask: Learning rate of the masks, above 0. Masks begin at 1 and drop at 0.
        alpha: Weight of the kept share of kernels in the loss, 0 or more.
        head_width: Outputs of a head's first layer.
        accuracy_loss: Validation accuracy that may be lost for fewer kernels, above 0 and at most 1.
        retention: `distilled`: share of the kernels that the modules keep together, above 0 and at most 1.
        steps: `distilled`: batches that the masks learn from, 1 to 1,000,000.
        lr_norm: `distilled`: learning rate of scales and shifts of batch normalisations, above 0.
        temperature: `distilled`: by which logits are divided when module and base are compared, above 0.
        augmentation: `distilled`: how training images are varied.
        precision: `distilled`: numbers that a step computes in.
        shared: `distilled`: share of the layers whose kernels all modules have in common, 0 to 0.95.
    """

    recipe: str = "paper"
    warmup_epochs: int | None = None
    cycles: int | None = None
    mask_epochs: int | None = None
    head_epochs: int | None = None
    batch_size: int | None = None
    lr_warmup: float | None = None
    lr_head: float | None = None
    lr_mask: float | None = None
    alpha: float | None = None
    head_width: int | None = None
    accuracy_loss: float | None = None
    retention: float | None = None
    steps: int | None = None
    lr_norm: float | None = None
    temperature: float | None = None
    augmentation: Augmentation | None = None
    precision: Precision | None = None
    shared: float | None = None


ALGORITHM_OF: Final[Mapping[type, str]] = {SeamRecipe: "seam", GradSplitterRecipe: "gradsplitter"}
"""Name of the algorithm whose settings a class spells out."""


@dataclass(frozen=True, slots=True)
class GradSplitterRecipeDescription:
    """A recipe of GradSplitter with all its fields, and one paragraph of what it is for."""

    recipe: GradSplitterRecipe
    description: str


@dataclass(frozen=True, slots=True)
class RecipeDescription:
    """A recipe with all its fields, and one paragraph of what it is for."""

    recipe: SeamRecipe
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecipe:
    """How a network is trained: SGD with momentum, learning rate divided by 10 at the milestones.

    Args:
        recipe: Name of the recipe that fields with None come from: `default` (30 epochs, batches of 128, learning rate
            0.05, momentum 0.9, weight decay 0.0001, all of the training data) or `weak` (GradSplitter, section 4.1:
            200 epochs, learning rate 0.01, crops and flips, an imbalanced part of the training data by seed).
        epochs: Epochs, 1 to 10,000.
        batch_size: Samples in a batch, 1 to 4096.
        lr: Initial learning rate, above 0.
        momentum: 0 to below 1.
        weight_decay: 0 or more.
        milestones: Epochs at which the learning rate is divided by 10. Empty: half and three quarters of the epochs;
            `weak`: 30 % and 60 % of them.
        augmentation: How training images are varied.
        subset: The part of the training data to train on. None: the recipe's own.
    """

    recipe: str = "default"
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    milestones: tuple[int, ...] = ()
    augmentation: Augmentation | None = None
    subset: TrainingSubset | None = None


@dataclass(frozen=True, slots=True)
class TrainingRecipeDescription:
    """A recipe of training with all its fields, and one paragraph of what it is for."""

    recipe: TrainingRecipe
    description: str
