"""The handwritten digits that come inside scikit-learn: real images on a machine with no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from modelfoundry.client.sources.prepared import PreparedDataset
from modelfoundry.client.sources.splits import Labels, checked_labels, write_arrays
from modelfoundry.errors import InvalidField

NAME: Final = "digits"
_TEST_SAMPLES: Final = 497


def read(folder: Path, labels: Sequence[str]) -> PreparedDataset:
    """1,797 grey 8x8 images: 1,300 to train, 497 to test, the same share of every digit in both.

    Pixels 0 to 16 become 0 to 255 (`round(p * 255 / 16)`).

    Raises:
        InvalidField: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InvalidField(
            "the digits come inside scikit-learn, which is not installed",
            field="source",
            hint="`pip install scikit-learn`, or pass a folder",
        ) from error
    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    numbers = bunch.target.astype(np.int64)
    is_test = _test_samples(numbers)
    files = {"train": folder / "train.safetensors", "test": folder / "test.safetensors"}
    write_arrays(files["train"], images[~is_test], numbers[~is_test])
    write_arrays(files["test"], images[is_test], numbers[is_test])
    return PreparedDataset(checked_labels(labels, [str(name) for name in bunch.target_names]), files)


def _test_samples(numbers: Labels) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Of every digit those with the smallest of the numbers that PCG64 draws: the same on every machine."""
    draw = np.random.PCG64(0).random_raw(len(numbers))
    chosen = np.zeros(len(numbers), dtype=bool)
    for number in np.unique(numbers):
        members = np.flatnonzero(numbers == number)
        count = round(len(members) * _TEST_SAMPLES / len(numbers))
        chosen[members[np.argsort(draw[members], kind="stable")[:count]]] = True
    return chosen
