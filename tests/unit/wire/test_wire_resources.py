"""Models and data sets survive the way to protobuf and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wire_values import blobs, builders, inputs, names, over_the_wire, text, trainings, written

from modelfoundry.values.resources import Dataset, DatasetSplit, Model
from modelfoundry.wire import resources


@given(
    st.builds(
        Model,
        architecture=builders,
        input=inputs,
        labels=names,
        weights=blobs,
        training_dataset=text,
        operation=text,
        training=st.none() | trainings,
        **written,
    )
)
def test_models(model: Model) -> None:
    assert resources.model_from_proto(over_the_wire(resources.model_to_request(model))) == model


@given(
    st.builds(
        Dataset,
        labels=names,
        splits=st.lists(st.builds(DatasetSplit, split=text, content=blobs), max_size=3).map(tuple),
        **written,
    )
)
def test_datasets(dataset: Dataset) -> None:
    assert resources.dataset_from_proto(over_the_wire(resources.dataset_to_request(dataset))) == dataset
