"""How long work tells what it does, asks whether to go on, and offers a state to go on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol


class Monitor(Protocol):
    """Whoever watches long work. All calls are cheap and may come hundreds of times a second."""

    def progress(self, phase: str, done: int, total: int, unit: str, metrics: Mapping[str, float]) -> None:
        """Takes notice of how far the work is.

        Args:
            phase: What is being done, for example `masks and head`.
            done: Units done.
            total: Units in all.
            unit: What a unit is, for example `step`.
            metrics: Figures of the moment, for example `loss`, `accuracy`, `weight_retention`.
        """

    def check_cancelled(self) -> None:
        """Called between all steps.

        Raises:
            Cancelled: the work is to end now.
        """

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        """Offers a state that the work can be taken up from; the monitor decides whether to have it written.

        Args:
            write: Writes the state into a new file at the path given, when called before this method returns.
        """


class Unwatched:
    """A monitor for work that nobody watches, cancels or resumes."""

    def progress(self, phase: str, done: int, total: int, unit: str, metrics: Mapping[str, float]) -> None:
        """Takes no notice."""

    def check_cancelled(self) -> None:
        """Never cancels."""

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        """Writes nothing."""
