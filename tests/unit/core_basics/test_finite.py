"""Finite weights may give NaN: nowhere does a figure come of it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from modelfoundry.core.batches import accuracy
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.export.verification import max_difference, rounded_difference
from modelfoundry.core.exported import ImageClassifier
from modelfoundry.core.finite import finite_loss, finite_outputs
from modelfoundry.core.inference import predict_labels, predict_logits, probe
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.training import TrainingSettings, train
from modelfoundry.errors import NonFiniteOutputs
from modelfoundry.values.architectures import InputSpec

CPU = torch.device("cpu")
GREY = InputSpec(1, 4, 4)


def network(kind: str) -> nn.Module:
    """Finite weights all the same."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)).eval()
    norm = layers[2]
    assert isinstance(norm, nn.BatchNorm1d)
    if kind == "variance":
        assert norm.running_var is not None
        norm.running_var.fill_(-1)
    if kind == "huge":
        with torch.no_grad():
            for linear in (layers[1], layers[3]):
                linear.weight.mul_(1e30)
    assert all(value.isfinite().all() for value in layers.state_dict().values())
    return layers


def images(count: int = 7) -> ImageSet:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(1, 256, (count, 1, 4, 4), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, torch.arange(count) % 3)


@pytest.mark.parametrize("kind", ["variance", "huge"])
def test_outputs_that_are_no_numbers_are_no_answers(kind: str) -> None:
    broken, asked = network(kind), images()
    for run in (predict_logits, predict_labels):
        with pytest.raises(NonFiniteOutputs, match="of 7 images"):
            run(broken, asked.images, GREY, batch_size=16, device=CPU)
    with pytest.raises(NonFiniteOutputs):
        accuracy(broken, asked, GREY, device=CPU, monitor=Unwatched())
    with pytest.raises(NonFiniteOutputs):
        probe(broken, GREY)
    classifier = ImageClassifier(broken, GREY, ("a", "b", "c"))
    for compare in (max_difference, rounded_difference):
        with pytest.raises(NonFiniteOutputs):
            compare(classifier, classifier)


def test_a_sound_network_passes() -> None:
    probe(network("sound"), GREY)
    assert predict_logits(network("sound"), images().images, GREY, batch_size=2, device=CPU).shape == (7, 3)


def test_one_image_is_enough_and_is_counted() -> None:
    outputs = torch.zeros(5, 2)
    outputs[3, 1] = float("nan")
    outputs[4, 0] = -float("inf")
    with pytest.raises(NonFiniteOutputs, match="the module gives NaN or infinity for 2 of 5 images"):
        finite_outputs(outputs, "the module")
    assert finite_outputs(outputs[:3]) is not None


def test_a_training_that_diverges_says_so_and_gives_no_model() -> None:
    settings = TrainingSettings(epochs=3, batch_size=4, lr=1e30, augmentation="none")
    with pytest.raises(NonFiniteOutputs, match=r"training in epoch 0 has diverged|NaN or infinity") as caught:
        train(network("sound"), images(12), images(6), GREY, settings, seed=0, device=CPU, monitor=Unwatched())
    assert caught.value.hint
    assert finite_loss(0.5, "x") == 0.5
