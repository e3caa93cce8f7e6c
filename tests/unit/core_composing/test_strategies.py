"""Strategies against brute force on tables small enough to look at every selection."""

from __future__ import annotations

import itertools

import pytest
import torch

from modelfoundry.core.composing import (
    Candidate,
    ScoreTable,
    joint,
    per_label,
    replace_where_nothing_suffers,
    score_candidates,
    weak_labels,
)
from modelfoundry.core.metrics import classification


def random_table(seed: int, *, labels: int = 3, candidates: int = 4, samples: int = 40) -> ScoreTable:
    """Candidates that know something about their label, on different scales."""
    generator = torch.Generator().manual_seed(seed)
    true = torch.arange(samples) % labels
    names = [f"label {number}" for number in range(labels)]
    entries = []
    for number, name in enumerate(names):
        for place in range(candidates):
            noise = torch.randn(samples, generator=generator)
            scale = 0.3 + 4 * torch.rand(1, generator=generator)
            z = ((true == number) * 2.0 - 1.0 + 1.5 * noise) * scale
            entries.append((Candidate(name, f"source {place}", name, size=place), z))
    return score_candidates(entries, names, true, score="f1", calibrate=False)


def all_accuracies(table: ScoreTable) -> dict[tuple[int, ...], float]:
    selections = itertools.product(*(range(len(row)) for row in table.rows))
    return {selection: table.metrics(selection).accuracy for selection in selections}


@pytest.mark.parametrize("seed", range(12))
def test_joint_finds_what_looking_at_every_selection_finds(seed: int) -> None:
    table = random_table(seed)
    accuracies = all_accuracies(table)
    assert accuracies[joint(table)] == max(accuracies.values())


@pytest.mark.parametrize("seed", range(12))
def test_joint_is_never_below_the_best_of_every_label(seed: int) -> None:
    table = random_table(seed, labels=7, candidates=5, samples=60)
    assert table.metrics(joint(table)).accuracy >= table.metrics(per_label(table)).accuracy


def test_joint_is_better_where_single_scores_mislead() -> None:
    tables = [random_table(seed) for seed in range(12)]
    gains = [table.metrics(joint(table)).accuracy - table.metrics(per_label(table)).accuracy for table in tables]
    assert max(gains) > 0.05


def test_joint_chooses_the_same_again() -> None:
    assert joint(random_table(3)) == joint(random_table(3))


def test_joint_counts_equal_scores_as_the_prediction_does() -> None:
    """Scores of one decimal are often equal: the count of every neighbour must still be that of argmax."""
    generator = torch.Generator().manual_seed(5)
    true = torch.arange(30) % 3
    entries = [
        (Candidate(f"{label}", f"source {place}", f"{label}", 1), torch.randint(-1, 2, (30,), generator=generator) / 1)
        for label in range(3)
        for place in range(5)
    ]
    table = score_candidates(entries, ["0", "1", "2"], true, score="f1", calibrate=False)
    assert all_accuracies(table)[joint(table)] >= table.metrics(per_label(table)).accuracy
    assert max(all_accuracies(table).values()) == all_accuracies(table)[joint(table)]


def test_of_equal_scores_the_smaller_is_taken_and_then_the_first_by_name() -> None:
    true = torch.tensor([0, 0, 1, 1])
    good, bad = torch.tensor([1.0, 1.0, -1.0, -1.0]), torch.tensor([1.0, -1.0, -1.0, -1.0])
    entries = [
        (Candidate("a", "small but bad", "a", 1), bad),
        (Candidate("a", "z", "a", 5), good),
        (Candidate("a", "y", "a", 5), good),
        (Candidate("a", "b", "a", 9), good),
        (Candidate("b", "only", "b", 5), -good),
    ]
    table = score_candidates(entries, ["a", "b"], true, score="f1", calibrate=False)
    assert [each.candidate.source for each in table.rows[0]] == ["y", "z", "b", "small but bad"]
    assert table.members(per_label(table))[0].candidate.source == "y"


def test_scores_are_taken_after_calibration_where_it_is_asked_for() -> None:
    true = torch.tensor([0] * 20 + [1] * 20)
    shifted = torch.cat([torch.full((20,), 9.0), torch.full((20,), 7.0)])  # says yes to everything
    entries = [(Candidate("a", "s", "a", 1), shifted), (Candidate("b", "s", "b", 1), -shifted + 8)]
    plain = score_candidates(entries, ["a", "b"], true, score="f1", calibrate=False)
    calibrated = score_candidates(entries, ["a", "b"], true, score="f1", calibrate=True)
    assert plain.rows[0][0].score == pytest.approx(2 / 3)
    assert calibrated.rows[0][0].score == 1.0
    member = calibrated.rows[0][0]
    torch.testing.assert_close(member.log_odds, shifted * member.calibration.scale + member.calibration.bias)


def test_a_label_that_nobody_knows_makes_no_table() -> None:
    with pytest.raises(ValueError, match="every label"):
        score_candidates([], ["a"], torch.tensor([0]), score="f1", calibrate=False)


def test_weak_labels_lie_a_standard_deviation_below_the_mean() -> None:
    true = torch.arange(40) % 4
    predicted = torch.where((true == 2) & (torch.arange(40) < 30), 3, true)
    assert weak_labels(classification(predicted, true, ("a", "b", "c", "d"))) == ("c",)
    assert weak_labels(classification(true, true, ("a", "b", "c", "d"))) == ()


THIRDS = torch.arange(60) % 3
OWN = [(label == THIRDS) * 4.0 - 2.0 for label in range(3)]


def patch_table(module: torch.Tensor) -> ScoreTable:
    """A model that is blind for label 0, right for the others, and one module for label 0."""
    blind = torch.full((60,), -9.0)
    entries = [(Candidate(f"{label}", "model", f"{label}", 9), OWN[label] if label else blind) for label in range(3)]
    entries.append((Candidate("0", "module", "0", 1), module))
    return score_candidates(entries, ["0", "1", "2"], THIRDS, score="f1", calibrate=False)


def patched(table: ScoreTable) -> tuple[list[str], str]:
    own = tuple(table.place(label, "model") for label in table.labels)
    proposed = (table.place("0", "module"), *own[1:])
    taken, (report,) = replace_where_nothing_suffers(table, own, proposed)
    return [member.candidate.source for member in table.members(taken)], report.refusal


def test_a_replacement_that_helps_and_harms_nothing_is_taken() -> None:
    assert patched(patch_table(OWN[0])) == (["module", "model", "model"], "")


def test_a_replacement_that_harms_other_labels_is_refused_and_says_so() -> None:
    greedy = torch.where((THIRDS == 0) | (torch.arange(60) < 10), 5.0, -5.0)
    sources, refusal = patched(patch_table(greedy))
    assert sources == ["model", "model", "model"]
    assert "all other labels falls from 1.0000 to 0.8" in refusal


def test_a_replacement_that_does_not_help_is_refused() -> None:
    sources, refusal = patched(patch_table(torch.full((60,), -8.0)))
    assert sources == ["model", "model", "model"]
    assert "does not rise" in refusal
