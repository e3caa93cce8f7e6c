"""Target problems and where their labels stand in a model."""

from __future__ import annotations

import pytest

from modelfoundry.errors import InvalidField, UnknownLabel
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, resolve

ANIMALS = ("bird", "cat", "deer", "dog", "horse")


def test_a_binary_problem_has_its_label_and_the_rest_as_outputs() -> None:
    problem = BinaryProblem("cat")
    assert (problem.labels, problem.outputs) == (("cat",), ("cat", "rest"))
    assert resolve(problem, ANIMALS) == (1,)


def test_a_multi_class_problem_keeps_the_order_of_its_labels() -> None:
    problem = MultiClassProblem(("horse", "bird"))
    assert (problem.labels, problem.outputs) == (("horse", "bird"), ("horse", "bird"))
    assert resolve(problem, ANIMALS) == (4, 0)


def test_an_open_set_problem_has_its_labels_and_the_rest_as_outputs() -> None:
    problem = OpenSetProblem(("horse", "bird"))
    assert (problem.labels, problem.outputs) == (("horse", "bird"), ("horse", "bird", "rest"))
    assert resolve(problem, ANIMALS) == (4, 0)


def test_an_unknown_label_is_answered_with_the_near_ones() -> None:
    with pytest.raises(UnknownLabel) as caught:
        resolve(BinaryProblem("hrose"), ANIMALS, field="seam.problem")
    assert caught.value.field == "seam.problem.binary.label"
    assert "horse" in caught.value.hint
    assert caught.value.metadata == {"near": "horse"}


def test_a_label_like_no_other_is_answered_with_some_that_there_are() -> None:
    with pytest.raises(UnknownLabel) as caught:
        resolve(MultiClassProblem(("cat", "x" * 1_000_000)), [f"label {number}" for number in range(100)] + ["cat"])
    assert caught.value.field == "problem.multi_class.labels[1]"
    assert len(str(caught.value)) + len(caught.value.hint) < 500


@pytest.mark.parametrize(
    ("kind", "field"), [(MultiClassProblem, "multi_class"), (OpenSetProblem, "open_set")], ids=["multi", "open"]
)
@pytest.mark.parametrize(
    ("labels", "place"),
    [
        pytest.param(("cat",), "", id="too-few"),
        pytest.param((), "", id="none"),
        pytest.param(("cat", "dog", "cat"), "[2]", id="twice"),
        pytest.param(ANIMALS, "", id="all"),
    ],
)
def test_labels_that_make_no_problem_are_refused(
    kind: type[MultiClassProblem | OpenSetProblem], field: str, labels: tuple[str, ...], place: str
) -> None:
    with pytest.raises(InvalidField) as caught:
        resolve(kind(labels), ANIMALS)
    assert caught.value.field == f"problem.{field}.labels{place}"
