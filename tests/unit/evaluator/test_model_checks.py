"""Whether weights fit an architecture, said without any weights at hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelfoundry import errors
from modelfoundry.core.networks import build_network
from modelfoundry.evaluator.check import check_model
from modelfoundry.values.architectures import Architecture, InputSpec, TensorSpec

ARCHITECTURE, SPEC = Architecture("zoo:digits_cnn"), InputSpec(1, 8, 8)


@pytest.fixture(scope="module")
def tensors() -> tuple[TensorSpec, ...]:
    state = build_network(ARCHITECTURE, 10, SPEC, device="meta").state_dict()
    return tuple(
        TensorSpec(name, "F32" if value.is_floating_point() else "I64", tuple(value.shape))
        for name, value in state.items()
    )


def test_a_model_that_fits_is_told_with_what_can_be_masked(tensors: tuple[TensorSpec, ...]) -> None:
    found = check_model(ARCHITECTURE, SPEC, 10, tensors)
    network = build_network(ARCHITECTURE, 10, SPEC, device="meta")
    assert found.parameter_count == sum(parameter.numel() for parameter in network.parameters())
    assert {layer.type for layer in found.layers} == {"Conv2d", "Linear"}
    masked = sum(
        network.get_parameter(f"{layer.layer}.{part}").numel()
        for layer in found.layers
        for part in (("weight", "bias") if layer.has_bias else ("weight",))
    )
    assert found.mask_count == masked


def test_a_classifier_has_two_labels(tensors: tuple[TensorSpec, ...]) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        check_model(ARCHITECTURE, SPEC, 1, tensors)
    assert caught.value.field == "label_count"


def test_every_tensor_that_does_not_fit_is_a_violation(tensors: tuple[TensorSpec, ...]) -> None:
    wrong = replace(tensors[0], shape=(1, 2, 3))
    with pytest.raises(errors.WeightsMismatch) as caught:
        check_model(ARCHITECTURE, SPEC, 10, [wrong, *tensors[2:]])
    told = " ".join(violation.field for violation in caught.value.violations)
    assert tensors[0].name in told
    assert tensors[1].name in told
