"""What every reader makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

LOOKALIKES: Final = "labels that are told apart by case or spaces alone"
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class FileRemark:
    """A file or folder of a data set, by its path in the source, and what there is to say of it."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What people should know of how a data set was read.

    Args:
        left_out: What lies in the source and is not in the data set, with the reason.
        notes: Pictures that are in the data set, and how they were read where that may surprise.
    """

    left_out: tuple[FileRemark, ...] = ()
    notes: tuple[FileRemark, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """A line for every reason and note, with some of its files."""
        left_out = (f"left out, {line}" for line in _grouped(self.left_out))
        return (*left_out, *_grouped(self.notes))


@dataclass(frozen=True, slots=True)
class PreparedDataset:
    """Label names in order, a safetensors file for every split, and what to know of how they came to be."""

    labels: tuple[str, ...]
    files: Mapping[str, Path]
    report: SourceReport = field(default_factory=SourceReport)


def lookalikes(labels: Sequence[str]) -> tuple[FileRemark, ...]:
    """Labels that differ in case or spaces alone: they are told apart, and may be meant as one."""
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault("".join(label.casefold().split()), []).append(label)
    return tuple(FileRemark(" / ".join(group), LOOKALIKES) for group in groups.values() if len(group) > 1)


def _grouped(remarks: Sequence[FileRemark]) -> list[str]:
    paths: dict[str, list[str]] = {}
    for remark in remarks:
        paths.setdefault(remark.text, []).append(remark.path)
    return [f"{text}: {shown(found)}" for text, found in paths.items()]


def shown(paths: Sequence[str]) -> str:
    """The first of some paths, and how many more there are."""
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
