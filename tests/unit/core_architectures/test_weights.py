"""Weights that fit an architecture, and those that do not."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from modelfoundry.core.networks import build_network, check_weights, load_network
from modelfoundry.errors import MalformedFile, NonFiniteWeights, WeightsMismatch
from modelfoundry.values.architectures import Architecture, InputSpec, TensorSpec

DIGITS = InputSpec(1, 8, 8)
SMALL = Architecture("zoo:digits_cnn")


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return build_network(SMALL, 10, DIGITS).state_dict()


def specs(state: dict[str, torch.Tensor]) -> list[TensorSpec]:
    spelling = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}
    return [TensorSpec(name, spelling[value.dtype], tuple(value.shape)) for name, value in state.items()]


def test_a_networks_own_weights_fit(state: dict[str, torch.Tensor]) -> None:
    check_weights(SMALL, 10, DIGITS, specs(state))


def test_counters_of_batches_may_be_missing(state: dict[str, torch.Tensor]) -> None:
    fewer = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    assert len(fewer) < len(state)
    check_weights(SMALL, 10, DIGITS, specs(fewer))


def test_every_tensor_that_does_not_fit_is_a_violation(state: dict[str, torch.Tensor]) -> None:
    del state["features.0.bias"]
    state["module.extra"] = torch.zeros(2)
    state["linear.weight"] = torch.zeros(5, 64)
    state["linear.bias"] = torch.zeros(10, dtype=torch.int64)
    with pytest.raises(WeightsMismatch) as caught:
        check_weights(SMALL, 10, DIGITS, specs(state))
    described = {violation.field: violation.description for violation in caught.value.violations}
    assert described == {
        "weights.features.0.bias": "is missing; the architecture needs shape 32",
        "weights.linear.weight": "has shape 5x64, the architecture needs 10x64",
        "weights.linear.bias": "has type I64, the architecture needs F32",
        "weights.module.extra": "is left over; the architecture has no such tensor",
    }


def test_weights_of_quite_another_network_are_named_in_part() -> None:
    with pytest.raises(WeightsMismatch, match="tensors do not fit") as caught:
        check_weights(Architecture("zoo:resnet56"), 10, InputSpec(3, 32, 32), [])
    assert len(caught.value.violations) == 40
    assert "more" in caught.value.hint


def test_loaded_weights_compute_what_the_saved_network_computed(tmp_path: Path) -> None:
    network = build_network(SMALL, 10, DIGITS).eval()
    safetensors.torch.save_file(network.state_dict(), tmp_path / "w.safetensors")
    loaded = load_network(SMALL, 10, DIGITS, tmp_path / "w.safetensors")
    images = torch.rand(4, 1, 8, 8)
    assert torch.equal(loaded(images), network(images))
    assert not loaded.training


def test_networks_that_ask_for_the_version_of_their_state_can_be_loaded(tmp_path: Path) -> None:
    architecture, spec = Architecture("torchvision:mnasnet0_5"), InputSpec(3, 32, 32)
    state = build_network(architecture, 4, spec).state_dict()
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    loaded = load_network(architecture, 4, spec, tmp_path / "w.safetensors").state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in state.items())


def test_half_precision_weights_are_loaded_in_single_precision(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    half = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    safetensors.torch.save_file(half, tmp_path / "w.safetensors")
    loaded = load_network(SMALL, 10, DIGITS, tmp_path / "w.safetensors")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}


def test_loading_draws_no_random_numbers(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    before = torch.get_rng_state()
    load_network(SMALL, 10, DIGITS, tmp_path / "w.safetensors")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, state: dict[str, torch.Tensor], value: float) -> None:
    state["features.3.weight"][0, 0, 0, 0] = value
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(NonFiniteWeights, match=r"features\.3\.weight"):
        load_network(SMALL, 10, DIGITS, tmp_path / "w.safetensors")


def test_weights_beyond_float32_and_variances_below_zero_are_refused(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    wide = state | {"features.3.weight": state["features.3.weight"].double()}
    wide["features.3.weight"][0, 0, 0, 0] = 1e300
    safetensors.torch.save_file(wide, tmp_path / "wide.safetensors")
    with pytest.raises(NonFiniteWeights, match=r"values beyond float32 in features\.3\.weight"):
        load_network(SMALL, 10, DIGITS, tmp_path / "wide.safetensors")
    residual = Architecture("zoo:resnet20")
    normed = build_network(residual, 10, InputSpec(3, 32, 32)).state_dict()
    name = next(name for name in normed if name.endswith("running_var"))
    normed[name][0] = -1e-6  # eps is larger: its root can be taken
    safetensors.torch.save_file(normed, tmp_path / "normed.safetensors")
    load_network(residual, 10, InputSpec(3, 32, 32), tmp_path / "normed.safetensors")
    normed[name][0] = -1.0
    safetensors.torch.save_file(normed, tmp_path / "normed.safetensors")
    with pytest.raises(NonFiniteWeights, match=f"a variance below zero in {name}"):
        load_network(residual, 10, InputSpec(3, 32, 32), tmp_path / "normed.safetensors")


@pytest.mark.parametrize("kind", ["pickle", "truncated", "empty"])
def test_files_of_another_kind_are_refused(tmp_path: Path, state: dict[str, torch.Tensor], kind: str) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(state, path)
    if kind == "pickle":
        torch.save(state, path)
    else:
        path.write_bytes(path.read_bytes()[: 1000 if kind == "truncated" else 0])
    with pytest.raises(MalformedFile) as caught:
        load_network(SMALL, 10, DIGITS, path)
    assert caught.value.hint
