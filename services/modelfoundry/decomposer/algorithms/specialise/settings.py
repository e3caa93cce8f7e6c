"""How a network is specialised, as data: budgets, and what the search made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from modelfoundry.decomposer.algorithms.distilling.least import LEAST_TRAINING, LEAST_VALIDATION
from modelfoundry.decomposer.algorithms.settings import (
    ABOVE_ZERO,
    DecidedAugmentation,
    Limits,
    Pattern,
    PrecisionSetting,
    Recipe,
    Settings,
    setting,
    whole,
)
from modelfoundry.decomposer.algorithms.specialise.widths import is_text_of_widths

ANY: Final = "any"
AUTO: Final = "auto"
"""Chosen by the budgets."""
BASE: Final = "base"
"""Of the model on the same images."""


def is_accuracy(text: str) -> bool:
    """Whether a text is `any`, `base`, or a share as people write it."""
    return text in (ANY, BASE) or re.fullmatch(r"0?\.[0-9]{1,6}|1(\.0{1,6})?|0", text) is not None


_SHARE_OR_NONE: Final = Limits("a share above 0 and at most 1, or 0 for any", 0, 1)
_ACCURACY: Final = Pattern("`any`, `base`, or a share such as 0.95", is_accuracy)
_WIDTHS: Final = Pattern("`auto`, or widths such as 16-16-32", lambda text: text == AUTO or is_text_of_widths(text))


@dataclass(frozen=True, slots=True)
class SpecialiseSettings(Settings):
    """All settings of a specialisation. What the machine decides is recorded, so that it can be repeated.

    Raises:
        InvalidField: a value is out of range; the path is `specialise.recipe.<field>`.
    """

    path: ClassVar[str] = "specialise.recipe"
    least_training: ClassVar[int] = LEAST_TRAINING
    least_validation: ClassVar[int] = LEAST_VALIDATION
    recipe: str = "specialised"
    max_macs: float = setting(0.0, "Multiply-accumulates at most, as a share of the model's. 0: any.", _SHARE_OR_NONE)
    max_bytes: int = setting(0, "Bytes of the ONNX file at most. 0: any.", whole(0, 2**31))
    max_latency: float = setting(
        0.0, "Time of a pass in onnxruntime at most, as a share of the model's float32 file. 0: any.", _SHARE_OR_NONE
    )
    min_accuracy: str = setting(
        ANY,
        "Accuracy on validation data at least, in the numbers that the file computes in: a share, or `base` for the "
        "model's.",
        _ACCURACY,
    )
    seconds: float = setting(
        120.0,
        "Seconds of computing (CPU seconds a thread) for structure, answers of the model and steps. 0: no steps.",
        Limits("0 to 1,000,000 seconds", 0, 1_000_000),
    )
    weights: Literal["fp32", "fp16", "int8"] = setting("fp32", "How the file that is judged keeps its weights.")
    compute: Literal["fp32", "int8"] = setting("int8", "Numbers that the file that is judged computes in.")
    widths: str = setting(AUTO, "Width of every tier of channels, such as 16-16-32; auto: chosen.", _WIDTHS)
    left_out: int = setting(
        0, "Blocks that are left out, those whose loss hurts least, where widths are given.", whole(0, 1000)
    )
    steps: int = setting(
        0,
        "Batches that the network learns from. 0: as many as there are seconds for.",
        whole(0, 1_000_000),
    )
    views: int = setting(
        0,
        "Views of training images that the rest is drawn from. 0: as many as fit.",
        whole(0, 100_000_000),
    )
    batch_size: int = setting(64, "Samples in a batch.", whole(2, 4096))
    lr: float = setting(0.003, "Learning rate of all weights (AdamW).", ABOVE_ZERO)
    temperature: float = setting(
        4.0, "Logits of network and model are divided by it when they are compared.", ABOVE_ZERO
    )
    augmentation: DecidedAugmentation = setting(  # noqa: RUF009
        "auto", "How training images are varied; auto: by crops and flips, as far as the model knows its images then."
    )
    precision: PrecisionSetting = setting(  # noqa: RUF009
        "auto", "Numbers that a step computes in; auto: bfloat16 where the processor has it, else float32."
    )


RECIPES: Final[Mapping[str, Recipe[SpecialiseSettings]]] = {
    "specialised": Recipe(
        settings=SpecialiseSettings(),
        description=(
            "A smaller network of its own: channels and, where much has to go, blocks of the model are cut away in two "
            "rounds, what stays is fitted to what the model computes, and then learns to answer as the model does, "
            "without labels. Budgets say how small, how fast and how good it has to be; the cheapest structure that "
            "meets them is taken. Without budgets channels are halved."
        ),
    ),
    "preview": Recipe(
        settings=SpecialiseSettings(recipe="preview", seconds=0.0),
        description=(
            "The same without learning: what is left of the model, fitted in closed form. Seconds instead of minutes, "
            "and a few points less; it shows what a structure is worth."
        ),
    ),
}
