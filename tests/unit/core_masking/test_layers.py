"""Which layers of a network are masked."""

from __future__ import annotations

import pytest
from torch import nn

from modelfoundry.core.masking import maskable_layers
from modelfoundry.core.networks import build_network
from modelfoundry.errors import UnsupportedModel
from modelfoundry.values.architectures import Architecture, InputSpec


@pytest.mark.parametrize(
    ("name", "labels", "parameters", "entries"),
    [
        pytest.param("vgg16_bn", 10, {}, 15_245_130, id="vgg16-c10"),
        pytest.param("vgg16_bn", 100, {}, 15_291_300, id="vgg16-c100"),
        pytest.param("resnet20", 10, {"shortcut": "B"}, 270_906, id="resnet20-c10"),
        pytest.param("resnet20", 100, {"shortcut": "B"}, 276_756, id="resnet20-c100"),
        pytest.param("simcnn", 10, {}, 33_638_218, id="simcnn"),
        pytest.param("rescnn", 10, {}, 16_010_122, id="rescnn"),
        pytest.param("incecnn", 10, {}, 12_631_498, id="incecnn"),
    ],
)
def test_the_number_of_mask_entries_is_the_published_one(
    name: str, labels: int, parameters: dict[str, str], entries: int
) -> None:
    network = build_network(Architecture(f"zoo:{name}", parameters), labels, InputSpec(3, 32, 32), device="meta")
    assert masked_entries(network) == entries


def test_resnet50_of_torchvision_has_the_published_number_of_mask_entries() -> None:
    network = build_network(Architecture("torchvision:resnet50"), 1000, InputSpec(3, 224, 224), device="meta")
    assert masked_entries(network) == 25_503_912


def test_layers_come_in_the_networks_order_with_their_parameters() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ConvTranspose1d(8, 4, 2),
        nn.Conv3d(4, 4, 1, groups=4),
        nn.LayerNorm(4),
        nn.Embedding(5, 4),
        nn.Linear(4, 2),
    )
    found = [
        (layer.name, layer.layer_type, layer.parameter_names, layer.weight_shape) for layer in maskable_layers(network)
    ]
    assert found == [
        ("0", "Conv2d", ("0.weight",), (8, 3, 3, 3)),
        ("2", "ConvTranspose1d", ("2.weight", "2.bias"), (8, 4, 2)),
        ("3", "Conv3d", ("3.weight", "3.bias"), (4, 1, 1, 1, 1)),
        ("6", "Linear", ("6.weight", "6.bias"), (2, 4)),
    ]


def test_a_network_that_is_one_layer_can_be_masked() -> None:
    (layer,) = maskable_layers(nn.Linear(3, 2))
    assert layer.parameter_names == ("weight", "bias")


def test_attention_is_masked_like_any_linear_map() -> None:
    names = [name for layer in maskable_layers(nn.MultiheadAttention(8, 2)) for name in layer.parameter_names]
    assert names == ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]


def test_attention_with_separate_projections_masks_their_common_bias_once() -> None:
    attention = nn.MultiheadAttention(8, 2, kdim=4, vdim=6)
    layers = maskable_layers(attention)
    assert [(layer.name, layer.has_bias) for layer in layers] == [
        ("q_proj", True),
        ("k_proj", False),
        ("v_proj", False),
        ("out_proj", True),
    ]


def test_shared_parameters_are_masked_once_under_their_first_name() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    network[1].weight = network[0].weight
    names = [name for layer in maskable_layers(network) for name in layer.parameter_names]
    assert names == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_computed_weights_are_left_alone() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.utils.parametrizations.weight_norm(nn.Linear(4, 2)))
    assert [layer.name for layer in maskable_layers(network)] == ["0"]


def test_a_network_without_such_layers_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="nothing to mask"):
        maskable_layers(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3)))


def masked_entries(network: nn.Module) -> int:
    parameters = dict(network.named_parameters())
    names = [name for layer in maskable_layers(network) for name in layer.parameter_names]
    assert len(set(names)) == len(names)
    return sum(parameters[name].numel() for name in names)


def test_every_convolution_and_linear_layer_of_a_transformer_is_found() -> None:
    network = build_network(Architecture("torchvision:vit_b_16"), 10, InputSpec(3, 224, 224), device="meta")
    left = {name for name, _ in network.named_parameters()} - {
        name for layer in maskable_layers(network) for name in layer.parameter_names
    }
    assert all(name in {"class_token", "encoder.pos_embedding"} or ".ln" in f".{name}" for name in left)
