"""Running a network with masked weights, without touching it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _NormBase

from modelfoundry.core.masking.masks import WeightMasks
from modelfoundry.errors import FieldViolation, WeightsMismatch


def masked_state(network: nn.Module, masks: WeightMasks) -> dict[str, Tensor]:
    """The masked parameters of a network: new tensors, with 0 where the mask drops.

    Args:
        network: The base; untouched.
        masks: Over some of its parameters.

    Returns:
        Parameter name to tensor, for exactly the parameters that have a mask. Enough for `masked_forward`, and for
        `architectures.load_state` on a copy of the network.

    Raises:
        WeightsMismatch: a mask names a parameter that the network lacks, or has another shape.
    """
    parameters = dict(network.named_parameters())
    violations = tuple(
        FieldViolation(f"masks.{name}", "the network has no such parameter of that shape")
        for name, bits in masks.bits.items()
        if name not in parameters or parameters[name].shape != bits.shape
    )
    if violations:
        raise WeightsMismatch(
            f"masks: {len(violations)} do not fit the network, {violations[0].field.removeprefix('masks.')} for one",
            field="masks",
            hint="use the module with the base model that it was made from",
            violations=violations[:40],
        )
    return {
        name: torch.where(bits.to(parameters[name].device), parameters[name].detach(), 0.0)
        for name, bits in masks.bits.items()
    }


def masked_forward(network: nn.Module, state: Mapping[str, Tensor], images: Tensor) -> Tensor:
    """The network's logits with some parameters replaced; differentiable with respect to them.

    Args:
        network: The base; untouched.
        state: Parameter name to the tensor to use in its place, shared parameters under their first name.
        images: float32 [n, channels, height, width], normalised.

    Returns:
        float32 [n, labels of the network].
    """
    logits: Tensor = functional_call(network, dict(state), (images,))
    return logits


def mask_training_mode(network: nn.Module) -> None:
    """Puts a network into the mode of mask training: dropout is active, batch statistics are frozen.

    Batch normalisation stays in evaluation mode, so that its running statistics are used and never updated; without
    that results change.
    """
    network.train()
    for module in network.modules():
        if isinstance(module, _NormBase):
            module.eval()
