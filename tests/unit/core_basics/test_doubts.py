"""A result that is no better than chance, than its base or than its sources is said to be so, with figures."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from modelfoundry.cli.rendering.evaluation_list import print_stored
from modelfoundry.cli.rendering.json_output import as_plain
from modelfoundry.cli.rendering.module_table import print_modules
from modelfoundry.cli.rendering.search_table import print_results
from modelfoundry.client import BlobRef, DecompositionRecord, Evaluation, InputSpec, Module, SearchResult
from modelfoundry.core.composing.calibration import fit_calibration
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.metrics import classification
from modelfoundry.decomposer.samples import few_validation_samples
from modelfoundry.values.compositions import (
    Baseline,
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
)
from modelfoundry.values.doubts import LEAST_SAMPLES, LEAST_SCALE, MOST_SCALE, DoubtKind, accuracy_doubts, guessing
from modelfoundry.values.figures import BaseComparison, Difference, Interval
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem

CHANCE, BELOW, FEW = DoubtKind.NO_BETTER_THAN_CHANCE, DoubtKind.BELOW_BASE, DoubtKind.FEW_SAMPLES


def test_what_guessing_reaches_follows_from_the_problem() -> None:
    assert guessing(BinaryProblem("a")) == guessing(OpenSetProblem(("a", "b", "c"))) == 0.5
    assert guessing(MultiClassProblem(("a", "b", "c", "d"))) == 0.25


@pytest.mark.parametrize(
    ("accuracy", "samples", "guess", "base", "kinds"),
    [
        (2 / 12, 12, 0.5, 1.0, [CHANCE, BELOW, FEW]),  # the module
        (5 / 6, 6, 0.5, None, [CHANCE, FEW]),  # five of six may be luck
        (0.95, 200, 0.5, 0.96, []),
        (0.5, 1000, 0.5, None, [CHANCE]),
        (0.52, 1000, 0.5, None, [CHANCE]),
        (0.54, 1000, 0.5, None, []),
        (0.90, 1000, 0.5, 0.95, [BELOW]),
        (0.99, 200, 0.5, 1.0, []),
        (0.3, 400, 0.1, None, []),
        (0.0, 0, 0.5, 1.0, []),  # nothing is on record
    ],
)
def test_doubts_follow_from_samples(
    accuracy: float, samples: int, guess: float, base: float | None, kinds: list[DoubtKind]
) -> None:
    assert [doubt.kind for doubt in accuracy_doubts(accuracy, samples, guess, base)] == kinds


def test_a_doubt_says_the_figures() -> None:
    first, second, _ = accuracy_doubts(2 / 12, 12, 0.5, 1.0)
    assert first.text == (
        "no better than chance: 16.7 % on 12 samples, 95 % interval 4.7 % to 44.8 %; guessing reaches 50.0 %"
    )
    assert second.text.endswith("the base has 100.0 %")
    (third,) = accuracy_doubts(0.52, 1000, 0.5)
    assert third.text.startswith("not shown to be better than chance")


def module(**record: object) -> Module:
    given = {"algorithm": "seam", "epochs_run": 3, **record}
    return Module(
        name="projects/default/modules/net-cat",
        base_model="projects/default/models/net",
        problem=BinaryProblem("cat"),
        artifact=BlobRef("sha256:0"),
        dataset="projects/default/datasets/d",
        record=DecompositionRecord(**given),  # type: ignore[arg-type]
    )


def test_a_module_below_chance_is_marked_in_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    bad = module(validation_accuracy=2 / 12, validation_samples=12, validation_accuracy_base=1.0)
    good = replace(bad, record=replace(bad.record, validation_accuracy=0.99, validation_samples=200))
    print_modules([bad, good], "projects/default")
    shown = capsys.readouterr()
    assert "16.7 % [4.7, 44.8] of 12 !" in shown.out
    assert "99.0 % [96.4, 99.7] of 200 " in shown.out
    assert shown.out.count("!") == 1
    assert "! net-cat: no better than chance: 16.7 % on 12 samples" in shown.err
    assert [doubt["kind"] for doubt in as_plain(bad)["doubts"]] == [CHANCE, BELOW, FEW]
    assert as_plain(good)["doubts"] == []


def test_the_base_counts_where_it_can_be_compared_with() -> None:
    memorised = module(validation_accuracy=0.9, validation_samples=1000, validation_accuracy_base=1.0, epochs_run=0)
    assert memorised.doubts == ()
    assert [d.kind for d in replace(memorised, record=replace(memorised.record, epochs_run=2)).doubts] == [BELOW]


def measured(predicted: list[int], true: list[int], **more: object) -> Evaluation:
    found = classification(torch.tensor(predicted), torch.tensor(true), ("a", "b"))
    return Evaluation(
        subject="projects/p/models/m",
        subject_digest="sha256:0",
        dataset="projects/p/datasets/d",
        dataset_digest="sha256:1",
        split="test",
        sample_count=len(true),
        classification=found,
        **more,  # type: ignore[arg-type]
    )


def test_an_evaluation_no_better_than_the_commonest_answer_is_doubted() -> None:
    true = [0] * 90 + [1] * 10
    (doubt,) = measured([0] * 100, true).doubts
    assert doubt.kind is CHANCE
    assert "guessing reaches 90.0 %" in doubt.text
    assert measured(true, true).doubts == ()


def test_an_evaluation_below_its_base_is_doubted() -> None:
    true = [0, 1] * 100
    worse = BaseComparison(accuracy=Difference(-0.02, Interval(-0.03, -0.01, 0.95)))
    (doubt,) = measured(true, true, against_base=worse).doubts
    assert (doubt.kind, "-2.00 points" in doubt.text) == (BELOW, True)
    level = BaseComparison(accuracy=Difference(-0.02, Interval(-0.05, 0.01, 0.95)))
    assert measured(true, true, against_base=level).doubts == ()


def composition(accuracy: float, samples: int, best: float, scale: float = 1.0) -> Composition:
    members = tuple(
        CompositionMember(label=label, source=f"models/{label}", source_label=label, scale=scale) for label in "ab"
    )
    record = CompositionRecord(
        strategy="joint",
        calibrated=True,
        validation_samples=samples,
        validation_accuracy=accuracy,
        baselines=(Baseline(name="models/a", validation_accuracy=best), Baseline(name="b", validation_accuracy=0.1)),
    )
    return Composition(
        task=CompositionTask.NEW_TASK, members=members, input=InputSpec(1, 8, 8), datasets=("d",), record=record
    )


def test_a_composition_is_doubted_by_samples_sources_and_calibration() -> None:
    kinds = {DoubtKind.NO_BETTER_THAN_SOURCE, DoubtKind.ODD_CALIBRATION}
    assert composition(0.95, 400, 0.9).doubts == ()
    (doubt,) = composition(0.9, 400, 0.95).doubts
    assert doubt.kind is DoubtKind.NO_BETTER_THAN_SOURCE
    assert "models/a: 90.0 % against 95.0 % on the same 400 samples" in doubt.text
    odd = composition(0.95, 400, 0.9, scale=MOST_SCALE).doubts
    assert {each.kind for each in odd} == kinds - {DoubtKind.NO_BETTER_THAN_SOURCE}
    assert len(odd) == 2
    assert {each.kind for each in composition(1.0, 6, 0.5).doubts} == {FEW}


@pytest.mark.parametrize(
    ("values", "held"),
    [
        ([3e-4, 2e-4, 4e-4, -3e-4, -2e-4, -4e-4], MOST_SCALE),  # unregularised: a slope of thousands
        ([-3.0, -2.0, -4.0, 3.0, 2.0, 4.0], LEAST_SCALE),  # upside down
    ],
)
def test_a_calibration_that_is_none_is_held_and_keeps_the_mean(values: list[float], held: float) -> None:
    log_odds, positive = torch.tensor(values), torch.tensor([True] * 3 + [False] * 3)
    found = fit_calibration(log_odds, positive)
    assert found.scale == held
    assert float(torch.sigmoid(found(log_odds.double())).mean()) == pytest.approx(0.5, abs=1e-6)


def test_few_validation_samples_are_said_before_the_work() -> None:
    counts = {0: 6, 1: 60, 2: 60}
    numbers = torch.tensor([number for number, count in counts.items() for _ in range(count)])
    images = ImageSet(torch.zeros(len(numbers), 1, 1, 1, dtype=torch.uint8), numbers)
    problems = [BinaryProblem("a"), BinaryProblem("b"), MultiClassProblem(("a", "b"))]
    (said,) = few_validation_samples(problems, ("a", "b", "c"), images)
    assert said.startswith("a: chosen on 12 validation samples")
    assert str(LEAST_SAMPLES) in said


def test_every_list_marks_what_is_doubted(capsys: pytest.CaptureFixture[str]) -> None:
    bad = module(validation_accuracy=2 / 12, validation_samples=12)
    print_results([SearchResult(module=bad)], "projects/default")
    shown = capsys.readouterr()
    assert "net-cat !" in shown.out
    assert "! net-cat: no better than chance" in shown.err
    print_stored([replace(measured([0] * 100, [0] * 90 + [1] * 10), name="projects/p/evaluations/e")], "projects/p")
    shown = capsys.readouterr()
    assert "on 100 samples !" in shown.out
    assert "! e: no better than chance" in shown.err
