"""What people see of modules beside every way in which their base answers."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from modelfoundry.cli.rendering.discrimination_table import beside_base, discrimination_facts
from modelfoundry.cli.rendering.evaluation_table import accuracy_text, print_evaluations
from modelfoundry.client import (
    BaseComparison,
    BinaryProblem,
    ClassificationMetrics,
    Difference,
    DiscriminationMetrics,
    Evaluation,
    Interval,
    MultiClassProblem,
    PriorThreshold,
    Scoring,
)

PARENT = "projects/default"
MODULE = f"{PARENT}/modules/resnet20-horse-2022dfb4"


def around(value: float, by: float = 0.01) -> Interval:
    return Interval(value - by, value + by, 0.95)


def accuracy(value: float) -> ClassificationMetrics:
    return ClassificationMetrics(
        accuracy=value,
        accuracy_interval=around(value),
        precision=value,
        recall=value,
        f1=value,
        per_label=(),
        confusion=None,
    )


def told_apart(auc: float, balanced: float, prior: PriorThreshold | None = None) -> DiscriminationMetrics:
    return DiscriminationMetrics(
        sample_count=10000,
        positive_count=1000,
        auc=auc,
        auc_interval=around(auc, 0.001),
        balanced_accuracy=balanced,
        balanced_accuracy_interval=around(balanced),
        at_prior=prior,
    )


OWN = Evaluation(
    subject=MODULE,
    subject_digest="",
    module=MODULE,
    problem=BinaryProblem("horse"),
    dataset=f"{PARENT}/datasets/cifar10",
    dataset_digest="",
    split="test",
    sample_count=2000,
    classification=accuracy(0.974),
    discrimination=told_apart(0.9971, 0.9735),
    against_base=BaseComparison(
        accuracy=Difference(0.005, Interval(-0.0035, 0.0135, 0.95)),
        accuracy_at_prior=Difference(0.0025, Interval(-0.006, 0.011, 0.95)),
        balanced_accuracy=Difference(0.0041, Interval(-0.002, 0.01, 0.95)),
        balanced_accuracy_at_prior=Difference(-0.001, Interval(-0.007, 0.005, 0.95)),
        auc=Difference(-0.0012, Interval(-0.002, -0.0004, 0.95)),
    ),
)
PRIOR = PriorThreshold(
    log_odds=-2.1972,
    accuracy=0.9715,
    accuracy_interval=around(0.9715),
    balanced_accuracy=0.9745,
    balanced_accuracy_interval=around(0.9745),
)
BASE = replace(
    OWN,
    subject=f"{PARENT}/models/resnet20",
    classification=accuracy(0.969),
    discrimination=told_apart(0.9983, 0.9694, PRIOR),
    against_base=None,
)
RESTRICTED = replace(BASE, scoring=Scoring.RESTRICTED)


def test_a_module_stands_above_every_answer_of_its_base_with_what_lies_between(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_evaluations([OWN, BASE, RESTRICTED], PARENT)

    lines = capsys.readouterr().out.splitlines()[4:]
    header, _, *rows = (re.split(r" {2,}", line.strip()) for line in lines)
    area = "99.83 % [99.7, 99.9]"
    assert header == ["ANSWERS OF", "ACCURACY", "BALANCED, ALL", "AUC, ALL", "MODULE - BASE"]
    assert rows == [
        ["resnet20-horse-2022dfb4", "97.40 % [96.4, 98.4]", "97.35 % [96.4, 98.4]", "99.71 % [99.6, 99.8]"],
        ["base, all labels", "96.90 % [95.9, 97.9]", "96.94 % [95.9, 97.9]", area, "+0.50 [-0.35, +1.35]"],
        ["base, at the prior", "97.15 % [96.2, 98.2]", "97.45 % [96.5, 98.5]", area, "+0.25 [-0.60, +1.10]"],
        ["accuracy: on the N samples posed; balanced accuracy, area under the ROC curve: on all samples of the split"],
        ["base, all labels: the greatest of all its outputs decides"],
        ["base, at the prior: its log-odds decide, at a threshold that the number of labels gives, fitted on no data"],
        ["module - base: points of accuracy, same samples; the base is better where the interval is below 0"],
    ]
    assert max(map(len, lines)) <= 120


def test_without_a_rest_the_restricted_base_stands_in_a_row_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    problem = MultiClassProblem(("horse", "truck"))
    compared = BaseComparison(
        accuracy=Difference(0.2, around(0.2)), accuracy_restricted=Difference(-0.01, around(-0.01, 0.002))
    )
    own = replace(OWN, problem=problem, against_base=compared)
    base = replace(BASE, problem=problem, discrimination=told_apart(0.99, 0.8))
    print_evaluations([own, base, replace(base, scoring=Scoring.RESTRICTED)], PARENT)

    out = capsys.readouterr().out
    assert "  base, restricted" in out
    assert "-1.00 [-1.20, -0.80]" in out
    assert "at the prior" not in out


def test_evaluations_of_older_services_show_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    older = [replace(each, discrimination=None, against_base=None) for each in (OWN, BASE, RESTRICTED)]
    print_evaluations(older, PARENT)

    out = capsys.readouterr().out.splitlines()
    assert out[6].split() == ["resnet20-horse-2022dfb4", "97.40", "%", "[96.4,", "98.4]", "-", "-"]
    assert out[7].split() == ["base,", "all", "labels", "96.90", "%", "[95.9,", "97.9]", "-", "-"]


def test_a_model_on_a_problem_shows_its_answer_at_the_prior(capsys: pytest.CaptureFixture[str]) -> None:
    print_evaluations([replace(BASE, module="")], PARENT)

    out = capsys.readouterr().out
    assert "  base, at the prior   97.15 %" in out
    assert "MODULE - BASE" not in out


def test_a_modules_fact_sheet_says_what_lies_between_it_and_its_base() -> None:
    assert beside_base(OWN) == (
        "balanced 97.35 % [96.4, 98.4]; AUC 99.71 % [99.6, 99.8] on all 10000; "
        "minus base, all labels: +0.50 [-0.35, +1.35]; minus base, at the prior: +0.25 [-0.60, +1.10] points"
    )
    assert beside_base(replace(OWN, discrimination=None, against_base=None)) == ""


def test_every_figure_is_a_fact_of_its_evaluation() -> None:
    assert list(discrimination_facts(OWN)) == [
        ("all samples", "10000, 1000 of them with a label of the problem"),
        ("AUC", "99.71 % [99.6, 99.8]"),
        ("balanced accuracy", "97.35 % [96.4, 98.4]"),
        ("module - base, all labels", "+0.50 [-0.35, +1.35] points, balanced +0.41 [-0.20, +1.00]"),
        ("module - base, at the prior", "+0.25 [-0.60, +1.10] points, balanced -0.10 [-0.70, +0.50]"),
        ("module - base, AUC", "-0.12 [-0.20, -0.04] points"),
    ]
    assert ("at the prior", "97.15 % [96.2, 98.2], balanced 97.45 % [96.5, 98.5], log-odds above -2.197") in list(
        discrimination_facts(BASE)
    )


def test_accuracy_on_a_part_of_the_split_says_so_beside_what_is_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert OWN.discrimination is not None
    whole = OWN.discrimination.sample_count
    assert whole > OWN.sample_count
    print_evaluations([OWN], PARENT)
    header, _, row, *_ = (re.split(r" {2,}", line.strip()) for line in capsys.readouterr().out.splitlines())
    assert f"{OWN.sample_count} of {whole}" in row
    assert {"MACS, SPARSE", "N"} <= set(header)
    assert accuracy_text(OWN).endswith(f"on {OWN.sample_count} of {whole} samples")
    assert accuracy_text(replace(OWN, discrimination=None)).endswith(f"on {OWN.sample_count} samples")
