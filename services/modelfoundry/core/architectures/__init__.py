"""Networks, rebuilt from a name and scalar parameters."""

from modelfoundry.core.architectures.spec import Architecture, InputSpec, TensorSpec

__all__ = ["Architecture", "InputSpec", "TensorSpec"]
