"""Compositions survive the way to protobuf and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_values import composition_records, inputs, members, names, over_the_wire, text, written

from modelfoundry.api.registry.v1 import composition_pb2
from modelfoundry.errors import Internal
from modelfoundry.values.compositions import Composition, CompositionTask
from modelfoundry.wire import compositions


@given(
    st.builds(
        Composition,
        task=st.sampled_from(CompositionTask),
        members=st.lists(members, max_size=3).map(tuple),
        input=inputs,
        datasets=names,
        record=composition_records,
        base_model=text,
        **written,
    )
)
def test_compositions(composition: Composition) -> None:
    message = over_the_wire(compositions.composition_to_request(composition))
    assert compositions.composition_from_proto(message) == composition


def test_a_task_that_a_newer_registry_knows_is_no_silent_guess() -> None:
    with pytest.raises(Internal, match="unknown kind") as caught:
        compositions.composition_from_proto(composition_pb2.Composition(name="c", task=99))  # type: ignore[arg-type]
    assert "upgrade" in caught.value.hint
