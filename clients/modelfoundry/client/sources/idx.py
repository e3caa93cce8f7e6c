"""The files of MNIST and Fashion-MNIST, as they are or gzipped."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from modelfoundry.client.sources.prepared import PreparedDataset
from modelfoundry.client.sources.splits import checked_labels, require, write_arrays
from modelfoundry.errors import MalformedFile

_PREFIXES: Final[Mapping[str, str]] = {"train": "train", "test": "t10k"}
_UNSIGNED_BYTE: Final = 0x08
_FASHION: Final = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_DIGITS: Final = tuple(str(number) for number in range(10))


def recognises(path: Path) -> bool:
    """Whether the folder, or `raw` in it, has all four files."""
    return _root(path) is not None


def read(path: Path, folder: Path, labels: Sequence[str]) -> PreparedDataset:
    """Reads both splits. A folder with `fashion` in its path has the label names of Fashion-MNIST.

    Raises:
        MalformedFile: a file is truncated, or images and labels differ in number.
    """
    root = _root(path)
    if root is None:
        raise ValueError(f"{path} was not recognised")
    names = _FASHION if "fashion" in "/".join(root.absolute().parts[-3:]).lower() else _DIGITS
    files, highest = {}, 0
    for split, prefix in _PREFIXES.items():
        image_path, label_path = (_found(root, f"{prefix}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
        images, numbers = _array(image_path, 3), _array(label_path, 1).astype(np.int64)
        require(len(images) == len(numbers) > 0, label_path, f"{len(numbers)} labels for {len(images)} images")
        highest = max(highest, int(numbers.max()))
        files[split] = folder / f"{split}.safetensors"
        write_arrays(files[split], images[:, None], numbers)
    return PreparedDataset(checked_labels(labels, () if labels else names, highest), files)


def _root(path: Path) -> Path | None:
    needed = [f"{prefix}-{kind}-ubyte" for prefix in _PREFIXES.values() for kind in ("images-idx3", "labels-idx1")]
    for root in (path, path / "raw"):
        if all((root / name).is_file() or (root / f"{name}.gz").is_file() for name in needed):
            return root
    return None


def _found(root: Path, name: str) -> Path:
    plain = root / name
    return plain if plain.is_file() else root / f"{name}.gz"


def _array(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise MalformedFile(f"{path}: {error}", field="source", hint="copy the file again") from error
    beginning = bytes((0, 0, _UNSIGNED_BYTE, dimensions))
    require(content.startswith(beginning), path, f"it does not begin as an idx file of {dimensions} dimensions")
    extents = np.frombuffer(content[4 : 4 + 4 * dimensions], dtype=">u4").astype(np.int64)
    data = content[4 + 4 * dimensions :]
    require(len(extents) == dimensions and len(data) == int(extents.prod()), path, "it is not as long as it says")
    return np.frombuffer(data, dtype=np.uint8).reshape(tuple(extents))
