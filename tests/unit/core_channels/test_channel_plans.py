from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.channels import ChannelGroup, ChannelMasks, compact, kernel_weight_masks, plan_channels
from modelfoundry.core.masking import masked_forward, masked_state
from modelfoundry.errors import UnsupportedModel
from modelfoundry.values.architectures import InputSpec

SPEC = InputSpec(3, 8, 8)


class Net(nn.Module):
    """Two convolutions `a` and `b` of 6 channels, something between, and a linear layer."""

    def __init__(
        self, between: Callable[[Net, Tensor], Tensor], width: int = 6, inputs: int = 6, **layers: nn.Module
    ) -> None:
        super().__init__()
        self.between = between
        self.a = nn.Conv2d(3, inputs, 3, padding=1)
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.b = nn.Conv2d(width, 5, 3, padding=1)
        self.linear = nn.Linear(5, 4)

    def forward(self, images: Tensor) -> Tensor:
        features = functional.relu(self.b(self.between(self, self.a(images))))
        logits: Tensor = self.linear(features.mean(dim=(2, 3)))
        return logits


def _group(network: nn.Module, name: str) -> ChannelGroup:
    groups = {group.name: group for group in plan_channels(network, SPEC).groups}
    return groups[name]


def _sizes(group: ChannelGroup) -> tuple[set[str], set[str], set[str]]:
    return set(group.producers), set(group.carriers), set(group.consumers)


BETWEEN = {
    "batch norm": (Net(lambda net, x: net.norm(x).relu(), norm=nn.BatchNorm2d(6)), {"a"}, {"norm"}, {"b"}),
    "instance norm": (
        Net(lambda net, x: net.norm(x), norm=nn.InstanceNorm2d(6, affine=True, track_running_stats=True)),
        *({"a"}, {"norm"}, {"b"}),
    ),
    "prelu": (Net(lambda net, x: net.act(x), act=nn.PReLU(6)), {"a"}, {"act"}, {"b"}),
    "one slope": (Net(lambda net, x: net.act(x), act=nn.PReLU()), {"a"}, set(), {"b"}),
    "residual sum": (Net(lambda net, x: x + net.c(x), c=nn.Conv2d(6, 6, 1)), {"a", "c"}, set(), {"b", "c"}),
    "depthwise": (Net(lambda net, x: net.c(x), c=nn.Conv2d(6, 6, 3, groups=6)), {"a"}, {"c"}, {"b"}),
    "gate": (
        Net(lambda net, x: x * net.c(x.mean((2, 3), keepdim=True)).sigmoid(), c=nn.Conv2d(6, 6, 1)),
        *({"a", "c"}, set(), {"b", "c"}),
    ),
    "transposed": (Net(lambda net, x: net.c(x), c=nn.ConvTranspose2d(6, 6, 2)), {"a"}, set(), {"c"}),
}


@pytest.mark.parametrize(("network", "producers", "carriers", "consumers"), BETWEEN.values(), ids=BETWEEN)
def test_a_group_has_the_layers_that_write_pass_on_and_read_its_channels(
    network: nn.Module, producers: set[str], carriers: set[str], consumers: set[str]
) -> None:
    group = _group(network, "a")
    assert _sizes(group) == (producers, carriers, consumers)
    assert (group.units, group.is_kernel) == (6, True)
    assert all(units.tolist() == list(range(6)) for units in (*group.producers.values(), *group.consumers.values()))


def test_concatenated_channels_are_read_behind_each_other() -> None:
    network = Net(lambda net, x: torch.cat([net.c(x), x], 1), width=10, c=nn.Conv2d(6, 4, 1))
    assert _group(network, "c").consumers["b"].tolist() == [0, 1, 2, 3, *[-1] * 6]
    assert _group(network, "a").consumers["b"].tolist() == [*[-1] * 4, *range(6)]


def test_a_flattened_map_is_read_once_for_every_position() -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 36, 4))
    assert _group(network, "0").consumers["3"].tolist() == [unit for unit in range(5) for _ in range(36)]


def test_groups_of_a_convolution_go_as_a_whole_with_what_they_read() -> None:
    network = Net(lambda net, x: net.c(x), width=9, c=nn.Conv2d(6, 9, 3, groups=3))
    group = _group(network, "a")
    assert _sizes(group) == ({"a", "c"}, set(), {"b", "c"})
    assert group.units == 3
    assert group.producers["a"].tolist() == group.consumers["c"].tolist() == [0, 0, 1, 1, 2, 2]
    assert group.producers["c"].tolist() == group.consumers["b"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_a_bare_parameter_carries_channels() -> None:
    class Scaled(Net):
        def __init__(self) -> None:
            super().__init__(lambda net, x: x * net.get_parameter("scale"))
            self.scale = nn.Parameter(torch.ones(6, 1, 1))

    assert _sizes(_group(Scaled(), "a")) == ({"a"}, {"scale"}, {"b"})


def test_hidden_units_of_linear_layers_are_no_kernels() -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 8), nn.Flatten(), nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 4))
    plan = plan_channels(network, SPEC)
    assert [(group.name, group.units, group.is_kernel) for group in plan.groups] == [("0", 5, True), ("2", 7, False)]
    assert [group.name for group in plan.kernel_groups] == ["0"]
    assert [(layer.layer, layer.reason) for layer in plan.whole] == [
        ("4", "its channels reach the output of the network")
    ]


@pytest.mark.parametrize(
    "network",
    [
        Net(lambda net, x: net.norm(x), norm=nn.GroupNorm(2, 6)),
        Net(lambda _, x: x.softmax(1)),
        Net(lambda _, x: sum(x.chunk(2, 1)), width=3),
        Net(lambda _, x: functional.pad(x, (0, 0, 0, 0, 2, 2)), width=10),
        Net(lambda _, x: x.view(-1, 6, 8, 8)),
        Net(lambda _, x: x.unflatten(1, (2, 3)).transpose(1, 2).flatten(1, 2)),
    ],
    ids=["group norm", "softmax", "halves", "padding", "fixed view", "shuffle"],
)
def test_channels_that_an_operation_mixes_stay_and_the_others_go(network: nn.Module) -> None:
    plan = plan_channels(network, SPEC)
    assert [group.name for group in plan.groups] == ["b"]
    assert [layer.layer for layer in plan.whole] == ["a", "linear"]


def test_a_network_of_which_nothing_can_be_cut_is_refused_with_a_layer_and_the_reason() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(4 * 36, 5))
    with pytest.raises(UnsupportedModel, match=r"layer 0 cannot be cut: 1 \(GroupNorm\) computes") as caught:
        plan_channels(network, SPEC)
    assert caught.value.metadata == {"layer": "0"}


def test_a_network_that_leaves_the_graph_is_refused() -> None:
    class Detached(nn.Sequential):
        def forward(self, images: Tensor) -> Tensor:
            return torch.from_numpy(super().forward(images).detach().numpy())

    with pytest.raises(UnsupportedModel, match="cannot be followed") as caught:
        plan_channels(Detached(nn.Conv2d(3, 4, 8), nn.Flatten(), nn.Linear(4, 5)), SPEC)
    assert caught.value.metadata == {"layer": "0"}


def test_a_layer_that_fails_is_named() -> None:
    with pytest.raises(UnsupportedModel, match="layer 1 cannot be cut: it does not run in float64") as caught:
        plan_channels(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(5, 4, 3), nn.Flatten()), SPEC)
    assert caught.value.metadata == {"layer": "1"}


def test_planning_leaves_the_network_as_it_is() -> None:
    network = Net(lambda net, x: net.norm(x), norm=nn.BatchNorm2d(6)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    plan_channels(network, SPEC)
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("network", [network for network, *_ in BETWEEN.values()], ids=BETWEEN)
def test_dropped_units_are_cut_exactly(network: nn.Module) -> None:
    network = network.eval()
    plan = plan_channels(network, SPEC)
    masks = ChannelMasks({"a": torch.tensor([True, False, False, True, True, False])})
    images = torch.rand(4, *SPEC.shape)
    state = masked_state(network, kernel_weight_masks(network, plan, masks))
    with torch.no_grad():
        expected, actual = masked_forward(network, state, images), compact(network, plan, masks)(images)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)
