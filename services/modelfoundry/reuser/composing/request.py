"""What can be asked for of a composition, as the caller said it."""

from __future__ import annotations

from dataclasses import dataclass

from modelfoundry.client import ValidationSplit


@dataclass(frozen=True, slots=True)
class MoreAccurate:
    """One classifier of several with the same labels."""

    sources: tuple[str, ...]

    @property
    def target(self) -> str:
        """The source that stands for the whole in lists of jobs."""
        return self.sources[0]


@dataclass(frozen=True, slots=True)
class NewLabel:
    """One label of a new task."""

    label: str
    source_label: str
    """Its name in the sources and in the data set."""
    sources: tuple[str, ...]
    dataset: str


@dataclass(frozen=True, slots=True)
class NewTask:
    """One classifier of labels from anywhere."""

    labels: tuple[NewLabel, ...]

    @property
    def target(self) -> str:
        """The source that stands for the whole in lists of jobs."""
        return self.labels[0].sources[0]


@dataclass(frozen=True, slots=True)
class Patch:
    """A model without its weak spots."""

    model: str
    labels: tuple[str, ...]
    """To be replaced; empty: those found weak on validation data."""
    sources: tuple[str, ...]

    @property
    def target(self) -> str:
        """The model, which stands for the whole in lists of jobs."""
        return self.model


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionRequest:
    """What the caller asked for, with every default filled in."""

    parent: str
    task: MoreAccurate | NewTask | Patch
    dataset: str
    """Empty for a new task."""
    validation: ValidationSplit
    score: str
    strategy: str
    calibrate: bool
    composition_id: str
    device: str
    force: bool
    allow_different_preprocessing: bool
