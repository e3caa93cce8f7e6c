"""Building networks by name: what is refused, and what is said about it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from modelfoundry.core.architectures import Builders, Family
from modelfoundry.core.architectures.builders import Order
from modelfoundry.core.networks import BUILDERS, build_network, check_architecture
from modelfoundry.errors import InvalidField, UnknownArchitecture
from modelfoundry.values.architectures import Architecture, InputSpec

CIFAR = InputSpec(3, 32, 32)


@pytest.mark.parametrize(
    ("builder", "meant"),
    [
        pytest.param("zoo:resnet21", "zoo:resnet20", id="slip-in-our-zoo"),
        pytest.param("resnet20", "zoo:resnet20", id="family-left-out"),
        pytest.param("torchvision:resnet81", "torchvision:resnet18", id="slip-in-torchvision"),
        pytest.param("timm:vit_tiny_patch16_22", "timm:vit_tiny_patch16_224", id="slip-in-timm"),
        pytest.param("torch:mobilenet_v3_small", "torchvision:mobilenet_v3_small", id="slip-in-family"),
    ],
)
def test_unknown_builders_are_answered_with_near_names(builder: str, meant: str) -> None:
    with pytest.raises(UnknownArchitecture) as caught:
        build_network(Architecture(builder), 10, CIFAR, device="meta")
    assert meant in caught.value.hint
    assert meant in caught.value.metadata["near"]
    assert caught.value.field == "architecture.builder"


@pytest.mark.parametrize(
    "builder",
    ["", ":", "zoo:", "hf-hub:somebody/model", "timm:hf-hub:somebody/model", "zoo:../x", "y" * 10_000_000],
    ids=["empty", "colon", "family-alone", "hub", "hub-through-timm", "path", "ten-megabytes"],
)
def test_other_strings_are_unknown_builders_too(builder: str) -> None:
    with pytest.raises(UnknownArchitecture) as caught:
        build_network(Architecture(builder), 10, CIFAR, device="meta")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("builder", "parameters"),
    [
        pytest.param("torchvision:resnet18", {"weights": "DEFAULT"}, id="download-torchvision"),
        pytest.param("timm:resnet10t", {"pretrained": True}, id="download-timm"),
        pytest.param("timm:resnet10t", {"pretrained_cfg": "x"}, id="download-timm-by-configuration"),
        pytest.param("timm:resnet10t", {"checkpoint_path": "/etc/passwd"}, id="file-on-the-server"),
        pytest.param("timm:resnet10t", {"num_classes": 3}, id="labels"),
        pytest.param("timm:resnet10t", {"features_only": True}, id="other-outputs"),
        pytest.param("torchvision:googlenet", {"aux_logits": True}, id="auxiliary-outputs"),
        pytest.param("torchvision:resnet18", {"norm_layer": [1]}, id="not-a-scalar"),
        pytest.param("torchvision:resnet18", {"no_such": 1}, id="unknown-to-torchvision"),
        pytest.param("timm:resnet10t", {"no_such": 1}, id="unknown-to-timm"),
        pytest.param("zoo:simcnn", {"no_such": 1}, id="unknown-to-our-zoo"),
        pytest.param("zoo:resnet20", {"shortcut": "C"}, id="value-out-of-range"),
    ],
)
def test_parameters_that_are_not_to_choose_are_refused(builder: str, parameters: dict[str, object]) -> None:
    with pytest.raises(InvalidField) as caught:
        build_network(Architecture(builder, parameters), 10, CIFAR, device="meta")  # type: ignore[arg-type]
    assert caught.value.field.startswith("architecture.parameters")
    assert caught.value.hint


def test_torchvision_networks_refuse_other_channels_and_timm_takes_them() -> None:
    grey = InputSpec(1, 32, 32)
    with pytest.raises(InvalidField, match=r"input\.channels"):
        build_network(Architecture("torchvision:resnet18"), 10, grey, device="meta")
    check_architecture(Architecture("timm:resnet10t"), 10, grey)


@pytest.mark.parametrize(
    ("builder", "parameters", "size"),
    [
        pytest.param("zoo:vgg16_bn", {}, 28, id="too-small-for-five-poolings"),
        pytest.param("zoo:simcnn", {}, 64, id="too-large-for-the-classifier"),
        pytest.param("torchvision:vit_b_16", {}, 32, id="transformer-of-another-size"),
        pytest.param("timm:vit_tiny_patch16_224", {}, 32, id="timm-transformer-of-another-size"),
    ],
)
def test_images_that_a_network_cannot_take_are_refused(builder: str, parameters: dict[str, int], size: int) -> None:
    with pytest.raises(InvalidField) as caught:
        check_architecture(Architecture(builder, parameters), 10, InputSpec(3, size, size))
    assert caught.value.field == "input"


def test_parameters_reach_the_builder_and_whole_numbers_are_integers() -> None:
    architecture = Architecture("timm:vit_tiny_patch16_224", {"img_size": 32.0, "depth": 2.0, "drop_rate": 0.5})
    assert architecture.parameters == {"img_size": 32, "depth": 2, "drop_rate": 0.5}
    network = check_architecture(architecture, 10, CIFAR)
    assert len(network.get_submodule("blocks")) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_with_auxiliary_outputs_give_their_main_logits_alone(name: str) -> None:
    network = build_network(Architecture(f"torchvision:{name}"), 10, CIFAR, device="meta")
    outputs = network.train()(torch.empty(2, 3, 96, 96, device="meta"))
    assert outputs.shape == (2, 10)


def test_families_are_handed_in_and_may_be_put_together_from_others() -> None:
    def smallest(order: Order) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(order.input_spec.shape), order.label_count))

    def twice(order: Order) -> nn.Module:
        inner = order.builders.build(Architecture("mine:smallest"), order.label_count, order.input_spec)
        return nn.Sequential(inner, nn.Linear(order.label_count, order.label_count))

    builders = Builders(
        (
            Family("mine", lambda: ("smallest",), smallest),
            Family("deeper", lambda: ("twice",), twice, choosable=False),
        )
    )

    assert builders.known() == ("mine:smallest",)
    assert builders.build(Architecture("deeper:twice"), 4, CIFAR)(torch.zeros(2, 3, 32, 32)).shape == (2, 4)
    with pytest.raises(UnknownArchitecture):
        builders.build(Architecture("zoo:resnet20"), 4, CIFAR)


def test_all_three_families_are_listed() -> None:
    known = BUILDERS.known()
    assert {"zoo:resnet20", "torchvision:resnet18", "timm:resnet10t"} <= set(known)
    assert not any("segmentation" in name or "fasterrcnn" in name for name in known)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        pytest.param((0, 8, 8), "input.channels", id="no-channel"),
        pytest.param((17, 8, 8), "input.channels", id="too-many-channels"),
        pytest.param((3, 4097, 8), "input.height", id="too-high"),
        pytest.param((3, 8, -1), "input.width", id="negative-width"),
        pytest.param((3, 8, 8, (0.5,)), "input.mean", id="one-mean-for-three"),
        pytest.param((1, 8, 8, (float("nan"),)), "input.mean", id="mean-not-a-number"),
        pytest.param((1, 8, 8, (), (0.0,)), "input.std", id="division-by-zero"),
    ],
)
def test_impossible_images_are_refused(arguments: tuple[int, int, int], field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        build_network(Architecture("zoo:simcnn"), 10, InputSpec(*arguments), device="meta")
    assert caught.value.field == field


def test_without_mean_and_std_pixels_stay_as_they_are() -> None:
    spec = InputSpec(2, 8, 8)
    assert (spec.means, spec.deviations) == ((0.0, 0.0), (1.0, 1.0))
    assert (spec.mean, spec.std) == ((), ())  # records and cache keys say what was given
