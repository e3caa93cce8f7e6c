"""The handwritten digits that come inside scikit-learn, as image sets of the core, for tests without services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from sklearn.datasets import load_digits

from modelfoundry.core.datasets.cutting import validation_cut
from modelfoundry.core.datasets.splits import ImageSet

_TEST_SAMPLES: Final = 497
_SEED: Final = 0


@dataclass(frozen=True, slots=True, eq=False)
class DatasetContent:
    """A whole data set: its label names by number, and its splits by name."""

    labels: tuple[str, ...]
    splits: Mapping[str, ImageSet]


def digits() -> DatasetContent:
    """1,797 grey 8x8 images of the digits: 1,300 to train, 497 to test, the same share of every digit in both.

    Pixels 0 to 16 become 0 to 255 (`round(p * 255 / 16)`, halves to even). The cut is `validation_cut` with seed 0.
    """
    bunch = load_digits()
    images = torch.from_numpy(np.rint(bunch.images * (255 / 16)).astype(np.uint8)).unsqueeze(1)
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    train, test = validation_cut(labels, _TEST_SAMPLES / len(labels), _SEED)
    whole = ImageSet(images, labels)
    return DatasetContent(
        labels=tuple(str(name) for name in bunch.target_names),
        splits={"train": whole.subset(train), "test": whole.subset(test)},
    )
