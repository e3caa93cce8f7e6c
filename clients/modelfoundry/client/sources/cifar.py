"""The binary version of CIFAR-10 and CIFAR-100 (the Python version is pickles, which are never read)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from modelfoundry.client.sources.prepared import PreparedDataset
from modelfoundry.client.sources.splits import Images, Labels, checked_labels, require, write_arrays

_PIXELS: Final = 3 * 32 * 32
_CIFAR10: Final[Mapping[str, tuple[str, ...]]] = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
_CIFAR100: Final[Mapping[str, tuple[str, ...]]] = {"train": ("train.bin",), "test": ("test.bin",)}
_CIFAR10_LABELS: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SUBFOLDERS: Final = ("", "cifar-10-batches-bin", "cifar-100-binary")


def recognises(path: Path) -> bool:
    """Whether the folder, or the one that the archive unpacks to in it, has all files of one of the two."""
    return _place(path) is not None


def read(path: Path, folder: Path, labels: Sequence[str]) -> PreparedDataset:
    """Reads either; CIFAR-100 with its 100 fine labels.

    Raises:
        MalformedFile: a file has another size than its records make, or a label out of range.
    """
    place = _place(path)
    if place is None:
        raise ValueError(f"{path} was not recognised")
    root, files, label_bytes = place
    names = _names(root / "fine_label_names.txt") if label_bytes == 2 else _CIFAR10_LABELS
    written = {}
    for split, parts in files.items():
        loaded = [_records(root / part, label_bytes, len(names)) for part in parts]
        written[split] = folder / f"{split}.safetensors"
        write_arrays(
            written[split], np.concatenate([images for images, _ in loaded]), np.concatenate([n for _, n in loaded])
        )
    return PreparedDataset(checked_labels(labels, names), written)


def _place(path: Path) -> tuple[Path, Mapping[str, tuple[str, ...]], int] | None:
    for root in (path / name for name in _SUBFOLDERS):
        for files, label_bytes in ((_CIFAR10, 1), (_CIFAR100, 2)):
            if all((root / part).is_file() for parts in files.values() for part in parts):
                return root, files, label_bytes
    return None


def _records(path: Path, label_bytes: int, label_count: int) -> tuple[Images, Labels]:
    content = np.fromfile(path, dtype=np.uint8)
    record = label_bytes + _PIXELS
    require(len(content) > 0 and len(content) % record == 0, path, f"{len(content)} bytes are not records of {record}")
    records = content.reshape(-1, record)
    numbers = records[:, label_bytes - 1].astype(np.int64)
    require(int(numbers.max()) < label_count, path, f"label {numbers.max()} of {label_count}")
    return records[:, label_bytes:].reshape(-1, 3, 32, 32), numbers


def _names(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return tuple(str(number) for number in range(100))
    return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
