"""Heads as networks that run, in any program that has torch: they are traced and exported with the module."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.heads import Head, LogOddsHead, check_columns


class LogOdds(nn.Module):
    """Log-odds of labels against the rest, scaled and shifted; `LogOddsHead` says how.

    Attributes:
        labels: Number of labels of the base model.
        columns: Number of every label of the problem among them.
        rest: Whether a last output, always 0, stands for the rest.
        scale: float32 [columns].
        bias: float32 [columns].

    Raises:
        ValueError: the columns are not different labels, or all are named.
    """

    own: Tensor
    others: Tensor

    def __init__(self, labels: int, columns: Sequence[int], *, rest: bool) -> None:
        super().__init__()
        check_columns(labels, columns)
        self.labels = labels
        self.columns = tuple(columns)
        self.rest = rest
        self.scale = nn.Parameter(torch.ones(len(self.columns)))
        self.bias = nn.Parameter(torch.zeros(len(self.columns)))
        others = sorted(set(range(labels)) - set(self.columns))
        self.register_buffer("own", torch.tensor(self.columns), persistent=False)
        self.register_buffer("others", torch.tensor(others), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """Outputs, float32 [n, columns] or [n, columns + 1], of the base network's logits, float32 [n, labels]."""
        # Not by brackets: exports make three transpositions and a gathering by places of each of these.
        against = torch.logsumexp(logits.index_select(1, self.others), dim=1, keepdim=True)
        log_odds = (logits.index_select(1, self.own) - against) * self.scale + self.bias
        return functional.pad(log_odds, (0, 1)) if self.rest else log_odds


HeadNetwork = nn.Linear | nn.Sequential | LogOdds


def head_network(labels: int, widths: Sequence[int], device: str | torch.device | None) -> nn.Linear | nn.Sequential:
    """The layers of a linear head behind the first ReLU, with weights yet to be loaded.

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


def network_of_head(head: Head) -> HeadNetwork:
    """A stored head as a network, with copies of its numbers, on the CPU."""
    if isinstance(head, LogOddsHead):
        log_odds = LogOdds(head.labels, head.columns, rest=head.rest)
        log_odds.load_state_dict(head.tensors)
        return log_odds
    network = head_network(head.labels, head.widths, "meta")
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    for layer, stored in zip(linear, head.layers, strict=True):
        layer.load_state_dict({"weight": stored.weight.clone(), "bias": stored.bias.clone()}, assign=True)
    return network


def label_count(head: HeadNetwork) -> int:
    """Number of labels of the base model that a head takes."""
    if isinstance(head, LogOdds):
        return head.labels
    return next(layer.in_features for layer in head.modules() if isinstance(layer, nn.Linear))
