from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.heads import LinearHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.metrics import cost, interleaved_latency, latency, retention
from modelfoundry.core.modules import ModuleArtifact, materialise
from modelfoundry.core.networks import build_network
from modelfoundry.errors import Cancelled
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.figures import LayerRetention
from modelfoundry.values.problems import BinaryProblem


def _bits(shape: tuple[int, ...], *kept: int) -> Tensor:
    bits = torch.zeros(shape, dtype=torch.bool)
    bits.view(-1)[list(kept)] = True
    return bits


def test_retention_counts_weights_and_biases_kernels_and_zeros() -> None:
    network = nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), nn.Flatten(), nn.Linear(3, 2))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0)
        network[0].weight[1] = 0.0
    masks = WeightMasks(
        {
            "0.weight": _bits((3, 2, 1, 1), 0, 2, 3),  # one weight of kernel 0, both of kernel 1 (0 in the base)
            "0.bias": _bits((3,), 2),  # a bias keeps no kernel
            "3.weight": _bits((2, 3), 0, 1, 2, 3, 4, 5),
            "3.bias": _bits((2,)),
        }
    )
    found = retention(network, masks)
    assert (found.kept_weights, found.total_weights, found.nonzero_weights) == (10, 17, 8)
    assert found.weight_retention == pytest.approx(10 / 17)
    assert (found.kept_kernels, found.total_kernels) == (2, 3)
    assert found.kernel_retention == pytest.approx(2 / 3)
    assert found.layers == (LayerRetention("0", 4 / 9, 4, 9), LayerRetention("3", 6 / 8, 6, 8))


def test_the_kernels_of_a_transposed_grouped_convolution_are_its_outputs() -> None:
    layer = nn.ConvTranspose2d(4, 6, 1, groups=2, bias=False)  # weight [4, 3, 1, 1]
    kept = torch.zeros(4, 3, dtype=torch.bool)
    kept[0, 0] = kept[1, 0] = kept[3, 0] = kept[3, 2] = (
        True  # output 0 of the first group, outputs 0 and 2 of the second
    )
    masks = WeightMasks({"weight": kept.view(4, 3, 1, 1)})
    found = retention(layer, masks)
    assert (found.kept_kernels, found.total_kernels) == (3, 6)
    dead = torch.where(kept.view(4, 3, 1, 1), layer.weight, 0.0)
    outputs = functional.conv_transpose2d(torch.ones(1, 4, 1, 1), dead, groups=2)
    assert int((outputs != 0).sum()) == 3


def test_a_network_without_convolutions_has_no_kernels() -> None:
    found = retention(nn.Linear(2, 2), WeightMasks({"weight": _bits((2, 2), 0)}))
    assert (found.kernel_retention, found.total_kernels) == (0.0, 0)


CIFAR = InputSpec(3, 32, 32)


@pytest.mark.parametrize(
    ("builder", "macs"),
    [
        ("zoo:vgg16_bn", 313_725_952),  # 313.20M + 0.53M
        # 40.81M + 640 with a 1x1 convolution in its two widening shortcuts; option A has none there.
        ("zoo:resnet20", 40_813_184 - 2 * 131_072),
        ("zoo:simcnn", 332_111_872),  # 313.20M + 18.92M
        ("zoo:rescnn", 431_166_464),  # 431.16M + 5.1k
        ("zoo:incecnn", 1_016_605_312),  # 1016.59M + 10.9k
    ],
)
def test_dense_macs_are_those_published(builder: str, macs: int) -> None:
    network = build_network(Architecture(builder), 10, CIFAR)
    assert cost(network, CIFAR).macs_dense == macs


def _direct_macs(weight: Tensor, positions: int) -> tuple[int, int]:
    return weight.numel() * positions, int((weight != 0).sum()) * positions


def test_strides_groups_and_paddings_are_counted_at_the_output() -> None:
    layer = nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2)
    with torch.no_grad():
        layer.weight[0] = 0.0
    found = cost(layer, InputSpec(4, 7, 9))
    assert (found.macs_dense, found.macs_sparse) == _direct_macs(layer.weight, 4 * 5)
    assert found.macs_dense == 6 * 2 * 6 * 4 * 5


def test_a_transposed_convolution_is_counted_at_its_input() -> None:
    layer = nn.ConvTranspose2d(3, 5, 4, stride=3)
    assert cost(layer, InputSpec(3, 6, 2)).macs_dense == 3 * 5 * 16 * 12


class _Tokens(nn.Module):
    """Rows of an image as tokens, a linear layer used twice, attention, and a weight without a layer call."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(8, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.free = nn.Linear(8, 4)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.shared(self.shared(images[:, 0]))
        mixed, _ = self.attention(tokens, tokens, value=tokens, need_weights=False)
        return functional.linear(mixed.mean(dim=1), weight=self.free.weight)


def test_linear_layers_count_once_for_every_token_and_every_use() -> None:
    network = _Tokens()
    with torch.no_grad():
        network.attention.in_proj_weight[8:16] = 0.0
    before = [network.training, network.attention.training]
    found = cost(network, InputSpec(1, 5, 8))
    assert found.macs_dense == 2 * 64 * 5 + 4 * 64 * 5 + 32
    assert found.macs_dense - found.macs_sparse == 64 * 5
    assert [network.training, network.attention.training] == before


def test_attention_counts_the_same_whether_its_projections_are_one_weight_or_three() -> None:
    class Cross(nn.Module):
        def __init__(self, kdim: int) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, kdim=kdim, vdim=kdim, batch_first=True)
            self.kdim = kdim

        def forward(self, images: Tensor) -> Tensor:
            keys = images[:, 0, :3, : self.kdim]
            return self.attention(images[:, 0], keys, keys)[0].mean(dim=1)

    spec = InputSpec(1, 5, 8)
    assert cost(Cross(8), spec).macs_dense == 64 * 5 + 2 * 64 * 3 + 64 * 5
    assert cost(Cross(6), spec).macs_dense == 64 * 5 + 2 * 48 * 3 + 64 * 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("builder", "macs"),
    [  # Linear and convolution part of torch's own operator counter, where its layers are not fused away.
        ("torchvision:swin_t", 4_349_664_768),
        ("timm:beit_base_patch16_224", 16_847_740_416),
        ("torchvision:vit_b_16", 16_847_740_416),
    ],
)
def test_transformers_count_all_their_linear_maps(builder: str, macs: int) -> None:
    spec = InputSpec(3, 224, 224)
    assert cost(build_network(Architecture(builder), 10, spec), spec).macs_dense == macs


def test_a_module_costs_its_kept_weights_and_its_head_in_both_counts() -> None:
    spec = InputSpec(1, 8, 8)
    network = build_network(Architecture("zoo:digits_cnn"), 10, spec)
    names = [name for name, _ in network.named_parameters() if name.endswith("weight") and "bn" not in name]
    masks = WeightMasks(
        {name: network.get_parameter(name) > 0.01 for name in names if network.get_parameter(name).dim() > 1}
    )
    head = LinearHead.of(torch.ones(2, 10), torch.ones(2))
    module = materialise(network, ModuleArtifact("sha256:" + "0" * 64, BinaryProblem("1"), masks, head, "seam"))
    whole, part = cost(network, spec), cost(module, spec)
    assert part.macs_dense == whole.macs_dense + 20
    assert 20 < part.macs_sparse < whole.macs_dense * 0.6
    assert part.parameter_bytes == whole.parameter_bytes + 22 * 4


def test_shared_parameters_take_their_bytes_once() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    network[2].weight = network[1].weight
    assert cost(network, InputSpec(1, 2, 2)).parameter_bytes == 64


class _Patient:
    """A monitor that cancels after some checks."""

    def __init__(self, checks: int) -> None:
        self.checks = checks

    def progress(self, *_: object) -> None:
        pass

    def check_cancelled(self) -> None:
        self.checks -= 1
        if self.checks < 0:
            raise Cancelled("enough")

    def checkpoint(self, _: object) -> None:
        pass


def test_latency_states_every_batch_size_with_its_passes() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    found = latency(network, InputSpec(1, 2, 2), (1, 8), device=torch.device("cpu"))
    assert [entry.batch_size for entry in found] == [1, 8]
    assert all(entry.passes >= 5 and 0 < entry.median_ms <= entry.p95_ms for entry in found)


def test_networks_are_timed_in_turns() -> None:
    turns: list[str] = []

    class Traced(nn.Identity):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            turns.append(self.name)
            return images

    networks = [Traced("a"), Traced("b"), Traced("c")]
    found = interleaved_latency(networks, InputSpec(1, 2, 2), (1, 8), device=torch.device("cpu"))
    assert [[time.batch_size for time in times] for times in found] == [[1, 8]] * 3
    assert turns == ["a", "b", "c"] * (len(turns) // 3)
    assert len(turns) == sum(time.passes + 3 for times in found for time in times)


def test_latency_can_be_cancelled_between_passes() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    with pytest.raises(Cancelled):
        latency(network, InputSpec(1, 2, 2), (1,), device=torch.device("cpu"), monitor=_Patient(4))
