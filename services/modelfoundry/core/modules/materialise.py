"""A module as a network that runs: masked weights of its base model, and its head (SeaM, Qi et al., ICSE 2023)."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules.artifact import ModuleArtifact
from modelfoundry.errors import FieldViolation, MalformedFile, WeightsMismatch


class MaterialisedModule(nn.Module):
    """`Linear(ReLU(base(images)))` with the masked weights of the base; deeper heads go on as `Linear(ReLU(...))`.

    Attributes:
        network: The base network with masked weights; its own classifier is kept.
        head: Linear layer from the base's labels to the outputs, or several with ReLUs between them (`head_network`).
        outputs: Meaning of the outputs, in order.
    """

    def __init__(self, network: nn.Module, head: nn.Linear | nn.Sequential, outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.head = head
        self.outputs = outputs
        self._labels = next(layer.in_features for layer in head.modules() if isinstance(layer, nn.Linear))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, float32 [n, outputs], of normalised images, float32 [n, channels, height, width].

        Raises:
            MalformedFile: the head is for another number of labels than the base model has.
        """
        labels = self.network(images)
        if labels.shape[-1] != self._labels:
            raise MalformedFile(
                f"the head takes {self._labels} labels, the base model has {labels.shape[-1]}",
                hint="the file belongs to another model or is damaged; download it again",
            )
        logits: Tensor = self.head(torch.relu(labels))
        return logits


def head_network(labels: int, widths: Sequence[int], device: str | torch.device | None) -> nn.Linear | nn.Sequential:
    """The layers of a head behind the first ReLU, with weights yet to be loaded.

    Args:
        labels: Number of labels of the base model.
        widths: Number of outputs of every layer, one or more.
        device: Where they are made; `meta` draws no random numbers. None: torch's default.

    Returns:
        One linear layer, or several named `0`, `1`, ... with ReLUs between them.
    """
    layers = [nn.Linear(inputs, outputs, device=device) for inputs, outputs in pairwise((labels, *widths))]
    if len(layers) == 1:
        return layers[0]
    named: OrderedDict[str, nn.Module] = OrderedDict()
    for place, layer in enumerate(layers):
        if place:
            named[f"relu{place}"] = nn.ReLU()
        named[str(place)] = layer
    return nn.Sequential(named)


def materialise(network: nn.Module, artifact: ModuleArtifact) -> MaterialisedModule:
    """Like `materialise_in_place` on a copy of the base network: the one given stays as it is.

    Args:
        network: The base model's network, on any device; the module is made on the same.
        artifact: Masks and head.

    Raises:
        WeightsMismatch: the network lacks a masked parameter, or has it in another shape; each is a violation.
    """
    return materialise_in_place(copy.deepcopy(network), artifact)


def materialise_in_place(network: nn.Module, artifact: ModuleArtifact) -> MaterialisedModule:
    """Applies the masks to the base network itself and attaches the head: no weight is there twice.

    Args:
        network: The base model's network, on any device; it becomes part of the module.
        artifact: Masks and head.

    Returns:
        The module, in evaluation mode, without gradients.

    Raises:
        WeightsMismatch: the network lacks a masked parameter, or has it in another shape; each is a violation;
            nothing was masked.
    """
    _check_layout(network, artifact.masks)
    with torch.no_grad():
        for name, bits in artifact.masks.bits.items():
            parameter = network.get_parameter(name)
            parameter.masked_fill_(~bits.to(parameter.device), 0)
    head = head_network(artifact.head.labels, artifact.head.widths, "meta")
    linear = [layer for layer in head.modules() if isinstance(layer, nn.Linear)]
    for layer, stored in zip(linear, artifact.head.layers, strict=True):
        layer.load_state_dict({"weight": stored.weight.clone(), "bias": stored.bias.clone()}, assign=True)
    device = next(network.parameters()).device
    return MaterialisedModule(network, head.to(device), artifact.problem.outputs).eval().requires_grad_(False)


def _check_layout(network: nn.Module, masks: WeightMasks) -> None:
    shapes = {name: tuple(parameter.shape) for name, parameter in network.named_parameters(remove_duplicate=False)}
    violations = tuple(
        FieldViolation(name, f"masked as {shape}, in the base model {shapes.get(name, 'missing')}")
        for name, shape in masks.layout
        if shapes.get(name) != shape
    )
    if violations:
        raise WeightsMismatch(
            f"{len(violations)} of {len(masks.bits)} masks do not fit the base model, first {violations[0].field}: "
            f"{violations[0].description}",
            hint="use the base model whose digest the module names",
            violations=violations,
        )
