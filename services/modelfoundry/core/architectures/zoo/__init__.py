"""Networks of our own making, one file each, for images of 32x32 pixels and the like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from torch import nn

from modelfoundry.core.architectures.zoo.digits_cnn import DigitsCnn
from modelfoundry.core.architectures.zoo.incecnn import InceCnn
from modelfoundry.core.architectures.zoo.rescnn import ResCnn
from modelfoundry.core.architectures.zoo.resnet import resnet20, resnet56
from modelfoundry.core.architectures.zoo.simcnn import SimCnn
from modelfoundry.core.architectures.zoo.vgg16_bn import Vgg16Bn

NETWORKS: Final[Mapping[str, Callable[..., nn.Module]]] = {
    "digits_cnn": DigitsCnn,
    "incecnn": InceCnn,
    "rescnn": ResCnn,
    "resnet20": resnet20,
    "resnet56": resnet56,
    "simcnn": SimCnn,
    "vgg16_bn": Vgg16Bn,
}
"""Name to builder; every builder takes `label_count` and `input_channels`, and its own parameters by keyword."""

__all__ = ["NETWORKS"]
