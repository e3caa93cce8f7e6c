"""One split of a data set: images with labels, in memory and as a safetensors file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import safetensors
import torch

from modelfoundry.core.tensorfile import write_tensors
from modelfoundry.errors import MalformedFile

_LAYOUT_HINT = "store 'images' as U8 [n, channels, height, width] and 'labels' as I64 [n] in one safetensors file"


@dataclass(frozen=True, slots=True, eq=False)
class ImageSet:
    """Images with their labels.

    Attributes:
        images: uint8 pixels from 0 to 255, [n, channels, height, width].
        labels: int64 label numbers, [n], 0 or more.
    """

    images: torch.Tensor
    labels: torch.Tensor

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.dim() != 4:
            raise ValueError(f"images must be uint8 [n, c, h, w], got {self.images.dtype} {tuple(self.images.shape)}")
        if self.labels.dtype != torch.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"labels must be int64 [{len(self.images)}], got {self.labels.dtype} {tuple(self.labels.shape)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, indices: torch.Tensor) -> ImageSet:
        """The samples at `indices` (int64 [k]), in that order, copied."""
        return ImageSet(self.images[indices], self.labels[indices])


def write_split(path: Path, image_set: ImageSet) -> None:
    """Writes a split. Equal content gives equal bytes, in this and in every other version of safetensors.

    The file has no metadata: its one header is `labels` before `images`, compact JSON padded with spaces to 8 bytes.
    """
    write_tensors(path, {"images": image_set.images, "labels": image_set.labels})


def read_split(path: Path) -> ImageSet:
    """Reads a split; pages of the images are loaded from the file when they are touched.

    Raises:
        MalformedFile: it is no safetensors file, lacks a tensor, or a tensor has another type or shape.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            missing = {"images", "labels"} - set(file.keys())
            if missing:
                raise MalformedFile(f"{path.name} lacks the tensor {' and '.join(sorted(missing))}", hint=_LAYOUT_HINT)
            image_set = ImageSet(file.get_tensor("images"), file.get_tensor("labels"))
    except safetensors.SafetensorError as error:
        raise MalformedFile(f"{path.name} is no whole safetensors file: {error}", hint=_LAYOUT_HINT) from error
    except ValueError as error:
        raise MalformedFile(f"{path.name}: {error}", hint=_LAYOUT_HINT) from error
    if len(image_set) and int(image_set.labels.min()) < 0:
        raise MalformedFile(f"{path.name} has a label below 0", hint="number labels from 0")
    return image_set
