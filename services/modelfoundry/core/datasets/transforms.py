"""What happens to pixels before a network sees them: normalisation and augmentation, whole batches at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from modelfoundry.values.architectures import InputSpec


def normalise(images: torch.Tensor, input_spec: InputSpec) -> torch.Tensor:
    """Scales pixels to [0, 1], subtracts the mean and divides by the standard deviation of each channel.

    Args:
        images: uint8, [n, channels, height, width].
        input_spec: Mean and standard deviation per channel.

    Returns:
        float32 of the same shape, on the device of `images`.
    """
    mean = torch.tensor(input_spec.means, dtype=torch.float32, device=images.device).view(-1, 1, 1)
    std = torch.tensor(input_spec.deviations, dtype=torch.float32, device=images.device).view(-1, 1, 1)
    return images.to(torch.float32).div_(255).sub_(mean).div_(std)


@dataclass(frozen=True, eq=False, slots=True)
class Crops:
    """How images are varied, one entry an image: the same crops give the same pixels at any time."""

    top: torch.Tensor
    """Rows by which the crop begins below the padded image's first, int16 [n]."""
    left: torch.Tensor
    """The same of columns, int16 [n]."""
    mirrored: torch.Tensor
    """Whether left and right are exchanged, bool [n]."""

    def __len__(self) -> int:
        return len(self.top)

    def __getitem__(self, indices: torch.Tensor) -> Crops:
        """Those at `indices`, int64 [k]."""
        return Crops(self.top[indices], self.left[indices], self.mirrored[indices])


def draw_crops(count: int, height: int, width: int, generator: torch.Generator, *, flip: bool) -> Crops:
    """Draws crops of images of a size; the arguments are those of `random_crop`."""
    pad_y, pad_x = height // 8, width // 8
    top = torch.randint(0, 2 * pad_y + 1, (count,), generator=generator)
    left = torch.randint(0, 2 * pad_x + 1, (count,), generator=generator)
    mirrored = torch.rand(count, generator=generator) < 0.5 if flip else torch.zeros(count, dtype=torch.bool)
    return Crops(top.short(), left.short(), mirrored)


def crop(images: torch.Tensor, crops: Crops) -> torch.Tensor:
    """Shifts and mirrors every image by its crop, after zero padding.

    Args:
        images: [n, channels, height, width], any dtype, before normalisation (padding is black).
        crops: One for every image, drawn for their size, on the CPU.

    Returns:
        A new tensor of the same shape, dtype and device.
    """
    count, channels, height, width = images.shape
    pad_y, pad_x = height // 8, width // 8
    rows = crops.top.long()[:, None] + torch.arange(height)
    columns = crops.left.long()[:, None] + torch.arange(width)
    columns = torch.where(crops.mirrored[:, None], columns.flip(1), columns)
    device = images.device
    padded = torch.nn.functional.pad(images, (pad_x, pad_x, pad_y, pad_y))
    return padded[
        torch.arange(count, device=device)[:, None, None, None],
        torch.arange(channels, device=device)[None, :, None, None],
        rows.to(device)[:, None, :, None],
        columns.to(device)[:, None, None, :],
    ]


def random_crop(images: torch.Tensor, generator: torch.Generator, *, flip: bool) -> torch.Tensor:
    """Shifts every image by a random crop after zero padding, and mirrors about half of them.

    Padding is an eighth of the height and width on every side (4 pixels at 32, as SeaM does on CIFAR).

    Args:
        images: [n, channels, height, width], any dtype, before normalisation (padding is black).
        generator: CPU generator of all randomness.
        flip: Whether to mirror left and right with probability 1/2.

    Returns:
        A new tensor of the same shape, dtype and device.
    """
    count, _, height, width = images.shape
    return crop(images, draw_crops(count, height, width, generator, flip=flip))
