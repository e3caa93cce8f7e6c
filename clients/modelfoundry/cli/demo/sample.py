"""One image of the test split, as a file that a person can look at."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from modelfoundry.client import AsyncClient, Dataset
from modelfoundry.errors import NotFound


@dataclass(frozen=True, slots=True)
class Sample:
    """An image file and what is on it."""

    path: Path
    label: str


async def sample_image(client: AsyncClient, dataset: Dataset, split: str, label: str, folder: Path) -> Sample:
    """Writes the first grey image of a label in a split as PNG.

    Raises:
        NotFound: the data set has no such split.
    """
    content = next((part.content for part in dataset.splits if part.split == split), None)
    if content is None:
        raise NotFound(f"{dataset.name} has no split {split!r}", field="split")
    with tempfile.TemporaryDirectory() as scratch:
        tensors = load_file(await client.blobs.download(content, Path(scratch) / "split.safetensors"))
    place = int(np.flatnonzero(tensors["labels"] == dataset.labels.index(label))[0])
    path = folder / f"{dataset.id}-{split}-{place}.png"
    Image.fromarray(tensors["images"][place, 0], mode="L").save(path)
    return Sample(path, label)
