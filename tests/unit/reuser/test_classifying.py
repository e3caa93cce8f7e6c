"""From logits to named probabilities: a softmax, most probable first."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from modelfoundry.core.export import ExportSubject
from modelfoundry.reuser.predicting.predictor import classify
from modelfoundry.values.architectures import Architecture, InputSpec


def pixels_as_logits(scale: float = 1.0) -> ExportSubject:
    """Its logits of an image of three pixels are these times `scale`."""
    spec = InputSpec(3, 1, 1, std=(1 / 255 / scale,) * 3)
    return ExportSubject(nn.Flatten(), ("a", "b", "c"), Architecture("zoo:simcnn"), 3, spec, "sha256:0")


def images(*rows: tuple[int, int, int]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.uint8).view(-1, 3, 1, 1)


def test_probabilities_are_a_softmax_most_probable_first() -> None:
    first, second = classify(pixels_as_logits(), images((0, 2, 1), (5, 5, 5)), top_k=0)
    assert [entry.label for entry in first] == ["b", "c", "a"]
    weights = np.exp([2.0, 1.0, 0.0])
    assert [entry.probability for entry in first] == pytest.approx((weights / weights.sum()).tolist(), abs=1e-6)
    assert [entry.label for entry in second] == ["a", "b", "c"]  # equal ones in the order of the outputs


@pytest.mark.parametrize(("top_k", "labels"), [(1, ["b"]), (2, ["b", "c"]), (9, ["b", "c", "a"])])
def test_at_most_as_many_labels_as_asked_for_are_given(top_k: int, labels: list[str]) -> None:
    (found,) = classify(pixels_as_logits(), images((0, 2, 1)), top_k)
    assert [entry.label for entry in found] == labels


def test_large_logits_do_not_overflow() -> None:
    (found,) = classify(pixels_as_logits(1e30), images((0, 200, 1)), top_k=0)
    assert [entry.probability for entry in found] == [1.0, 0.0, 0.0]
