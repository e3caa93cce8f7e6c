"""Measuring models and modules through the running services."""

from __future__ import annotations

import dataclasses
import math

import pytest
from foundry import QUICK, Foundry

from modelfoundry import errors
from modelfoundry.client import Evaluation, Module, Scoring

DROPPING = dataclasses.replace(QUICK, epochs=24)
"""Three labels are known so well at first that the first epochs are chosen for their accuracy, with every weight."""


@pytest.fixture(scope="module")
def module(foundry: Foundry) -> Module:
    job = foundry.client.decompose(
        "digits-cnn", "digits", labels=["0", "1", "2"], recipe=DROPPING, module_id="zero-to-two"
    )
    return job.wait(timeout=240)[0]


@pytest.fixture(scope="module")
def measured(foundry: Foundry, module: Module) -> tuple[Evaluation, ...]:
    job = foundry.client.evaluate(module, "digits", baselines=True, latency_batch_sizes=[1, 16])
    return job.wait(timeout=240)


def test_a_module_is_measured_beside_both_baselines_of_its_base(
    foundry: Foundry, module: Module, measured: tuple[Evaluation, ...]
) -> None:
    assert [(each.subject, each.scoring) for each in measured] == [
        (module.name, Scoring.ALL_OUTPUTS),
        (foundry.model.name, Scoring.ALL_OUTPUTS),
        (foundry.model.name, Scoring.RESTRICTED),
    ]
    assert all(each.module == module.name for each in measured)
    assert all(each.problem == module.problem for each in measured)


def test_every_result_names_data_split_samples_and_interval(foundry: Foundry, measured: tuple[Evaluation, ...]) -> None:
    for each in measured:
        assert each.split == "test"
        assert each.dataset_digest == foundry.dataset.digest
        assert each.classification is not None
        assert each.classification.confusion is not None
        counted = sum(sum(row) for row in each.classification.confusion.rows)
        assert each.sample_count == counted > 100
        interval = each.classification.accuracy_interval
        assert interval is not None
        assert interval.lower <= each.classification.accuracy <= interval.upper
        assert interval.level == 0.95


def test_the_restricted_baseline_is_never_below_the_one_over_all_labels(measured: tuple[Evaluation, ...]) -> None:
    _, unrestricted, restricted = measured
    assert unrestricted.classification is not None
    assert restricted.classification is not None
    assert restricted.classification.accuracy >= unrestricted.classification.accuracy
    assert unrestricted.classification.confusion is not None
    assert {len(row) for row in unrestricted.classification.confusion.rows} == {4}  # one column for other labels


def test_a_module_is_compared_with_its_base_on_the_same_samples(measured: tuple[Evaluation, ...]) -> None:
    own, unrestricted, restricted = measured
    found = own.against_base
    assert found is not None
    assert found.accuracy.value == pytest.approx(_accuracy(own) - _accuracy(unrestricted))
    assert found.accuracy_restricted is not None
    assert found.accuracy_restricted.value == pytest.approx(_accuracy(own) - _accuracy(restricted))
    assert found.accuracy_at_prior is None
    assert [each.against_base for each in (unrestricted, restricted)] == [None, None]
    for each in measured:
        told = each.discrimination
        assert told is not None
        assert told.sample_count == told.positive_count == each.sample_count  # no rest: all samples are posed
        assert told.auc is not None
        assert told.auc_interval is not None
        assert told.auc_interval.lower < told.auc < told.auc_interval.upper


def test_a_problem_with_a_rest_is_measured_on_all_samples_too(foundry: Foundry) -> None:
    found, restricted = foundry.client.evaluate(foundry.model, "digits", label="3").wait(timeout=240)
    told = found.discrimination
    assert told is not None
    assert told == restricted.discrimination
    assert told.sample_count == 497
    assert found.sample_count == 2 * told.positive_count
    assert told.auc is not None
    assert told.auc > 0.9
    assert told.at_prior is not None
    assert told.at_prior.log_odds == pytest.approx(-math.log(9))
    assert told.at_prior.accuracy > 0.8


def _accuracy(evaluation: Evaluation) -> float:
    assert evaluation.classification is not None
    return evaluation.classification.accuracy


def test_retention_and_cost_are_those_of_the_module(module: Module, measured: tuple[Evaluation, ...]) -> None:
    own, base, _ = measured
    assert own.retention == module.retention
    assert base.retention is None
    assert own.cost is not None
    assert base.cost is not None
    assert own.cost.macs_sparse < own.cost.macs_dense
    assert own.cost.artifact_bytes == module.artifact.size_bytes
    assert [each.batch_size for each in own.cost.latencies] == [1, 16]
    assert all(0 < each.median_ms <= each.p95_ms for each in own.cost.latencies)


def test_results_are_kept_on_the_modules_card(
    foundry: Foundry, module: Module, measured: tuple[Evaluation, ...]
) -> None:
    kept = {each.name for each in foundry.client.evaluations.list(f'module = "{module.name}"')}
    assert {each.name for each in measured} <= kept


def test_a_model_is_measured_on_all_labels(foundry: Foundry) -> None:
    (found,) = foundry.client.evaluate(foundry.model, "digits").wait(timeout=240)
    assert found.sample_count == 497
    assert found.problem is None
    assert found.classification is not None
    assert len(found.classification.per_label) == 10


@pytest.mark.parametrize(
    ("subjects", "split", "error", "field"),
    [
        pytest.param(["models/digits-cnn"], "tset", errors.InvalidField, "split", id="a split that is not there"),
        pytest.param(["models/nothing"], "test", errors.NotFound, "", id="no such model"),
        pytest.param([], "test", errors.InvalidField, "subjects", id="nothing to measure"),
    ],
)
def test_a_bad_request_is_refused_at_once(
    foundry: Foundry, subjects: list[str], split: str, error: type[errors.ModelFoundryError], field: str
) -> None:
    with pytest.raises(error) as caught:
        foundry.client.evaluate(subjects, "digits", split=split)
    assert caught.value.hint
    if field:
        assert caught.value.field == field
