"""What a search gets, and what it gives, in every algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from modelfoundry.core.channels import LayerCut, Operation
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.heads import Head
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.monitor import Monitor
from modelfoundry.core.shelf import NoShelf, Shelf
from modelfoundry.decomposer.algorithms.epochs import Chosen, EpochRecord
from modelfoundry.decomposer.algorithms.settings import Settings
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.frontiers import Frontier
from modelfoundry.values.problems import Problem

S_co = TypeVar("S_co", bound=Settings, covariant=True)
M_co = TypeVar("M_co", bound="FoundModule", covariant=True)


@dataclass(frozen=True, eq=False, slots=True)
class SearchTask(Generic[S_co]):
    """What is to be searched, and on which data."""

    network: nn.Module
    """The trained classifier, on the CPU."""
    architecture: Architecture
    """What it was built from."""
    labels: tuple[str, ...]
    """Labels of the classifier, in the order of its outputs."""
    problems: tuple[Problem, ...]
    """One for every module."""
    train: ImageSet
    """Images to learn from, with label numbers of the classifier."""
    validation: ImageSet
    """Images to choose the epoch on, never test data, with label numbers of the classifier."""
    input_spec: InputSpec
    """How images are normalised."""
    settings: S_co
    seed: int
    device: torch.device
    monitor: Monitor
    resume: Path | None = None
    """Checkpoint to go on from."""
    shelf: Shelf = field(default_factory=NoShelf)
    """What other searches on the same model and training images have made, and take."""


@dataclass(frozen=True, slots=True)
class FoundModule:
    """One of the modules that a search found."""

    masks: WeightMasks
    head: Head
    empty_layers: tuple[str, ...] = ()
    """Layers in which nothing was left, so that one unit was kept."""
    rewritten: Mapping[str, Tensor] = field(default_factory=dict)
    """Tensors that the module has in place of the base's own, by name; float16 or float32, on the CPU."""
    cuts: tuple[LayerCut, ...] = ()
    """Channels that the base network loses."""
    operations: tuple[Operation, ...] = ()
    """What takes the place of layers of the base network."""


@dataclass(frozen=True, slots=True)
class SearchResult(Generic[M_co]):
    """What a search found."""

    modules: tuple[M_co, ...]
    """In the order of the problems."""
    validation_accuracy: float
    """Of the chosen epoch on validation data, in [0, 1]; a joint search: of all modules together on all labels."""
    base_validation_accuracy: float
    """Of the untouched base on the same, in [0, 1]."""
    chosen_epoch: int
    epochs_run: int
    """0 where a search is not by epochs."""
    fell_back: bool
    """No epoch was good enough; the algorithm says which one is taken then."""
    history: tuple[EpochRecord, ...]
    samples: tuple[int, int]
    """Training and validation images of the problems."""
    settled: Mapping[str, Any] = field(default_factory=dict)
    """Settings that the machine decided, by name: recorded in place of what was asked for."""
    threads_changed: bool = False
    """It was taken up with another number of threads than it began with: its sums may differ in their last bits."""

    notes: tuple[str, ...] = ()
    """What is to be told to those who watch, in lines: they go into the log of the job."""
    frontier: Frontier | None = None
    """What a search within budgets had to choose from: kept in the record."""

    @classmethod
    def of(
        cls, modules: tuple[M_co, ...], chosen: Chosen, base_accuracy: float, samples: tuple[int, int]
    ) -> SearchResult[M_co]:
        """The result of a loop of epochs."""
        return cls(
            modules=modules,
            validation_accuracy=chosen.snapshot.accuracy,
            base_validation_accuracy=base_accuracy,
            chosen_epoch=chosen.snapshot.epoch,
            epochs_run=len(chosen.history),
            fell_back=chosen.fell_back,
            history=chosen.history,
            samples=samples,
        )
