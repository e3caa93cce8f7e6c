"""What the evaluator computes of modules, beside a loop that counts right answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from interleaved import interleaved, ratios
from torch import nn

from modelfoundry.core.architectures.zoo import NETWORKS
from modelfoundry.core.datasets import ImageSet, normalise
from modelfoundry.core.devices import seeded
from modelfoundry.core.evaluation import (
    Run,
    against_base,
    base_answers,
    base_discrimination,
    discrimination,
    own_answers,
    pose_split,
    posed_figures,
    split_logits,
)
from modelfoundry.core.modules import MaterialisedModule, ModuleArtifact, materialise
from modelfoundry.decomposer.algorithms.distilling.density import kept_of
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.seam.distilled.masks import RankedMasks
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.problems import BinaryProblem
from ratios.measurements import Effort, Report

LABELS: Final = tuple("abcdefghij")
CPU: Final = torch.device("cpu")
SPEC: Final = InputSpec(3, 32, 32, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
RETENTION: Final = 0.1
BATCH: Final = 256
"""Images in a pass of the plain loop."""
WAY: Final = "evaluator"
NOTE: Final = (
    "ResNet20 with random weights on noise: times do not depend on either. The loop runs the same images in batches of "
    f"{BATCH} and counts right answers; for ten modules it runs the base beside each of them, as published code does. "
    "The evaluator runs the base once, and computes accuracies with intervals, areas under curves, balanced accuracies "
    "and paired differences from the base."
)


def evaluation(effort: Effort) -> Report:
    """One module, and all ten of a base with the base beside them."""
    base = _network()
    modules = [_module(base, label) for label in LABELS]
    few, many = (20, 20) if effort.tiny else (200, 1000)
    found = ratios(
        f"one module of resnet20, {many} images",
        interleaved(
            {
                "reference": lambda: _loop(modules[0], _images(many), 0),
                WAY: lambda: _evaluated(modules[0], 0, _images(many)),
            },
            effort.rounds(7),
        ),
    )
    found += ratios(
        f"ten modules of resnet20 and their base, {few} images",
        interleaved(
            {
                "reference": lambda: _loops(base, modules, _images(few)),
                WAY: lambda: _all_evaluated(base, modules, _images(few)),
            },
            effort.rounds(5),
        ),
    )
    return Report({"evaluation": tuple(found)}, notes=(NOTE,))


def _network() -> nn.Module:
    with seeded(0, CPU):
        return NETWORKS["resnet20"](label_count=len(LABELS), input_channels=3).eval().requires_grad_(False)


def _module(base: nn.Module, label: str) -> MaterialisedModule:
    """A tenth of the weights, the largest."""
    problem, masks = BinaryProblem(label), RankedMasks(base)
    bits = masks.harden(kept_of(masks.total, RETENTION))
    head = Target.of(problem, LABELS).head()
    return materialise(base, ModuleArtifact(f"sha256:{'0' * 64}", problem, bits, head, "magnitude"))


def _images(count: int) -> ImageSet:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, torch.arange(count) % len(LABELS))


def _loop(module: nn.Module, images: ImageSet, place: int) -> float:
    """Share of images that a module (its first output is its label) or a base answers rightly."""
    right = 0
    with torch.no_grad():
        for start in range(0, len(images), BATCH):
            part = slice(start, start + BATCH)
            logits = module(normalise(images.images[part], SPEC))
            said = logits.argmax(dim=1) == (place if logits.shape[1] > 2 else 0)
            right += int((said == (images.labels[part] == place)).sum())
    return right / len(images)


def _loops(base: nn.Module, modules: Sequence[nn.Module], images: ImageSet) -> list[tuple[float, float]]:
    return [(_loop(module, images, place), _loop(base, images, place)) for place, module in enumerate(modules)]


def _evaluated(module: nn.Module, place: int, images: ImageSet) -> tuple[object, object]:
    """As the evaluator measures a module without its base."""
    posed = pose_split(images.labels, BinaryProblem(LABELS[place]), LABELS)
    answers = own_answers(split_logits(module, images.images, Run(SPEC, CPU)), posed)
    return posed_figures(answers, posed), discrimination(answers, posed)


def _all_evaluated(base: nn.Module, modules: Sequence[nn.Module], images: ImageSet) -> list[tuple[object, ...]]:
    """As the evaluator measures modules with their base."""
    run, found = Run(SPEC, CPU), []
    of_base = split_logits(base, images.images, run)
    for label, module in zip(LABELS, modules, strict=True):
        posed = pose_split(images.labels, BinaryProblem(label), LABELS)
        own = own_answers(split_logits(module, images.images, run), posed)
        rival = base_answers(of_base, posed)
        found.append(
            (
                *(posed_figures(own, posed), discrimination(own, posed), against_base(own, rival, posed)),
                *(posed_figures(rival.all_labels, posed), base_discrimination(rival, posed)),
            )
        )
    return found
