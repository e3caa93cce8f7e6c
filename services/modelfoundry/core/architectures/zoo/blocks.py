"""What several networks of the zoo are made of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ConvBlock(nn.Module):
    """Convolution with bias that keeps the size, batch normalisation, ReLU.

    The convolution begins normal with variance 2 / (kernel area * output channels) and bias 0.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, padding=(kernel - 1) // 2)
        self.bn = nn.BatchNorm2d(channels_out)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]  # made with a bias

    def forward(self, images: Tensor) -> Tensor:
        """[n, channels_in, h, w] to [n, channels_out, h, w]."""
        return functional.relu(self.bn(self.conv(images)))
