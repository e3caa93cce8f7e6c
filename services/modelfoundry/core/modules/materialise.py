"""A module as a network that runs: masked weights of its base model, and its head (SeaM, Qi et al., ICSE 2023)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules.artifact import ModuleArtifact
from modelfoundry.errors import FieldViolation, MalformedFile, WeightsMismatch


class MaterialisedModule(nn.Module):
    """`Linear(ReLU(base(images)))` with the masked weights of the base.

    Attributes:
        network: The base network with masked weights; its own classifier is kept.
        head: Linear layer from the base's labels to the outputs.
        outputs: Meaning of the outputs, in order.
    """

    def __init__(self, network: nn.Module, head: nn.Linear, outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.head = head
        self.outputs = outputs

    def forward(self, images: Tensor) -> Tensor:
        """Logits, float32 [n, outputs], of normalised images, float32 [n, channels, height, width].

        Raises:
            MalformedFile: the head is for another number of labels than the base model has.
        """
        labels = self.network(images)
        if labels.shape[-1] != self.head.in_features:
            raise MalformedFile(
                f"the head takes {self.head.in_features} labels, the base model has {labels.shape[-1]}",
                hint="the file belongs to another model or is damaged; download it again",
            )
        logits: Tensor = self.head(torch.relu(labels))
        return logits


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
    outputs, labels = artifact.head.weight.shape
    head = nn.Linear(labels, outputs, device="meta")  # draws no random numbers
    head.load_state_dict({"weight": artifact.head.weight.clone(), "bias": artifact.head.bias.clone()}, assign=True)
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
