"""The zoo: sizes as published, and public weights that fit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from modelfoundry.core.datasets import normalise
from modelfoundry.core.networks import build_network, load_network
from modelfoundry.values.architectures import Architecture, InputSpec

CIFAR = InputSpec(3, 32, 32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
ALL = ("digits_cnn", "incecnn", "rescnn", "resnet20", "resnet56", "simcnn", "vgg16_bn")


def on_meta(name: str, labels: int = 10, **parameters: str) -> nn.Module:
    return build_network(Architecture(f"zoo:{name}", parameters), labels, CIFAR, device="meta").eval()


@pytest.mark.parametrize(
    ("name", "parameters", "kernels"),
    [
        pytest.param("simcnn", 33_646_666, 4_224, id="simcnn"),
        pytest.param("rescnn", 16_018_698, 4_288, id="rescnn"),
        pytest.param("incecnn", 12_637_898, 3_200, id="incecnn"),
        pytest.param("resnet20", 269_722, 688, id="resnet20"),
    ],
)
def test_networks_have_the_published_size(name: str, parameters: int, kernels: int) -> None:
    network = on_meta(name)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert sum(layer.out_channels for layer in convolutions) == kernels


@pytest.mark.parametrize(
    ("name", "parameters", "convolution_macs", "linear_macs"),
    [
        pytest.param("vgg16_bn", {}, 313.20e6, 0.53e6, id="vgg16_bn"),
        pytest.param("resnet20", {"shortcut": "B"}, 40.81e6, 640, id="resnet20"),
        pytest.param("simcnn", {}, 313.20e6, 18.92e6, id="simcnn"),
        pytest.param("rescnn", {}, 431.16e6, 5.1e3, id="rescnn"),
        pytest.param("incecnn", {}, 1016.59e6, 10.9e3, id="incecnn"),
    ],
)
def test_networks_cost_the_published_multiplications(
    name: str, parameters: dict[str, str], convolution_macs: float, linear_macs: float
) -> None:
    network = on_meta(name, **parameters)
    macs = {nn.Conv2d: 0, nn.Linear: 0}

    def count(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        macs[type(layer)] += layer.weight.numel() * output[0, 0].numel()

    for layer in network.modules():
        if type(layer) in macs:
            layer.register_forward_hook(count)
    network(torch.empty(1, 3, 32, 32, device="meta"))
    assert macs[nn.Conv2d] == pytest.approx(convolution_macs, rel=2e-4)
    assert macs[nn.Linear] == pytest.approx(linear_macs, rel=5e-3)


@pytest.mark.parametrize("name", ALL)
def test_networks_take_any_number_of_channels_and_labels(name: str) -> None:
    network = build_network(Architecture(f"zoo:{name}"), 7, InputSpec(2, 32, 32), device="meta").eval()
    assert network(torch.empty(3, 2, 32, 32, device="meta")).shape == (3, 7)


def test_padded_shortcuts_put_old_channels_between_zeros() -> None:
    network = build_network(Architecture("zoo:resnet20"), 10, CIFAR)
    shortcut = network.get_submodule("layer2.0.shortcut")
    images = torch.arange(1, 16 * 16 + 1, dtype=torch.float32).reshape(1, 16, 4, 4)
    padded = shortcut(images)
    assert padded.shape == (1, 32, 2, 2)
    assert torch.equal(padded[:, 8:24], images[:, :, ::2, ::2])
    assert padded[:, :8].count_nonzero() == padded[:, 24:].count_nonzero() == 0


def test_public_cifar_weights_fit_and_classify(tmp_path: Path) -> None:
    data = Path(os.environ.get("MODELFOUNDRY_DATA", Path(__file__).parents[4] / "shared" / "data"))
    if not data.is_dir():
        pytest.skip(f"NOT TESTED: public ResNet20 weights; no folder {data}: set MODELFOUNDRY_DATA")
    public = torch.load(data / "pretrained/resnet20-12fca82f.th", weights_only=True, map_location="cpu")["state_dict"]
    state = {name.removeprefix("module."): value.contiguous() for name, value in public.items()}
    safetensors.torch.save_file(state, tmp_path / "weights.safetensors")
    network = load_network(Architecture("zoo:resnet20"), 10, CIFAR, tmp_path / "weights.safetensors")
    with safetensors.safe_open(data / "cifar10/train.safetensors", framework="pt") as file:
        images, labels = file.get_slice("images")[:500], file.get_slice("labels")[:500]
    with torch.no_grad():
        right = network(normalise(images, CIFAR)).argmax(dim=1) == labels
    assert right.float().mean() > 0.97
