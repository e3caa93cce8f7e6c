"""Views, the base's answers to them, and which of them a step draws."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.datasets import ImageSet, normalise
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.shelf import Shelf
from modelfoundry.decomposer.algorithms.distilling import chunks
from modelfoundry.decomposer.algorithms.distilling.chunks import lay_out
from modelfoundry.decomposer.algorithms.distilling.drawing import BalancedDraws, HardDraws, closeness
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.pool import IN_MEMORY, ViewPool
from modelfoundry.errors import Cancelled
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem

GREY = InputSpec(1, 8, 8, mean=(0.3,), std=(0.4,))
LABELS = ("ant", "bee", "cow", "dog", "elk")


class Counting(Unwatched):
    """Remembers reports, and cancels when asked so often."""

    def __init__(self, cancel_at: int = 0) -> None:
        self.reports: list[tuple[str, int, int]] = []
        self.asked, self._cancel_at = 0, cancel_at

    def progress(self, phase: str, done: int, total: int, unit: str, metrics: Mapping[str, float]) -> None:
        self.reports.append((phase, done, total))

    def check_cancelled(self) -> None:
        self.asked += 1
        if self.asked == self._cancel_at:
            raise Cancelled("enough")


def images(count: int = 300) -> ImageSet:
    generator = torch.Generator().manual_seed(5)
    pixels = torch.randint(0, 256, (count, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, torch.randint(0, 5, (count,), generator=generator))


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 5))


def pool(
    augmentation: str = "crop_flip",
    in_memory: int = IN_MEMORY,
    seed: int = 3,
    shelf: Shelf | None = None,
    base: nn.Module | None = None,
) -> ViewPool:
    return ViewPool(
        base or network(),
        images(),
        GREY,
        augmentation=augmentation,  # type: ignore[arg-type]
        seed=seed,
        device=torch.device("cpu"),
        shelf=shelf,
        in_memory=in_memory,
    )


def test_every_image_is_there_twice_and_the_two_views_differ() -> None:
    views = pool()
    assert len(views) == 600
    assert torch.equal(views.labels, images().labels.repeat(2))
    first, second = views.inputs(torch.arange(300)), views.inputs(torch.arange(300, 600))
    assert not torch.equal(first, second)
    assert float((first != normalise(images().images, GREY)).float().mean()) > 0.5


def test_the_same_seed_gives_the_same_views_in_any_order() -> None:
    chosen = torch.tensor([599, 0, 17, 17])
    assert torch.equal(pool().inputs(chosen), pool().inputs(torch.arange(600))[chosen])
    assert not torch.equal(pool(seed=4).inputs(chosen), pool().inputs(chosen))


@pytest.mark.parametrize("size", [(5, 7), (12, 20), (33, 16)], ids=str)
def test_views_of_images_of_any_size_are_shifted_by_an_eighth_at_most(size: tuple[int, int]) -> None:
    white = ImageSet(torch.full((40, 1, *size), 255, dtype=torch.uint8), torch.arange(40) % 5)
    spec = InputSpec(1, *size)
    views = ViewPool(network(), white, spec, augmentation="crop_flip", seed=0, device=torch.device("cpu"))
    pixels = views.inputs(torch.arange(80))
    assert pixels.shape == (80, 1, *size)
    rows, columns = ((pixels == 0).all(dim=along).sum(dim=2) for along in (3, 2))
    assert (int(rows.max()), int(columns.max())) == (size[0] // 8, size[1] // 8)


def test_without_augmentation_an_image_is_its_only_view() -> None:
    views = pool("none")
    assert len(views) == 300
    assert torch.equal(views.inputs(torch.arange(300)), normalise(images().images, GREY))


@pytest.mark.parametrize("in_memory", [IN_MEMORY, 100], ids=["memory", "file"])
def test_answers_are_those_of_the_base_in_evaluation_mode(in_memory: int) -> None:
    base, views = network(), pool(in_memory=in_memory)
    views.fill([torch.arange(600)], Unwatched())
    chosen = torch.tensor([5, 400, 5])
    with torch.no_grad():
        expected = base.eval()(views.inputs(chosen))
    assert torch.allclose(views.logits(chosen), expected, atol=1e-5)


@pytest.fixture
def chunks_of_a_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 100)


@pytest.mark.usefixtures("chunks_of_a_hundred")
def test_only_chunks_that_are_drawn_from_are_made_and_nothing_twice() -> None:
    views, watching = pool(), Counting()
    one = views._layout.chunks[2].views[[4, 2, 4, 9]]
    views.fill([one], watching)
    assert watching.reports == [("the base's answers", 0, 100)]
    views.fill([one.flip(0)], watching)
    assert len(watching.reports) == 1
    views.fill([torch.arange(600)], watching)
    assert [report[1:] for report in watching.reports[1:]] == [(made, 500) for made in range(0, 500, 100)]
    with pytest.raises(RuntimeError):
        pool().logits(torch.tensor([1]))


@pytest.mark.usefixtures("chunks_of_a_hundred")
def test_filling_in_parts_gives_the_bits_that_filling_at_once_gives() -> None:
    whole, parts = pool(), pool()
    whole.fill([torch.arange(600)], Unwatched())
    for start in (590, 300, 0):
        parts.fill([torch.arange(start, 600)], Unwatched())
    assert torch.equal(parts.logits(torch.arange(600)), whole.logits(torch.arange(600)))


@pytest.mark.usefixtures("chunks_of_a_hundred")
def test_filling_is_cancelled_between_batches_and_goes_on_later() -> None:
    views = pool()
    with pytest.raises(Cancelled):
        views.fill([torch.arange(600)], Counting(cancel_at=3))
    assert views.logits(views._layout.chunks[0].views).shape == (100, 5)
    watching = Counting()
    views.fill([torch.arange(600)], watching)
    assert watching.reports[0][1:] == (0, 500)


@pytest.mark.usefixtures("chunks_of_a_hundred")
def test_common_views_are_the_same_however_many_there_are_and_the_others_stand_by_label() -> None:
    labels = images().labels.repeat(2)
    few, many = (lay_out(labels, count, torch.Generator().manual_seed(3)) for count in (150, 250))
    assert [int(layout.common.sum()) for layout in (few, many)] == [200, 300]
    for one, other in zip(few.chunks[:2], many.chunks[:2], strict=True):
        assert one.name == other.name
        assert torch.equal(one.views, other.views)
    assert not {chunk.name for chunk in few.chunks[2:]} & {chunk.name for chunk in many.chunks}
    assert torch.cat([chunk.views for chunk in few.chunks]).sort().values.tolist() == list(range(600))
    for chunk in few.chunks[2:]:
        assert len(labels[chunk.views].unique()) == 1
        assert len(chunk.views) <= 100
    assert [len(lay_out(labels, count, torch.Generator()).chunks) for count in (0, 601)] == [10, 6]


def test_the_base_stays_in_its_mode() -> None:
    base = network().train()
    statistics = base.state_dict()["1.running_mean"].clone()
    views = ViewPool(base, images(), GREY, augmentation="crop", seed=0, device=torch.device("cpu"))
    views.fill([torch.arange(10)], Unwatched())
    assert base.training
    assert torch.equal(base.state_dict()["1.running_mean"], statistics)


def counted(labels: Tensor, draws: Tensor) -> list[int]:
    return torch.bincount(labels[draws], minlength=5).tolist()


def test_half_of_a_batch_is_the_label_and_half_anything_else() -> None:
    labels = torch.tensor([0] * 500 + [1] * 30 + [2] * 300 + [3] * 2 + [4] * 168)
    draws = BalancedDraws(labels, Target.of(BinaryProblem("bee"), LABELS), seed=0)
    for step in range(5):
        assert counted(labels, draws.draw(f"step {step}", 64))[1] == 32
    many = counted(labels, draws.draw("many", 20_000))
    assert many[1] == 10_000
    assert many[0] == pytest.approx(10_000 * 500 / 970, rel=0.05)  # all others, as often as they are there


def test_labels_of_a_group_are_drawn_alike_and_the_rest_as_often_as_all_of_them() -> None:
    labels = torch.tensor([0] * 500 + [1] * 30 + [2] * 300)
    draws = BalancedDraws(labels, Target.of(OpenSetProblem(("bee", "ant")), LABELS), seed=0)
    assert counted(labels, draws.draw("step 0", 64)) == [16, 16, 32, 0, 0]


def test_a_multi_class_problem_draws_its_labels_only() -> None:
    labels = torch.tensor([0] * 500 + [1] * 30 + [2] * 300)
    draws = BalancedDraws(labels, Target.of(MultiClassProblem(("bee", "ant")), LABELS), seed=0)
    assert counted(labels, draws.draw("step 0", 64)) == [32, 32, 0, 0, 0]


def test_what_does_not_divide_evenly_is_drawn_too() -> None:
    labels = torch.arange(300) % 5
    draws = BalancedDraws(labels, Target.of(OpenSetProblem(("bee", "ant", "cow")), LABELS), seed=0)
    shares = torch.tensor([counted(labels, draws.draw(f"step {step}", 64)) for step in range(200)])
    assert shares.sum(dim=1).tolist() == [64] * 200
    assert shares[:, :3].float().mean(dim=0).tolist() == pytest.approx([64 / 6] * 3, abs=0.2)


def test_a_step_draws_the_same_at_any_time_and_each_its_own() -> None:
    target = Target.of(BinaryProblem("bee"), LABELS)
    draws, again = (BalancedDraws(images().labels, target, seed=7) for _ in range(2))
    again.draw("step 0", 8)
    assert torch.equal(again.draw("step 5", 64), draws.draw("step 5", 64))
    assert not torch.equal(draws.draw("step 6", 64), draws.draw("step 5", 64))
    assert not torch.equal(BalancedDraws(images().labels, target, 8).draw("step 5", 64), draws.draw("step 5", 64))


def test_others_are_drawn_from_the_common_views_unless_none_is_there() -> None:
    labels = torch.arange(300) % 5
    target = Target.of(BinaryProblem("bee"), LABELS)
    common = torch.zeros(300, dtype=torch.bool)
    common[:10] = True
    drawn = BalancedDraws(labels, target, 0, common).draw("step 0", 64)
    assert set(drawn[labels[drawn] != 1].tolist()) <= {0, 2, 3, 4, 5, 7, 8, 9}
    assert len(set(drawn[labels[drawn] == 1].tolist())) > 10
    drawn = BalancedDraws(labels, target, 0, labels == 1).draw("step 0", 64)
    assert len(set(drawn[labels[drawn] != 1].tolist())) > 10


def hard_draws(part: float, weights: Tensor, seed: int = 3) -> HardDraws:
    labels = torch.arange(300) % 5
    draws = BalancedDraws(labels, Target.of(BinaryProblem("bee"), LABELS), seed)
    return HardDraws(draws, torch.nonzero(labels != 1).flatten(), weights, part, seed)


def test_a_part_of_the_rest_is_drawn_as_often_as_the_base_takes_it_for_the_label() -> None:
    labels = torch.arange(300) % 5
    rest = torch.nonzero(labels != 1).flatten()
    weights = torch.zeros(len(rest))
    weights[7], weights[9] = 0.75, 0.25
    drawn = torch.cat([hard_draws(0.5, weights).draw(f"step {step}", 64) for step in range(200)])
    assert int((labels[drawn] == 1).count_nonzero()) == 200 * 32
    near, nearer = (int((drawn == rest[place]).count_nonzero()) for place in (9, 7))
    # 16 of each 64 by closeness, and the other 16 of the rest from 240 alike.
    assert near == pytest.approx(200 * 16 * (0.25 + 1 / 240), rel=0.1)
    assert nearer == pytest.approx(200 * 16 * (0.75 + 1 / 240), rel=0.1)


def test_without_hard_negatives_the_draws_are_the_balanced_ones() -> None:
    balanced = BalancedDraws(torch.arange(300) % 5, Target.of(BinaryProblem("bee"), LABELS), 3)
    assert torch.equal(hard_draws(0.0, torch.ones(240)).draw("step 4", 64), balanced.draw("step 4", 64))


def test_hard_draws_depend_on_seed_and_step_alone() -> None:
    weights = torch.rand(240, generator=torch.Generator().manual_seed(0))
    one, other = hard_draws(0.5, weights), hard_draws(0.5, weights)
    other.draw("step 0", 64)
    assert torch.equal(one.draw("step 5", 64), other.draw("step 5", 64))
    assert not torch.equal(one.draw("step 6", 64), one.draw("step 5", 64))
    assert not torch.equal(hard_draws(0.5, weights, seed=4).draw("step 5", 64), one.draw("step 5", 64))


def test_what_nothing_is_close_to_is_drawn_alike() -> None:
    drawn = torch.cat([hard_draws(1.0, torch.zeros(240)).draw(f"step {step}", 64) for step in range(100)])
    counts = torch.bincount(drawn[torch.arange(300)[drawn] % 5 != 1], minlength=300)
    assert int(counts.max()) < 40  # 3,200 draws of 240 views


def test_closeness_is_the_labels_share_of_the_softened_answer() -> None:
    outputs = torch.tensor([[0.0, 0.0], [4.0, 0.0], [-40.0, 0.0]])
    assert closeness(outputs).tolist() == pytest.approx([0.5, 0.731059, 4.54e-05], rel=1e-3)
    of_two = torch.tensor([[4.0, 0.0, 0.0]])
    assert closeness(of_two).tolist() == pytest.approx([1 - 1 / (2.718282 + 2)], rel=1e-5)
