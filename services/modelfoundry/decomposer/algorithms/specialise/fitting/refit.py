"""Least squares behind a cut, layer by layer in the order of the network (after He et al., ICCV 2017).

A layer that lost inputs gets the weights with which it answers as nearly as it can as the network before the cut did,
from what the layers before it give now. The last layer of a residual block makes up for its shortcut, too: it is fitted
to the stream behind the block, and behind the blocks after it that were left out, less what the shortcut gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from modelfoundry.core.channels import LayerCut
from modelfoundry.core.monitor import Monitor
from modelfoundry.decomposer.algorithms.specialise.fitting.flow import Flow, flow_of, watched
from modelfoundry.decomposer.algorithms.specialise.fitting.layers import (
    Fitted,
    places_of,
    ridge_weights,
    rows_read,
    rows_written,
    write_weights,
)

PLACES: Final = 48
"""Of every image and layer: more are much alike."""
_FOLLOWED: Final = 8
"""Images that say how the cut network runs: what it answers is fitted, and looked at only then."""


@torch.no_grad()
def refit(
    network: nn.Module, reference: nn.Module, cuts: tuple[LayerCut, ...], images: Tensor, monitor: Monitor
) -> None:
    """Fits all layers of a cut network, in place.

    Args:
        network: Without channels, and perhaps without blocks, of the reference; in evaluation mode.
        reference: What it was cut out of, in evaluation mode.
        cuts: Which channels were taken from the reference.
        images: Normalised, float32 [n, channels, height, width], on the CPU.
        monitor: Asked between layers whether to go on.

    Raises:
        Cancelled: the monitor says so.
    """
    before, now = flow_of(reference, images), flow_of(network, images[:_FOLLOWED])
    outputs = {cut.layer: torch.tensor(cut.outputs.kept) for cut in cuts if cut.outputs is not None}
    wanted = {**{name: before.answers[name] for name in now.layers}, **_streams(before, now)}
    for name, kept in outputs.items():
        if name in wanted:
            wanted[name] = wanted[name].index_select(_channel_axis(wanted[name]), kept)
    fitting = _Fitting(network, now, wanted, monitor)
    with watched(network, fitting.enter):
        network(images)


class _Fitting:
    """Fits every layer at the moment at which it is about to run, so that one pass is enough for all of them."""

    def __init__(self, network: nn.Module, flow: Flow, wanted: dict[str, Tensor], monitor: Monitor) -> None:
        self._network, self._flow, self._wanted, self._monitor = network, flow, wanted, monitor
        self._ends = {block.end: block for block in flow.blocks}
        self._blocks = {block.name for block in flow.blocks}
        self._generator = torch.Generator().manual_seed(0)
        self._passed: dict[str, Tensor] = {}
        """What went into the blocks that are running."""

    def enter(self, name: str, _: nn.Module, given: Tensor) -> None:
        """A layer or block is about to run.

        Raises:
            Cancelled: the monitor says so.
        """
        if name in self._blocks:
            self._passed[name] = given.clone()
        if name in self._wanted:
            self._monitor.check_cancelled()
            wanted = self._wanted.pop(name)
            self._fit(name, given, wanted - self._beside(name, wanted))

    def _beside(self, name: str, wanted: Tensor) -> Tensor:
        """What the shortcut adds to the last layer of its block; running it fits its layers, too."""
        block = self._ends.get(name)
        if block is None:
            return torch.zeros_like(wanted[:1])
        passed = self._passed.pop(block.name)
        added: Any = self._network.get_submodule(block.shortcut)(passed) if block.shortcut else passed
        return cast("Tensor", added)

    def _fit(self, name: str, given: Tensor, wanted: Tensor) -> None:
        layer = cast("Fitted", self._network.get_submodule(name))
        norms = self._flow.norms
        norm = cast("_BatchNorm", self._network.get_submodule(norms[name])) if name in norms else None
        places = places_of(wanted.shape, PLACES, self._generator)
        rows = rows_read(layer, given, wanted.shape[-1], places)
        inherited = layer.weight.reshape(len(layer.weight), -1)
        if norm is not None and norm.running_var is not None:
            inherited = inherited * (norm.weight / (norm.running_var + norm.eps).sqrt())[:, None]
        bias = norm is not None or layer.bias is not None
        write_weights(layer, norm, ridge_weights(rows, rows_written(wanted, places), inherited, bias=bias), rows)


def _streams(before: Flow, now: Flow) -> Mapping[str, Tensor]:
    """Last layers of blocks, and layers before blocks that were left out, to the sum that stands behind."""
    there = {block.name for block in now.blocks}
    wanted = {block.end: before.sums[block.name] for block in now.blocks if block.name in before.sums}
    beside = tuple(f"{block.shortcut}." for block in before.blocks if block.shortcut)
    left = set(now.layers)
    for block in before.blocks:
        if block.name not in there and block.end not in left:
            earlier = [
                name
                for name in before.layers[: before.begins[block.name]]
                if name in left and not f"{name}.".startswith(beside)
            ]
            if earlier and before.answers[earlier[-1]].shape == before.sums[block.name].shape:
                wanted[earlier[-1]] = before.sums[block.name]
    return wanted


def _channel_axis(outputs: Tensor) -> int:
    return 1 if outputs.dim() == 4 else outputs.dim() - 1
