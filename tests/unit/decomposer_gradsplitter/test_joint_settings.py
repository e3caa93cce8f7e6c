"""Settings, recipes and the schedule that they make."""

from __future__ import annotations

from typing import Any

import pytest

from modelfoundry.decomposer.algorithms.gradsplitter import GRADSPLITTER
from modelfoundry.decomposer.algorithms.gradsplitter.settings import GradSplitterSettings
from modelfoundry.errors import InvalidField


def test_the_recipe_of_the_paper_has_its_schedule() -> None:
    settings = GRADSPLITTER.resolve("", {})
    assert settings == GRADSPLITTER.resolve("paper", {}) == GradSplitterSettings()
    assert settings.epochs == 145
    phases = [settings.phase(epoch) for epoch in range(145)]
    masks = [epoch for epoch, phase in enumerate(phases) if phase.trains_masks]
    assert masks == [epoch for epoch in range(5, 145) if (epoch - 5) % 7 < 5]
    assert [phase.lr_head for phase in phases] == [0.01] * 5 + [0.001] * 140
    starts = sorted({phase.start for phase in phases})
    assert starts == [0, *(start for cycle in range(20) for start in (5 + 7 * cycle, 10 + 7 * cycle))]


def test_phases_without_epochs_are_left_out() -> None:
    settings = GradSplitterSettings(warmup_epochs=0, head_epochs=0, cycles=2, mask_epochs=3)
    assert [(phase.start, phase.trains_masks) for phase in map(settings.phase, range(6))] == [(0, True)] * 3 + [
        (3, True)
    ] * 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("warmup_epochs", -1),
        ("cycles", 0),
        ("mask_epochs", 0),
        ("head_epochs", 10_001),
        ("batch_size", 0),
        ("batch_size", 5000),
        ("lr_warmup", 0.0),
        ("lr_head", float("nan")),
        ("lr_mask", float("inf")),
        ("alpha", -0.1),
        ("head_width", 0),
        ("accuracy_loss", 0.0),
        ("accuracy_loss", 1.5),
    ],
)
def test_values_out_of_range_are_refused_with_their_field(field: str, value: Any) -> None:
    with pytest.raises(InvalidField) as caught:
        GRADSPLITTER.resolve("paper", {field: value})
    assert caught.value.field == f"gradsplitter.recipe.{field}"
    assert caught.value.hint


def test_too_many_epochs_in_all_are_refused() -> None:
    with pytest.raises(InvalidField, match="cycles"):
        GradSplitterSettings(cycles=10_000, mask_epochs=10_000)


def test_unknown_recipes_and_settings_are_answered_with_near_ones() -> None:
    with pytest.raises(InvalidField, match="no recipe") as caught:
        GRADSPLITTER.resolve("papr", {})
    assert caught.value.hint == "did you mean paper?"
    with pytest.raises(InvalidField, match="no such setting") as caught:
        GRADSPLITTER.resolve("paper", {"alhpa": 1})
    assert "alpha" in caught.value.hint
