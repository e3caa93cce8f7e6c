"""Networks by name: joins our zoo, torchvision's and timm's models, and what exports describe."""

from __future__ import annotations

from functools import partial
from typing import Final

from modelfoundry.core import architectures
from modelfoundry.core.architectures.builders import Builders
from modelfoundry.core.architectures.families import TIMM, TORCHVISION, ZOO
from modelfoundry.core.exported import EXPORTED

BUILDERS: Final = Builders((ZOO, TORCHVISION, TIMM, EXPORTED))

build_network: Final = BUILDERS.build
check_architecture: Final = partial(architectures.check_architecture, BUILDERS)
check_weights: Final = partial(architectures.check_weights, BUILDERS)
load_network: Final = partial(architectures.load_network, BUILDERS)
