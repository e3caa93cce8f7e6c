"""Networks, rebuilt from a name and parameters, by families of architectures that are handed in."""

from modelfoundry.core.architectures.builders import Builders, Family
from modelfoundry.core.architectures.weights import check_architecture, check_weights, load_network, load_state

__all__ = ["Builders", "Family", "check_architecture", "check_weights", "load_network", "load_state"]
