"""Steps that all readers share: writing splits, and settling on label names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from modelfoundry.errors import InvalidField, MalformedFile
from modelfoundry.names import label_texts

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

_ALIGNMENT: Final = 8


def write_split(path: Path, shape: tuple[int, int, int, int], labels: Labels, images: Iterable[Images]) -> None:
    """Writes a split as the safetensors library would, but images one after another: they need not fit in memory.

    Equal content gives equal bytes: the file has no metadata.

    Args:
        path: The file.
        shape: Number, channels, height and width of all images together.
        labels: Label numbers, [n].
        images: uint8 arrays, one image or a batch each, that together have `shape`.
    """
    label_bytes = labels.astype("<i8").tobytes()
    image_bytes = int(np.prod(shape, dtype=np.int64))
    begin = len(label_bytes)
    header = {
        "labels": {"dtype": "I64", "shape": [len(labels)], "data_offsets": [0, begin]},
        "images": {"dtype": "U8", "shape": list(shape), "data_offsets": [begin, begin + image_bytes]},
    }
    encoded = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    encoded += b" " * (-len(encoded) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        file.write(label_bytes)
        for image in images:
            file.write(np.ascontiguousarray(image).data)


def write_arrays(path: Path, images: Images, labels: Labels) -> None:
    """Writes a split that lies in memory: images [n, c, h, w] and labels [n]."""
    write_split(path, (images.shape[0], images.shape[1], images.shape[2], images.shape[3]), labels, [images])


def checked_labels(wanted: Sequence[str], found: Sequence[str], highest: int | None = None) -> tuple[str, ...]:
    """The names that the caller wants, else those that were found.

    Args:
        wanted: The caller's names; empty for those found.
        found: Names that the files have.
        highest: Highest label number in the files, where it is known.

    Raises:
        InvalidField: there are no names, or not as many as labels.
    """
    names = label_texts(wanted) or label_texts(found)
    needed = len(found) if found else 0 if highest is None else highest + 1
    if not names:
        raise InvalidField("the files have no label names", field="labels", hint="pass them in order as labels=")
    for place, name in enumerate(names):
        if name != name.strip():
            raise InvalidField(
                f"the label {name!r} begins or ends with a space",
                field=f"labels[{place}]",
                hint=f"call it {name.strip()!r}: rename its folder, or pass labels=",
            )
    if len(names) < needed or (wanted and found and len(wanted) != len(found)):
        raise InvalidField(
            f"{len(names)} label names were given for {needed} labels",
            field="labels",
            hint="pass one name for every label number, in order",
        )
    return names


def require(condition: bool, path: Path, problem: str, hint: str = "copy or unpack the file again") -> None:
    """Raises MalformedFile for a file when a condition does not hold."""
    if not condition:
        raise MalformedFile(f"{path}: {problem}", field="source", hint=hint)
