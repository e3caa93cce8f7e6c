"""Batch normalisation of several modules at once: statistics of the batch, and a scale and shift for each module."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm


class ModuleNorm(nn.Module):
    """Stands in a trunk in place of a batch normalisation.

    Args:
        layer: The base's; untouched.
    """

    def __init__(self, layer: _BatchNorm) -> None:
        super().__init__()
        self._eps = layer.eps
        self._given = {
            part: value.detach().float()
            for part, value in (("weight", layer.weight), ("bias", layer.bias))
            if isinstance(value, Tensor)
        }
        self.trained = nn.ParameterDict()
        """Those of `weight` and `bias` that the base has: float32 [channels] for all, or [modules, channels]."""
        self.module: int | None = None
        """Which module's scale and shift are used next; None: those of all."""

    def begin(self, modules: int | None) -> None:
        """Begins with the base's scale and shift, for each of so many modules, or for all of them together."""
        self.trained = nn.ParameterDict(
            {
                part: nn.Parameter(value.clone() if modules is None else value.expand(modules, -1).clone())
                for part, value in self._given.items()
            }
        )

    def forward(self, features: Tensor) -> Tensor:
        """float32 or bfloat16 [n, channels, ...], n 2 or more, to the same shape."""
        weight, bias = (self._of_module(part) for part in ("weight", "bias"))
        return functional.batch_norm(features, None, None, weight, bias, training=True, eps=self._eps)

    def _of_module(self, part: str) -> Tensor | None:
        if part not in self.trained:
            return None
        value: Tensor = self.trained[part]
        return value if value.dim() == 1 or self.module is None else value[self.module]


def replace_norms(network: nn.Module) -> dict[str, ModuleNorm]:
    """Puts a `ModuleNorm` in the place of every batch normalisation that keeps running statistics; by name."""
    found: dict[str, ModuleNorm] = {}
    for name, layer in list(network.named_modules()):
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None:
            found[name] = ModuleNorm(layer)
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, found[name])
    return found


def trained_of(norms: dict[str, ModuleNorm], module: int) -> dict[str, Tensor]:
    """One module's scales and shifts by parameter name."""
    return {
        f"{name}.{part}": value.detach() if value.dim() == 1 else value.detach()[module]
        for name, norm in norms.items()
        for part, value in norm.trained.items()
    }


def parameters_of(norms: dict[str, ModuleNorm]) -> Sequence[nn.Parameter]:
    """All that is trained, in the order of the network."""
    return [value for norm in norms.values() for value in norm.trained.values()]
