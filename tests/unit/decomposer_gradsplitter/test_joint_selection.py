"""Which epoch is taken, as a table."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelfoundry.decomposer.algorithms.gradsplitter.selection import Selection

BASE = 0.9
TABLE = {
    "fewest kernels of those that are near enough": ([(0.90, 100), (0.895, 60), (0.895, 80)], 1),
    "one percentage point is too much": ([(0.90, 100), (0.89, 10)], 0),
    "a little less than one is not": ([(0.90, 100), (0.8901, 10)], 1),
    "ties go to the more accurate": ([(0.892, 50), (0.91, 50), (0.90, 50)], 1),
    "full ties go to the earlier": ([(0.90, 50), (0.90, 50)], 0),
    "more accurate than the base is fine": ([(0.99, 70), (0.95, 60)], 1),
    "none is near enough: the most accurate": ([(0.5, 10), (0.7, 90), (0.6, 5)], 1),
    "none is near enough: of equals the smaller": ([(0.7, 90), (0.7, 80)], 1),
    "one that comes late is taken over more accurate ones": ([(0.99, 100), (0.99, 90), (0.8911, 3)], 2),
}


def _chosen(epochs: list[tuple[float, int]], base: float = BASE) -> tuple[int, bool]:
    """The epoch that would be taken, and whether as a fallback."""
    selection = Selection(base, 0.01)
    accepted = fallback = None
    for epoch, (accuracy, kept) in enumerate(epochs):
        verdict = selection.observe(accuracy, kept)
        accepted = epoch if verdict.accepted else accepted
        fallback = epoch if verdict.fallback else fallback
        selection = Selection(**asdict(selection))  # as after a restart
    assert fallback is not None
    return (fallback, True) if accepted is None else (accepted, False)


@pytest.mark.parametrize(("epochs", "expected"), TABLE.values(), ids=TABLE.keys())
def test_the_rule(epochs: list[tuple[float, int]], expected: int) -> None:
    chosen, fell_back = _chosen(epochs)
    assert chosen == expected
    assert fell_back == all(BASE - accuracy >= 0.01 - 1e-12 for accuracy, _ in epochs)


@pytest.mark.parametrize("correct", range(1, 101))
def test_exactly_one_percentage_point_is_too_much_whatever_the_floats_say(correct: int) -> None:
    assert _chosen([((correct - 1) / 100, 1)], base=correct / 100)[1]
    assert not _chosen([(correct / 100, 1)], base=correct / 100)[1]


accuracies = st.integers(850, 950).map(lambda thousandths: thousandths / 1000)


@given(epochs=st.lists(st.tuples(accuracies, st.integers(1, 20)), min_size=1, max_size=20))
def test_no_epoch_is_better_by_the_rule_than_the_one_taken(epochs: list[tuple[float, int]]) -> None:
    chosen, fell_back = _chosen(epochs)
    accuracy, kept = epochs[chosen]
    near = [(a, k) for a, k in epochs if round(BASE - a, 9) < 0.01]
    assert fell_back == (not near)
    if near:
        assert (kept, -accuracy) == min((k, -a) for a, k in near)
    else:
        assert (accuracy, -kept) == max((a, -k) for a, k in epochs)
