"""Networks, rebuilt from a name and parameters."""

from modelfoundry.core.architectures.builders import EXPORTED, build_network, known_builders
from modelfoundry.core.architectures.weights import check_architecture, check_weights, load_network, load_state

__all__ = [
    "EXPORTED",
    "build_network",
    "check_architecture",
    "check_weights",
    "known_builders",
    "load_network",
    "load_state",
]
