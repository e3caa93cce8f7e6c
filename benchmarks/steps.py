"""Times steps of the searches against the published way, in turn in one process, and prints a table.

Usage: python benchmarks/steps.py [--rounds 5]

Networks have random weights and images are noise: what a step costs does not depend on them. All bits are set, as at
the beginning of a search. One thread; figures are CPU seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Final

import torch
from interleaved import Ratio, interleaved, ratios, table
from reference.gradsplitter import ReferenceSplitter, published_head
from reference.seam import ReferenceSeam
from torch import Tensor, nn

from modelfoundry.core.architectures.zoo import NETWORKS
from modelfoundry.core.batches import to_input
from modelfoundry.core.channels import ChannelPlan, plan_channels
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import Precision, computes_bfloat16
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.pool import ViewPool
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.search import SplitTask, Splitting
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.settings import DistilledSplitSettings
from modelfoundry.decomposer.algorithms.gradsplitter.search import JointTask, KernelSearch
from modelfoundry.decomposer.algorithms.gradsplitter.settings import GradSplitterSettings
from modelfoundry.decomposer.algorithms.linear_head import PosedTask
from modelfoundry.decomposer.algorithms.seam.distilled.search import Distillation, DistillationTask
from modelfoundry.decomposer.algorithms.seam.distilled.settings import DistilledSettings
from modelfoundry.decomposer.algorithms.seam.search import MaskSearch
from modelfoundry.decomposer.algorithms.seam.settings import SeamSettings
from modelfoundry.values.architectures import InputSpec

LABELS: Final = 10
SPEC: Final = InputSpec(3, 32, 32, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
CPU: Final = torch.device("cpu")
SEAM_NETWORKS: Final = ("resnet20", "vgg16_bn", "simcnn")
SPLIT_BATCH: Final = 16
"""Images of GradSplitter's steps: the reference takes ten passes forward and ten backward for each batch."""


def seam_steps(network: str, rounds: int, batch: int = 64) -> list[Ratio]:
    """Steps that train masks: SeaM's recipes against the reference.

    Args:
        network: A name of the zoo.
        rounds: Of every way.
        batch: Images in a step.
    """
    base, images = _network(network), _images(batch)
    ways = {
        "reference": _reference_step(base, images),
        "paper, float32": _paper_step(base, images),
        **{f"distilled, {one}": _distilled_step(base, images, rounds, one) for one in _precisions()},
    }
    return ratios(f"SeaM mask step, {network}, batch {batch}", interleaved(ways, rounds))


def splitter_epochs(rounds: int, batch: int = SPLIT_BATCH) -> list[Ratio]:
    """Epochs of one batch: GradSplitter's recipes with ten modules of SimCNN against the reference.

    The recipe `distilled` has no heads to train: its epochs stand against all epochs of a cycle.
    """
    base, images = _network("simcnn"), _images(batch)
    layers = [name for name, layer in base.named_modules() if type(layer).__name__ == "ConvBlock"]
    heads = [published_head(LABELS, 10) for _ in range(LABELS)]
    reference = ReferenceSplitter(
        base, dict(zip(layers, layers, strict=True)), heads, lr_mask=1e-9, lr_head=0.001, alpha=0.1
    )
    settings = GradSplitterSettings(warmup_epochs=0, cycles=1, lr_mask=1e-9, batch_size=batch)
    groups = tuple((label,) for label in range(LABELS))
    plan = plan_channels(base, SPEC)
    task = JointTask(base, plan, groups, images, images.subset(torch.arange(1)), 0.5, SPEC, settings)
    product = KernelSearch(task, 0, CPU, Unwatched(), 3 * 2**30)
    inputs = to_input(images.images, SPEC, CPU)

    def heads_of_a_cycle() -> None:
        product.run_epoch(0, _first_none)  # of masks, without a batch: what heads learn from is computed anew
        for epoch in range(settings.mask_epochs, settings.mask_epochs + settings.head_epochs):
            product.run_epoch(epoch, iter)

    masks = interleaved(
        {
            "reference": lambda: reference.step(inputs, images.labels),
            "paper": lambda: product.run_epoch(0, iter),
            **{f"distilled, {one}": _split_step(base, plan, images, rounds, one) for one in _precisions()},
        },
        rounds,
    )
    alone = interleaved(
        {
            "reference": lambda: reference.step(inputs, images.labels, with_masks=False),
            "paper": heads_of_a_cycle,
        },
        rounds,
    )
    epochs, head_epochs = settings.mask_epochs, settings.head_epochs
    cycle = {
        "reference": [
            epochs * one + head_epochs * other
            for one, other in zip(masks["reference"], alone["reference"], strict=True)
        ],
        "paper": [epochs * one + other for one, other in zip(masks["paper"], alone["paper"], strict=True)],
        **{
            f"{way}, {epochs + head_epochs} epochs": [(epochs + head_epochs) * one for one in seconds]
            for way, seconds in masks.items()
            if way.startswith("distilled")
        },
    }
    of_masks = ratios(f"GradSplitter mask epoch, ten modules of simcnn, batch {batch}", masks)
    return of_masks + ratios("GradSplitter cycle of 5 mask epochs and 2 of heads, the same", cycle)


def _network(name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return NETWORKS[name](label_count=LABELS, input_channels=3).eval().requires_grad_(False)


def _images(count: int) -> ImageSet:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, torch.arange(count) % LABELS)


def _posed(images: ImageSet) -> ImageSet:
    return ImageSet(images.images, images.labels % 2)


def _reference_step(base: nn.Module, images: ImageSet) -> Callable[[], object]:
    reference = ReferenceSeam(base, nn.Linear(LABELS, 2), lr_mask=1e-9, lr_head=0.1, alpha=1.0)
    inputs = to_input(images.images, SPEC, CPU).contiguous()
    return lambda: reference.step(inputs, images.labels % 2)


def _paper_step(base: nn.Module, images: ImageSet) -> Callable[[], object]:
    settings = SeamSettings(lr_mask=1e-9, batch_size=len(images), augmentation="none")
    posed = _posed(images)
    task = PosedTask(base, 2, posed, posed, 0.5, SPEC, settings, 0, CPU, Unwatched())
    search = MaskSearch(task)
    return lambda: search.train(1, iter)  # an epoch of one batch, without validation


def _distilled_step(base: nn.Module, images: ImageSet, rounds: int, precision: Precision) -> Callable[[], object]:
    settings = DistilledSettings(steps=2 * rounds + 2, batch_size=len(images), augmentation="none")
    pool = ViewPool(base, images, SPEC, augmentation="none", seed=0, device=CPU, precision=precision)
    target = Target(LABELS, (0,), rest=True)
    task = DistillationTask(
        base, target, pool, _posed(images), SPEC, settings, 0, CPU, Unwatched(), precision=precision
    )
    run = Distillation(task)
    run.fill_pool()
    return run.run_step


def _split_step(
    base: nn.Module, plan: ChannelPlan, images: ImageSet, rounds: int, precision: Precision
) -> Callable[[], object]:
    settings = DistilledSplitSettings(steps=2 * rounds + 2, batch_size=len(images), augmentation="none")
    pool = ViewPool(base, images, SPEC, augmentation="none", seed=0, device=CPU, precision=precision)
    targets = tuple(Target(LABELS, (label,), rest=True) for label in range(LABELS))
    run = Splitting(SplitTask(base, plan, targets, pool, SPEC, settings, 0, CPU, precision, Unwatched()))
    pool.fill(run.views_ahead(), Unwatched())
    return run.run_step


def _precisions() -> tuple[Precision, ...]:
    return ("float32", "bfloat16") if computes_bfloat16(CPU) else ("float32",)


def _first_none(batches: object) -> tuple[Tensor, ...]:  # noqa: ARG001 - takes what an epoch's watch takes
    return ()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of every way, 1 or more")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    found = [one for network in SEAM_NETWORKS for one in seam_steps(network, rounds)]
    print(table(found + splitter_epochs(rounds)))


if __name__ == "__main__":
    main()
