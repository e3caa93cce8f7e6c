from __future__ import annotations

import contextlib

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.evaluation import (
    BaseAnswers,
    PosedSplit,
    Run,
    base_accuracy,
    base_answers,
    evaluate_model,
    own_answers,
    pose,
    pose_split,
    posed_figures,
    split_logits,
)
from modelfoundry.core.heads import LinearHead
from modelfoundry.core.inference import evaluating, predict_labels, predict_logits
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, materialise
from modelfoundry.core.monitor import Monitor
from modelfoundry.errors import Cancelled, DatasetMismatch, UnknownLabel
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

LABELS = ("ant", "bee", "cat", "dog")
SPEC = InputSpec(4, 1, 1)
CPU = torch.device("cpu")
RUN = Run(SPEC, CPU, batch_size=3)


class _Pixels(nn.Module):
    """The four channels of a one-pixel image are its logits, so that a test writes predictions as pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(4, 4, 1)
        with torch.no_grad():
            self.last.weight.copy_(torch.eye(4).view(4, 4, 1, 1))
            self.last.bias.zero_()
        self.batches: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.batches.append(len(images))
        return self.last(images).flatten(1)


def _images(*samples: tuple[tuple[int, int, int, int], int]) -> ImageSet:
    pixels = torch.tensor([logits for logits, _ in samples], dtype=torch.uint8).view(-1, 4, 1, 1)
    return ImageSet(pixels, torch.tensor([label for _, label in samples]))


SAMPLES = _images(
    ((9, 0, 0, 1), 0),  # right
    ((1, 9, 5, 0), 0),  # ant taken for a bee; among ant and cat: cat
    ((0, 9, 0, 0), 1),  # right
    ((5, 0, 4, 9), 2),  # cat taken for a dog; among ant and cat: ant
    ((0, 9, 8, 0), 2),  # cat taken for a bee; among ant and cat: cat
    ((0, 0, 0, 9), 3),  # right
    ((9, 0, 0, 1), 3),  # dog taken for an ant
)


def _base(problem: Problem, run: Run = RUN) -> tuple[BaseAnswers, PosedSplit]:
    posed = pose_split(SAMPLES.labels, problem, LABELS)
    return base_answers(split_logits(_Pixels(), SAMPLES.images, run), posed), posed


def test_a_model_is_measured_on_all_of_its_labels() -> None:
    found = evaluate_model(_Pixels(), SAMPLES, LABELS, RUN)
    assert found.confusion.rows == ((1, 1, 0, 0), (0, 1, 0, 0), (0, 1, 0, 1), (1, 0, 0, 1))
    assert found.accuracy == pytest.approx(3 / 7)


def test_outside_predictions_are_errors_for_all_outputs_and_impossible_when_restricted() -> None:
    found, posed = _base(MultiClassProblem(("cat", "ant")))
    all_labels = posed_figures(found.all_labels, posed, outside_column=True)
    assert all_labels.confusion.labels == ("cat", "ant")
    assert all_labels.confusion.rows == ((0, 0, 2), (0, 1, 1))
    assert all_labels.accuracy == pytest.approx(1 / 4)
    restricted = posed_figures(found.restricted, posed)
    assert restricted.confusion.rows == ((1, 1), (1, 1))
    assert restricted.accuracy == pytest.approx(2 / 4)


def test_a_binary_baseline_asks_whether_it_is_the_label() -> None:
    answers, posed = _base(BinaryProblem("dog"))
    assert answers.all_labels is answers.restricted
    found = posed_figures(answers.all_labels, posed)
    assert found.confusion.labels == ("dog", "rest")
    assert found.confusion.rows[0] == (1, 1)
    assert sum(map(sum, found.confusion.rows)) == 4
    images = pose(SAMPLES, BinaryProblem("dog"), LABELS)
    assert base_accuracy(_Pixels(), images, BinaryProblem("dog"), LABELS, RUN) == found.accuracy


def test_an_open_set_baseline_takes_every_other_label_for_the_rest() -> None:
    answers, posed = _base(OpenSetProblem(("cat", "ant")))
    assert answers.all_labels is answers.restricted
    found = posed_figures(answers.all_labels, posed)
    assert found.confusion.labels == ("cat", "ant", "rest")
    assert found.confusion.rows[:2] == ((0, 0, 2), (0, 1, 1))
    assert sum(map(sum, found.confusion.rows)) == 7


def test_a_module_is_measured_with_its_own_head() -> None:
    network = _Pixels()
    # The head calls everything an ant whose bee pixel is dark.
    head = LinearHead.of(torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]), torch.tensor([0.01, 0.0]))
    masks = WeightMasks({"last.weight": torch.eye(4, dtype=torch.bool).view(4, 4, 1, 1)})
    artifact = ModuleArtifact("sha256:" + "0" * 64, BinaryProblem("ant"), masks, head, "seam")
    posed = pose_split(SAMPLES.labels, BinaryProblem("ant"), LABELS)
    logits = split_logits(materialise(network, artifact), SAMPLES.images, RUN)
    found = posed_figures(own_answers(logits, posed), posed)
    images = pose(SAMPLES, BinaryProblem("ant"), LABELS)
    bees = images.images[:, 1, 0, 0] == 9
    assert found.accuracy == pytest.approx(float((bees == (images.labels == 1)).float().mean()))
    assert found.confusion.rows[0] == (1, 1)
    assert found.confusion.labels == ("ant", "rest")


def test_a_problem_without_images_is_refused_by_name() -> None:
    with pytest.raises(DatasetMismatch, match="no image of 'bee'") as caught:
        pose(_images(((1, 0, 0, 0), 0), ((1, 0, 0, 0), 2)), MultiClassProblem(("ant", "bee")), LABELS)
    assert caught.value.hint
    with pytest.raises(UnknownLabel):
        pose(SAMPLES, BinaryProblem("bea"), LABELS)


def test_batches_cover_all_images_once_in_order() -> None:
    network = _Pixels()
    images = torch.randint(0, 256, (7, 4, 1, 1), dtype=torch.uint8)
    logits = predict_logits(network, images, SPEC, batch_size=3, device=CPU)
    assert network.batches == [3, 3, 1]
    torch.testing.assert_close(logits, images.flatten(1) / 255)
    assert torch.equal(predict_labels(network, images, SPEC, batch_size=2, device=CPU), logits.argmax(dim=1))


def test_no_images_give_no_predictions() -> None:
    assert predict_logits(_Pixels(), SAMPLES.images[:0], SPEC, batch_size=3, device=CPU).shape == (0, 4)


def test_every_layer_gets_its_own_mode_back() -> None:
    network = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))
    network.train()
    network[1].eval()
    modes = []
    with contextlib.suppress(Cancelled), evaluating(network):
        modes = [layer.training for layer in network.modules()]
        raise Cancelled("in the middle")
    assert modes == [False, False, False]
    assert [layer.training for layer in network.modules()] == [True, True, False]


class _Stop:
    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []

    def progress(self, phase: str, done: int, total: int, *_: object) -> None:
        self.seen.append((phase, done, total))

    def check_cancelled(self) -> None:
        if len(self.seen) == 2:
            raise Cancelled("enough")

    def checkpoint(self, _: object) -> None:
        pass


def test_a_cancelled_evaluation_stops_between_batches() -> None:
    stop: Monitor = _Stop()
    with pytest.raises(Cancelled):
        evaluate_model(_Pixels(), SAMPLES, LABELS, Run(SPEC, CPU, batch_size=2, monitor=stop))
    assert stop.seen == [("predict", 2, 7), ("predict", 4, 7)]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="NO CUDA DEVICE: evaluation is tested on the CPU only")
def test_a_gpu_measures_what_the_cpu_measures() -> None:
    problem = MultiClassProblem(("cat", "ant"))
    on_cpu, _ = _base(problem)
    on_gpu, _ = _base(problem, Run(SPEC, torch.device("cuda"), batch_size=3))
    assert torch.equal(on_gpu.all_labels.predicted, on_cpu.all_labels.predicted)
    torch.testing.assert_close(on_gpu.restricted.log_odds, on_cpu.restricted.log_odds)
