"""Architectures, tensors and cuts survive the way to protobuf and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wire_values import over_the_wire, text, whole

from modelfoundry.api.types.v1 import compute_pb2
from modelfoundry.values.architectures import Architecture, TensorSpec
from modelfoundry.values.computing import ValidationSplit
from modelfoundry.wire import architectures, computing


@given(st.builds(TensorSpec, text, text, st.lists(whole, max_size=4).map(tuple)))
def test_tensor_specs(spec: TensorSpec) -> None:
    assert architectures.tensor_spec_from_proto(over_the_wire(architectures.tensor_spec_to_proto(spec))) == spec


def test_whole_numbers_stay_whole_and_others_do_not_become_so() -> None:
    architecture = Architecture("zoo:x", {"width": 8, "rate": 0.5, "deep": True, "kind": "a"})
    back = architectures.ARCHITECTURE.from_proto(architectures.architecture_to_proto(architecture))
    assert back == architecture
    assert {name: type(value) for name, value in back.parameters.items()} == {
        "width": int,
        "rate": float,
        "deep": bool,
        "kind": str,
    }


def test_a_validation_cut_without_values_has_the_contracts_defaults() -> None:
    assert computing.VALIDATION.from_proto(compute_pb2.ValidationSplit()) == ValidationSplit()
