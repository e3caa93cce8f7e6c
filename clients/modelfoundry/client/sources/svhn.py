"""SVHN's cropped digits: `train_32x32.mat` and `test_32x32.mat` (MATLAB 5 files, which hold arrays and no code)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from modelfoundry.client.sources.prepared import PreparedDataset
from modelfoundry.client.sources.splits import Images, Labels, checked_labels, require, write_arrays
from modelfoundry.errors import InvalidField, MalformedFile

_SPLITS: Final = ("train", "test")


def recognises(path: Path) -> bool:
    """Whether the folder has both files."""
    return all((path / f"{split}_32x32.mat").is_file() for split in _SPLITS)


def read(path: Path, folder: Path, labels: Sequence[str]) -> PreparedDataset:
    """Reads both splits; the digit 0, which the files call 10, becomes label 0.

    Raises:
        MalformedFile: a file cannot be read, or lacks `X` [32, 32, 3, n] or `y` [n, 1].
        InvalidField: SciPy is not installed.
    """
    files = {}
    for split in _SPLITS:
        images, numbers = _arrays(path / f"{split}_32x32.mat")
        files[split] = folder / f"{split}.safetensors"
        write_arrays(files[split], images, numbers)
    return PreparedDataset(checked_labels(labels, [str(number) for number in range(10)]), files)


def _arrays(path: Path) -> tuple[Images, Labels]:
    try:
        from scipy.io import loadmat  # type: ignore[import-untyped]
        from scipy.io.matlab import MatReadError  # type: ignore[import-untyped]
    except ImportError as error:
        raise InvalidField(
            f"reading {path.name} needs SciPy, which is not installed", field="source", hint="`pip install scipy`"
        ) from error
    try:
        content = loadmat(path, variable_names=("X", "y"))
    except (MatReadError, ValueError, TypeError, NotImplementedError, OSError) as error:
        raise MalformedFile(f"{path}: {error}", field="source", hint="copy the file again") from error
    images, numbers = np.asarray(content.get("X")), np.asarray(content.get("y"))
    fits = images.ndim == 4 and images.shape[:3] == (32, 32, 3) and images.dtype == np.uint8
    require(fits, path, "no array X of bytes [32, 32, 3, n]")
    require(
        numbers.size == images.shape[3] and numbers.dtype.kind in "ui", path, "not one whole number y for every image"
    )
    return images.transpose(3, 2, 0, 1), numbers.reshape(-1).astype(np.int64) % 10
