"""A module as a network that runs (SeaM, Qi et al., ICSE 2023): its base, cut, rewritten and masked, and its head."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from modelfoundry.core.channels import LayerCut, Operation
from modelfoundry.core.modules.artifact import ModuleArtifact
from modelfoundry.core.modules.fitting import check_masks, cut_as_planned, operated_as_planned, rewritten_in
from modelfoundry.core.modules.head_networks import HeadNetwork, LogOdds, label_count, network_of_head
from modelfoundry.errors import MalformedFile


class MaterialisedModule(nn.Module):
    """The base network with the module's weights, and the head behind it.

    With a linear head that is `Linear(ReLU(base(images)))`; deeper ones go on as `Linear(ReLU(...))`. Log-odds are
    those of the network's own logits.

    Attributes:
        network: The base network, cut, rewritten and masked; its own classifier is kept.
        head: From the base's labels to the outputs (`head_networks`).
        outputs: Meaning of the outputs, in order.
        cuts: Channels that the base network has lost.
        operations: What stands in place of some of its layers.
    """

    def __init__(
        self,
        network: nn.Module,
        head: HeadNetwork,
        outputs: tuple[str, ...],
        cuts: tuple[LayerCut, ...] = (),
        operations: tuple[Operation, ...] = (),
    ) -> None:
        super().__init__()
        self.network = network
        self.head = head
        self.outputs = outputs
        self.cuts = cuts
        self.operations = operations
        self._labels = label_count(head)

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
        logits: Tensor = self.head(labels if isinstance(self.head, LogOdds) else torch.relu(labels))
        return logits


def materialise(network: nn.Module, artifact: ModuleArtifact) -> MaterialisedModule:
    """Like `materialise_in_place` on a copy of the base network: the one given stays as it is.

    Args:
        network: The base model's network, on any device; the module is made on the same.
        artifact: What the module changes of it.

    Raises:
        WeightsMismatch: see `materialise_in_place`.
    """
    return materialise_in_place(copy.deepcopy(network), artifact)


def materialise_in_place(network: nn.Module, artifact: ModuleArtifact) -> MaterialisedModule:
    """Makes the module of the base network itself: no weight is there twice.

    Layers are replaced first, then channels cut, then tensors rewritten, then masks applied: what is rewritten is
    masked like the base's own.

    Args:
        network: The base model's network, on any device; it becomes part of the module (where channels are cut, a
            smaller copy of it does, and where layers are replaced a copy).
        artifact: What the module changes of it.

    Returns:
        The module, in evaluation mode, without gradients.

    Raises:
        WeightsMismatch: the network lacks a layer that is cut, or a parameter that is rewritten or masked, or has it
            in another shape; each is a violation; nothing was changed.
    """
    network = cut_as_planned(operated_as_planned(network, artifact.operations), artifact.cuts)
    rewritten = rewritten_in(network, artifact.rewritten)
    check_masks(network, artifact.masks)
    with torch.no_grad():
        for tensor, values in rewritten:
            tensor.copy_(values)
        for name, bits in artifact.masks.bits.items():
            parameter = network.get_parameter(name)
            parameter.masked_fill_(~bits.to(parameter.device), 0)
    head = network_of_head(artifact.head).to(next(network.parameters()).device)
    module = MaterialisedModule(network, head, artifact.problem.outputs, artifact.cuts, artifact.operations)
    return module.eval().requires_grad_(False)
