"""The rule that chooses an epoch, against a slow re-telling of the published one (SeaM)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelfoundry.decomposer.algorithms.seam.selection import Selection

TOTAL = 2000
SAMPLES = 8


@dataclass
class Told:
    accepted: int | None
    fallback: int
    stopped_after: int | None


def published_rule(base: Fraction, epochs: list[tuple[Fraction, Fraction]], early_stop: int) -> Told:
    """Reads like the published steps 1 to 3, in exact fractions, over a whole history of (accuracy, ratio)."""
    accepted = None
    best_a, best_r = Fraction(0), Fraction(1)
    patience = 0
    ever = False
    for epoch, (a, r) in enumerate(epochs):
        if a >= base:
            ever = True
            if math.floor(1000 * r) < math.floor(1000 * best_r):
                patience = 0
                accepted, best_a, best_r = epoch, a, r
            elif r > best_r or a <= best_a:
                pass
            else:
                accepted, best_a, best_r = epoch, a, r
        elif ever:
            patience += 1
            if patience == early_stop:
                return Told(accepted, first_best(epochs[: epoch + 1]), epoch)
    return Told(accepted, first_best(epochs), None)


def first_best(epochs: list[tuple[Fraction, Fraction]]) -> int:
    compromises = [a - r for a, r in epochs]
    return compromises.index(max(compromises))


def played(base: float, epochs: list[tuple[int, int]], patience: int) -> Told:
    selection = Selection(base_accuracy=base, total=TOTAL, patience=patience)
    told = Told(None, 0, None)
    for epoch, (correct, kept) in enumerate(epochs):
        verdict = selection.observe(correct / SAMPLES, kept)
        told.accepted = epoch if verdict.accepted else told.accepted
        told.fallback = epoch if verdict.fallback else told.fallback
        if verdict.stop:
            told.stopped_after = epoch
            break
    return told


# Eighths are exact as floats, so that the two tell the same story to the last bit; kept counts lie close together, so
# that equal thousandths and equal ratios come up often.
near_each_other = st.one_of(st.integers(990, 1010), st.integers(0, TOTAL), st.just(TOTAL))
histories = st.lists(st.tuples(st.integers(0, SAMPLES), near_each_other), min_size=1, max_size=40)


@given(base=st.integers(0, SAMPLES), epochs=histories, early_stop=st.sampled_from([-1, 1, 2, 5]))
def test_the_rule_is_the_published_one(base: int, epochs: list[tuple[int, int]], early_stop: int) -> None:
    exact = [(Fraction(correct, SAMPLES), Fraction(kept, TOTAL)) for correct, kept in epochs]
    told = published_rule(Fraction(base, SAMPLES), exact, early_stop)
    ours = played(base / SAMPLES, epochs, max(early_stop, 0))
    assert (ours.accepted, ours.stopped_after) == (told.accepted, told.stopped_after)
    # Differences of floats may differ in their last bit where the fractions are equal.
    compromises = [float(a - r) for a, r in exact]
    assert compromises[ours.fallback] == pytest.approx(compromises[told.fallback], abs=1e-12)


@given(base=st.integers(0, SAMPLES), epochs=histories, cut=st.integers(0, 40))
def test_a_selection_goes_on_from_its_facts(base: int, epochs: list[tuple[int, int]], cut: int) -> None:
    whole = Selection(base / SAMPLES, TOTAL, patience=3)
    resumed = Selection(base / SAMPLES, TOTAL, patience=3)
    for epoch, (correct, kept) in enumerate(epochs):
        if epoch == cut:
            resumed = Selection(**asdict(resumed))
        assert resumed.observe(correct / SAMPLES, kept) == whole.observe(correct / SAMPLES, kept)


@pytest.mark.parametrize(
    ("epochs", "chosen"),
    [
        pytest.param([(6, 2000), (6, 900), (7, 800), (5, 700)], 2, id="smallest-that-is-accurate-enough"),
        pytest.param([(6, 1000), (7, 1000)], 1, id="ties-go-to-the-more-accurate"),
        pytest.param([(7, 1001), (6, 1000)], 0, id="smaller-by-less-than-a-thousandth-and-less-accurate"),
        pytest.param([(7, 1002), (6, 1000)], 1, id="smaller-by-a-thousandth-and-less-accurate"),
        pytest.param([(5, 100), (5, 10)], None, id="never-accurate-enough"),
        pytest.param([(6, 2000)], 0, id="everything-kept"),
    ],
)
def test_the_smallest_epoch_at_the_bases_accuracy_is_chosen(epochs: list[tuple[int, int]], chosen: int | None) -> None:
    assert played(6 / SAMPLES, epochs, patience=0).accepted == chosen


def test_only_epochs_below_the_base_after_it_was_reached_wear_patience_out() -> None:
    below, above = (1, 500), (8, 500)
    assert played(0.5, [below, below, below], patience=2).stopped_after is None
    assert played(0.5, [below, above, below, above, below], patience=2).stopped_after == 4
    assert played(0.5, [above, below, (8, 100), below, below], patience=2).stopped_after == 4
