"""A model and a data set as the registry describes them, for plans: nothing of them is ever loaded."""

from __future__ import annotations

import pytest

from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec, TensorSpec
from modelfoundry.values.resources import BlobRef, Dataset, DatasetSplit, Model

LABELS = tuple("0123456789")


@pytest.fixture(scope="session")
def tensors() -> tuple[TensorSpec, ...]:
    """Those of `zoo:digits_cnn` for ten labels."""
    network = build_network(Architecture("zoo:digits_cnn"), len(LABELS), InputSpec(1, 8, 8), device="meta")
    return tuple(
        TensorSpec(name, "F32" if value.is_floating_point() else "I64", tuple(value.shape))
        for name, value in network.state_dict().items()
    )


@pytest.fixture
def model(tensors: tuple[TensorSpec, ...]) -> Model:
    return Model(
        name="projects/p/models/digits-cnn",
        architecture=Architecture("zoo:digits_cnn"),
        input=InputSpec(1, 8, 8, (0.25,), (0.5,)),
        labels=LABELS,
        weights=BlobRef(f"sha256:{'a' * 64}"),
        tensors=tensors,
    )


@pytest.fixture
def dataset() -> Dataset:
    return Dataset(
        name="projects/p/datasets/digits",
        labels=LABELS,
        splits=(
            DatasetSplit(
                split="train", content=BlobRef(f"sha256:{'b' * 64}"), sample_count=1000, label_counts=(100,) * 10
            ),
            DatasetSplit(
                split="test", content=BlobRef(f"sha256:{'c' * 64}"), sample_count=500, label_counts=(50,) * 10
            ),
        ),
        channels=1,
        height=8,
        width=8,
        digest=f"sha256:{'d' * 64}",
    )
