"""What came of modules that a request had made: the answer, or an error that says what they reached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelfoundry import errors
from modelfoundry.client import (
    BinaryProblem,
    BlobRef,
    ChoiceFigures,
    DecompositionRecord,
    Match,
    MatchKind,
    Module,
    ModuleOrigin,
    MultiClassProblem,
    Problem,
    RequestedModule,
)
from modelfoundry.reuser.on_demand.offers import Accuracy, Constraints, ModuleOffer
from modelfoundry.reuser.on_demand.outcomes import module_of, taken, unmet

ANSWER = RequestedModule(
    label="kitty",
    match=Match(kind=MatchKind.SYNONYM, label="cat"),
    origin=ModuleOrigin.TO_BE_MADE,
    module="",
    reason="none is registered",
    figures=ChoiceFigures(),
    model="projects/p/models/net",
    dataset="projects/p/datasets/animals",
    algorithm="seam",
)
OFFER = ModuleOffer(
    name="projects/p/modules/net-cat",
    label="cat",
    accuracy=Accuracy(0.75, 100),
    size_bytes=2048,
    latency_ms=None,
    license="",
    model="projects/p/models/net",
    dataset="projects/p/datasets/animals",
    architecture="zoo:resnet20",
    algorithm="seam",
    shape=(3, 8, 8),
)


def module(problem: Problem) -> Module:
    return Module(
        base_model="projects/p/models/net",
        problem=problem,
        artifact=BlobRef("sha256:1"),
        dataset="projects/p/datasets/animals",
        record=DecompositionRecord(algorithm="seam"),
    )


def test_a_module_that_was_made_answers_for_the_word_that_was_asked() -> None:
    answer = taken(ANSWER, OFFER, ModuleOrigin.MADE, "made")
    assert (answer.label, answer.match.label, answer.module, answer.origin) == (
        "kitty",
        "cat",
        OFFER.name,
        ModuleOrigin.MADE,
    )
    assert answer.figures.validation_accuracy == 0.75
    assert 0.65 < answer.figures.accuracy_lower_bound < 0.75


def test_every_constraint_that_is_missed_is_told_with_what_was_reached() -> None:
    wanted = Constraints(min_accuracy=0.9, max_bytes=1000, max_latency_ms=2.0, license="MIT")
    error = unmet(ANSWER, OFFER, wanted, ("min_accuracy", "max_bytes", "max_latency_ms", "license"))
    assert error.field == "constraints.min_accuracy"
    assert "misses min_accuracy 0.9, max_bytes 1000" in error.message
    assert [violation.description.rpartition("reached ")[2] for violation in error.violations] == [
        "0.7500",
        "2048",
        "no measurement",
        "none",
    ]
    assert error.metadata == {"module": OFFER.name}


def test_budgets_that_are_missed_are_told_as_shares() -> None:
    wanted = Constraints(min_accuracy_of_base=True, max_macs=0.2, max_latency=0.5)
    offer = replace(OFFER, macs=0.25, base_accuracy=0.8)
    error = unmet(ANSWER, offer, wanted, ("min_accuracy_of_base", "max_macs", "max_latency"))
    assert "misses min_accuracy_of_base, max_macs 0.2, max_latency 0.5" in error.message
    assert [violation.description.rpartition("reached ")[2] for violation in error.violations] == [
        "0.7500, its base 0.8000",
        "0.2500",
        "no measurement",
    ]


def test_the_module_of_a_label_is_that_of_its_binary_problem() -> None:
    made = (module(MultiClassProblem(("cat", "dog"))), module(BinaryProblem("dog")), module(BinaryProblem("cat")))
    assert module_of("cat", made) is made[2]
    with pytest.raises(errors.Internal, match="no module of 'cow'"):
        module_of("cow", made)
