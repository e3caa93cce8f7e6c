"""Quantities, tables and JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelfoundry.cli.rendering.comparisons import compare
from modelfoundry.cli.rendering.evaluation_table import artifact_text
from modelfoundry.cli.rendering.json_output import as_plain, print_json
from modelfoundry.cli.rendering.problem_text import problem_text
from modelfoundry.cli.rendering.quantities import byte_count, count, duration, percent_interval
from modelfoundry.cli.rendering.tables import Column, print_table
from modelfoundry.client import (
    BinaryProblem,
    CostMetrics,
    Evaluation,
    JobState,
    JobStatus,
    MultiClassProblem,
    OpenSetProblem,
    Scoring,
)
from modelfoundry.errors import FieldViolation, WeightsMismatch


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_100_000, "1.0 MiB"), (5 * 2**40, "5.0 TiB")]
)
def test_bytes_have_binary_units(size, text):
    assert byte_count(size) == text


def test_what_is_stored_in_others_has_no_size_of_its_own():
    cost = CostMetrics(macs_dense=1, macs_sparse=1, parameter_bytes=4, artifact_bytes=0)
    assert [artifact_text(None), artifact_text(cost)] == ["", ""]
    assert artifact_text(replace(cost, artifact_bytes=4000)) == "3.9 KiB"


def test_counts_have_decimal_units():
    assert [count(n) for n in (7, 1500, 40_800_000)] == ["7", "1.5 k", "40.8 M"]


def test_spans_of_time_grow_hours_only_when_they_need_them():
    assert [duration(s) for s in (4.21, 187, 7387)] == ["4.2 s", "3:07", "2:03:07"]


def test_an_accuracy_comes_with_its_interval():
    assert percent_interval(0.9173, 0.9117, 0.9226) == "91.73 % [91.2, 92.3]"


def test_problems_are_said_in_words():
    assert problem_text(BinaryProblem("horse")) == "horse against the rest"
    assert problem_text(MultiClassProblem(("a", "b", "c"))) == "a, b or c"
    assert problem_text(MultiClassProblem(tuple("abcdefgh"))) == "a, b, c, d, e, f or 2 more"
    assert problem_text(OpenSetProblem(("a", "b"))) == "a or b, or none of them"
    assert problem_text(None) == "all labels"


def test_a_row_stays_on_one_line_where_there_is_no_terminal(capsys):
    print_table([Column("A"), Column("B", "right")], [("x" * 100, "[bold]7")])
    header, _, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["A", "B"]
    assert row.split() == ["x" * 100, "[bold]7"]


def test_no_rows_are_said_in_words(capsys):
    print_table([Column("A")], [], empty="no models")
    assert capsys.readouterr().out == "no models\n"


def test_json_has_the_fields_of_the_contracts(capsys):
    status = JobStatus(
        name="projects/default/operations/x",
        state=JobState.FAILED,
        error=WeightsMismatch("no fit", hint="look", violations=(FieldViolation("a", "missing"),)),
        create_time=datetime(2026, 11, 23, tzinfo=UTC),
    )
    print_json([status])
    (found,) = json.loads(capsys.readouterr().out)
    assert found["state"] == "failed"
    assert found["create_time"] == "2026-11-23T00:00:00+00:00"
    assert found["progress"]["remaining"] is None
    assert found["error"] == {
        "reason": "WEIGHTS_MISMATCH",
        "message": "no fit",
        "field": "",
        "hint": "look",
        "violations": [{"field": "a", "description": "missing"}],
    }


def test_spans_of_time_are_seconds_in_json_and_unknown_types_are_refused():
    assert as_plain({"left": timedelta(seconds=90), "path": Path("a")}) == {"left": 90.0, "path": "a"}
    with pytest.raises(TypeError):
        as_plain(object())


def test_baselines_stand_beside_the_module_that_they_belong_to():
    def evaluation(subject: str, module: str, scoring: Scoring = Scoring.ALL_OUTPUTS) -> Evaluation:
        return Evaluation(
            subject=subject,
            module=module,
            scoring=scoring,
            subject_digest="",
            dataset="",
            dataset_digest="",
            split="test",
        )

    own, other = evaluation("m1", "m1"), evaluation("m2", "m2")
    plain, restricted = evaluation("base", "m1"), evaluation("base", "m1", Scoring.RESTRICTED)
    model = evaluation("base", "")
    first, second, third = compare([own, plain, restricted, other, model])
    assert (first.own, first.base_all_outputs, first.base_restricted) == (own, plain, restricted)
    assert (second.own, second.base_all_outputs, second.base_restricted) == (other, None, None)
    assert third.own is model
