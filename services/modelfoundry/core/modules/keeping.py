"""What a module keeps of its base model, counted in the base's own shapes, so that all modules of it compare."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modelfoundry.core.masking import WeightMasks, maskable_layers
from modelfoundry.core.modules.artifact import ModuleArtifact
from modelfoundry.core.modules.fitting import check_masks, cut_as_planned, operated_as_planned, rewritten_in


@dataclass(frozen=True, eq=False, slots=True)
class KeptOfBase:
    """Which entries of its base's convolutions and linear layers a module still has.

    None of a block that is left out. A convolution in the place of a layer without weights is nothing of the base's.
    """

    masks: WeightMasks
    """Of all of them, in the order of the network: False where a mask drops an entry or its channel was cut. What is
    rewritten is kept: it is the module's, and takes its place."""
    rewritten: Mapping[str, Tensor]
    """By name the values of those that are rewritten, 0 where the channel was cut."""


def kept_of_base(network: nn.Module, artifact: ModuleArtifact) -> KeptOfBase:
    """Finds what a module keeps.

    Args:
        network: The base model's network; untouched.
        artifact: The module.

    Raises:
        UnsupportedModel: the network has no layer that can be masked.
        WeightsMismatch: the network does not have what the module changes.
    """
    places = _places(network, artifact)
    names = [name for layer in maskable_layers(network) for name in layer.parameter_names]
    own = dict(network.named_parameters())
    names = list(dict.fromkeys([*names, *(name for name in artifact.masks.bits if name in own)]))
    shapes = {name: own[name].shape for name in names}
    gone = tuple(f"{operation.layer}." for operation in artifact.operations)
    bits, rewritten = {}, {}
    for name in names:
        if gone and name.startswith(gone):
            bits[name] = torch.zeros(shapes[name], dtype=torch.bool)
            continue
        here = places.get(name)
        mask, values = artifact.masks.bits.get(name), artifact.rewritten.tensors.get(name)
        if mask is None:
            mask = torch.ones(shapes[name] if here is None else here.shape, dtype=torch.bool)
        bits[name] = _spread(mask, here, shapes[name])
        if values is not None:
            rewritten[name] = _spread(values, here, shapes[name])
    return KeptOfBase(WeightMasks(bits), rewritten)


def _places(network: nn.Module, artifact: ModuleArtifact) -> dict[str, Tensor]:
    """Of every parameter of the cut network, where its entries lay in the base's; nothing where nothing is cut.

    The base is cut with the places of its entries for weights. float64 holds them exactly.
    """
    numbered = operated_as_planned(_numbered(network) if artifact.cuts else network, artifact.operations)
    smaller = cut_as_planned(numbered, artifact.cuts)
    rewritten_in(smaller, artifact.rewritten)
    check_masks(smaller, artifact.masks)
    return {name: parameter.long() for name, parameter in smaller.named_parameters()} if artifact.cuts else {}


def _numbered(network: nn.Module) -> nn.Module:
    numbered = copy.deepcopy(network).cpu().requires_grad_(False)
    for parameter in numbered.parameters():
        parameter.data = torch.arange(parameter.numel(), dtype=torch.float64).view(parameter.shape)
    return numbered


def _spread(values: Tensor, places: Tensor | None, shape: torch.Size) -> Tensor:
    if places is None:
        return values
    whole = torch.zeros(shape.numel(), dtype=values.dtype)
    whole[places.flatten()] = values.flatten()
    return whole.view(shape)
