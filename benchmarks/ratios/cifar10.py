"""One label of the public ResNet20 to the base's accuracy, against 60 epochs of the published way."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import torch
from interleaved import Ratio
from reference.seam import ReferenceSeam
from tables.figures import label_figures
from tables.material import SPEC, Images
from tables.measuring import Place, measure
from tables.rendering import with_bounds
from tables.rows import CIFAR10, PUBLIC, Row
from torch import nn

from modelfoundry.core.batches import to_input
from modelfoundry.core.devices import seeded
from modelfoundry.core.evaluation import pose
from modelfoundry.core.inference import predict_logits
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, materialise
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchTask
from modelfoundry.values.architectures import Architecture
from modelfoundry.values.problems import BinaryProblem
from ratios.measurements import Effort, NotHere, Report

CPU: Final = torch.device("cpu")
PROBLEM: Final = BinaryProblem("horse")
EPOCHS: Final = 60
BATCH: Final = 64
STEPS: Final = 840
"""Half of the default."""
LOOKS: Final = 12
"""How often a search is interrupted for steps of the reference."""
AT_ONCE: Final = 4
"""Steps of the reference each time."""


def time_to_quality(effort: Effort) -> Report:
    """Searches horse by `distilled`, and takes steps of the published way on the same images in between."""
    place = resnet20(effort)
    base = place.base(Row("module", PUBLIC, ""))
    steps = 2 if effort.tiny else STEPS
    reference = _Reference(base, place.images, every=max(1, steps // LOOKS))
    began = time.process_time()
    (found,) = SEAM.search(
        SearchTask(
            network=base,
            architecture=Architecture(f"zoo:{PUBLIC}"),
            labels=CIFAR10,
            problems=(PROBLEM,),
            train=place.images.train,
            validation=place.images.validation,
            input_spec=SPEC,
            settings=SEAM.resolve("distilled", {"steps": steps}),
            seed=0,
            device=CPU,
            monitor=reference,
        )
    ).modules
    spent = time.process_time() - began - reference.spent
    figures = _figures(base, found, place.images)
    published = [EPOCHS * reference.steps_an_epoch * seconds for seconds in reference.seconds]
    faster = sorted(one / spent for one in published)
    ratio = Ratio(
        work=f"SeaM search, {PUBLIC} on CIFAR-10, {PROBLEM.label}",
        way=f"distilled, {steps} steps",
        median=statistics.median(faster),
        least=faster[0],
        most=faster[-1],
        seconds=spent,
        reference_seconds=statistics.median(published),
    )
    reached = effort.tiny or figures["difference"][0] >= 0
    note = (
        f"Test accuracy of the module {with_bounds(figures['accuracy'])} %, of the base by its largest logit "
        f"{with_bounds(figures['base_argmax'])} %. The reference was not run to its end: its seconds are those of "
        f"{len(reference.seconds)} times {AT_ONCE} steps, taken in between, for the "
        f"{EPOCHS * reference.steps_an_epoch:,} steps of {EPOCHS} epochs, without measuring; `distilled` is timed with "
        "all of its search and its share of the base's answers."
    )
    if reached:
        return Report({"quality": (ratio,)}, notes=(note,))
    return Report({}, (ratio,), (f"The base's accuracy was not reached. {note}",))


def resnet20(effort: Effort, *, synthetic: bool = False) -> Place:
    """CIFAR-10 and the public ResNet20.

    Args:
        effort: Says where they are.
        synthetic: Where they are not, a network that learnt a few coloured images of noise will do.

    Raises:
        NotHere: they are not.
    """
    if effort.cifar10 is not None and effort.resnet20 is not None and not effort.tiny:
        return Place(Images.read(effort.cifar10), CPU, effort.folder, effort.resnet20)
    if not synthetic and not effort.tiny:
        raise NotHere("it needs `--cifar10 FOLDER --resnet20 FILE`")
    place = Place(Images.tiny(), CPU, effort.folder, None)
    measure(Row("network", PUBLIC, "synthetic", settings={"epochs": 3, "batch_size": 32, "lr": 0.1}), place)
    return place


@dataclass
class _Reference(Unwatched):
    """Watches a search, and in between takes steps of the published way."""

    network: nn.Module
    images: Images
    every: int
    seconds: list[float] = field(default_factory=list)
    """Of one step, each time."""
    spent: float = 0.0

    def __post_init__(self) -> None:
        posed = pose(self.images.train, PROBLEM, CIFAR10)
        self.steps_an_epoch = -(-len(posed) // BATCH)
        self._inputs, self._labels = to_input(posed.images[:BATCH], SPEC, CPU).contiguous(), posed.labels[:BATCH]
        with seeded(0, CPU):
            head = nn.Linear(len(CIFAR10), 2)
        self._search = ReferenceSeam(self.network, head, lr_mask=1e-9, lr_head=0.1, alpha=1.0)

    def progress(
        self,
        phase: str,
        done: int,
        total: int,  # noqa: ARG002 - what monitors are told
        unit: str,  # noqa: ARG002
        metrics: Mapping[str, float],  # noqa: ARG002
    ) -> None:
        """Called after every step of the search."""
        if phase != "masks and norms" or done % self.every:
            return
        start = time.process_time()
        for _ in range(AT_ONCE):
            self._search.step(self._inputs, self._labels)
        taken = time.process_time() - start
        self.spent += taken
        self.seconds.append(taken / AT_ONCE)


def _figures(base: nn.Module, found: FoundModule, images: Images) -> dict[str, list[float]]:
    artifact = ModuleArtifact(
        f"sha256:{'0' * 64}", PROBLEM, found.masks, found.head, SEAM.name, RewrittenTensors(found.rewritten)
    )
    own, of_base = (
        predict_logits(network, images.test.images, SPEC, batch_size=256, device=CPU)
        for network in (materialise(base, artifact), base)
    )
    return label_figures(PROBLEM.label, own, of_base, images.test.labels)
