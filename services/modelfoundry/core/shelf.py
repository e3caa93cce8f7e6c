"""Where work keeps what other work on the same machine can use: never needed, only quicker."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from torch import Tensor


class Shelf(Protocol):
    """A place that forgets. What is taken from it is what was put there, or nothing."""

    def take(self, name: str) -> Tensor | None:
        """What was put there under a name; None when nothing was, or it is gone or damaged."""

    def claim(self, name: str) -> AbstractContextManager[bool]:
        """For the time of a block, whether it is this work that makes what the name stands for; never waits."""

    def put(self, name: str, value: Tensor) -> None:
        """Keeps a tensor for others; it may be gone at any later time."""


class NoShelf:
    """For work that shares nothing."""

    def take(self, name: str) -> Tensor | None:  # noqa: ARG002 - part of the interface
        """Nothing is there."""
        return None

    def claim(self, name: str) -> AbstractContextManager[bool]:  # noqa: ARG002 - part of the interface
        """Nobody else makes it."""
        return nullcontext(True)

    def put(self, name: str, value: Tensor) -> None:
        """Keeps nothing."""
