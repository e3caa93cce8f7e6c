"""From logits to named probabilities: a softmax, most probable first."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import torch
from torch import nn

from modelfoundry.core.export import ExportSubject
from modelfoundry.errors import NonFiniteOutputs
from modelfoundry.reuser.predicting.batching import Batching, Turns
from modelfoundry.reuser.predicting.predictor import Predictor, most_probable
from modelfoundry.reuser.predicting.serving import ServedNetworks
from modelfoundry.reuser.subjects import LoadedSubject
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.resources import BlobRef, Model
from modelfoundry.values.results import LabelProbability


def classify(scale: float, top_k: int, *rows: tuple[int, int, int]) -> list[tuple[LabelProbability, ...]]:
    """Answers of a network whose logits of an image of three pixels are these times `scale`."""
    spec = InputSpec(3, 1, 1, std=(1 / 255 / scale,) * 3)
    subject = ExportSubject(nn.Flatten(), ("a", "b", "c"), Architecture("zoo:simcnn"), 3, spec, "sha256:0")
    model = Model(
        name="projects/default/models/m",
        architecture=subject.architecture,
        input=spec,
        labels=subject.outputs,
        weights=BlobRef("sha256:0", 0),
    )

    async def answers() -> list[tuple[LabelProbability, ...]]:
        turns = Turns(1)
        networks = ServedNetworks(lambda _: LoadedSubject(subject, "sha256:0"), 0, 1, turns, Batching())
        predictor = Predictor(networks, 0)
        network = await predictor.network(model)
        images = torch.tensor(rows, dtype=torch.uint8).view(-1, 3, 1, 1)
        return list(most_probable(network.outputs, await predictor.probabilities(network, images), top_k))

    return asyncio.run(answers())


def test_probabilities_are_a_softmax_most_probable_first() -> None:
    first, second = classify(1.0, 0, (0, 2, 1), (5, 5, 5))
    assert [entry.label for entry in first] == ["b", "c", "a"]
    weights = np.exp([2.0, 1.0, 0.0])
    assert [entry.probability for entry in first] == pytest.approx((weights / weights.sum()).tolist(), abs=1e-6)
    assert [entry.label for entry in second] == ["a", "b", "c"]  # equal ones in the order of the outputs


@pytest.mark.parametrize(("top_k", "labels"), [(1, ["b"]), (2, ["b", "c"]), (9, ["b", "c", "a"])])
def test_at_most_as_many_labels_as_asked_for_are_given(top_k: int, labels: list[str]) -> None:
    (found,) = classify(1.0, top_k, (0, 2, 1))
    assert [entry.label for entry in found] == labels


def test_logits_that_are_no_numbers_are_refused_and_never_become_probabilities() -> None:
    with pytest.raises(NonFiniteOutputs):
        classify(1e38, 0, (0, 200, 1))


def test_large_logits_do_not_overflow() -> None:
    (found,) = classify(1e30, 0, (0, 200, 1))
    assert [entry.probability for entry in found] == [1.0, 0.0, 0.0]
