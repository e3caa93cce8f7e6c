"""What cannot be composed, or measured together, is refused with what to do, and nothing is stored.

One case for each task and kind of error: all cases are in `unit/reuser/test_composition_plans.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from composing_stock import ANYHOW, LOW, VALIDATION, WAIT, Stock, push_module, push_untrained

from modelfoundry import errors
from modelfoundry.client import (
    Client,
    ComposedModel,
    InputSpec,
    Job,
    NewLabel,
    ValidationSplit,
)


@pytest.mark.parametrize(
    ("subjects", "datasets", "field"),
    [
        pytest.param(["compositions/mixed", "models/a"], ["low", "high"], "subjects[1]", id="a model"),
        pytest.param(["compositions/mixed"], ["low", "twoless"], "other_datasets[0]", id="another data set"),
        pytest.param(["compositions/mixed"], ["low", "high", "low"], "other_datasets[1]", id="a data set twice"),
        pytest.param(["compositions/better"], ["low", "high"], "dataset", id="labels of one data set"),
    ],
)
@pytest.mark.usefixtures("mixed", "composition")
def test_what_cannot_be_measured_together_is_refused(
    stock: Stock, subjects: list[str], datasets: list[str], field: str
) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        stock.client.evaluate(subjects, datasets)
    assert caught.value.field == field
    assert caught.value.hint


Start = Callable[[Client], Job[ComposedModel]]


def new_task(*labels: NewLabel) -> Start:
    return lambda client: client.compose_labels(labels, "low", validation=VALIDATION)


@pytest.mark.parametrize(
    ("start", "error", "field", "says"),
    [
        pytest.param(
            lambda client: client.compose(["a", "high"], "low"),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "lacks '0', '1', '2' and has '3', '4', '5'",
            id="other labels",
        ),
        pytest.param(
            lambda client: client.patch("a", ["a-0", "b-1"], "low"),
            errors.InvalidField,
            "patch.sources[1]",
            "modules/b-1 normalises images with mean 0.6",
            id="a patch with another mean",
        ),
        pytest.param(
            lambda client: client.compose(["a", "a-0"], "low"), errors.NotFound, "", "models/a-0", id="a module's id"
        ),
        pytest.param(
            lambda client: client.compose(["a", "b"], "twoless", **ANYHOW),
            errors.DatasetMismatch,
            "dataset",
            "validation data would lack '2'",
            id="validation data without a label",
        ),
        pytest.param(
            lambda client: client.compose(["a", "b"], "low", validation=ValidationSplit(source_split="test"), **ANYHOW),
            errors.TestSplitSealed,
            "validation.source_split",
            "sealed",
            id="test data",
        ),
        pytest.param(
            new_task(NewLabel(label="0", sources=["models/a"]), NewLabel(label="00", sources=["models/a"])),
            errors.UnknownLabel,
            "new_task.labels[1]",
            "'00'",
            id="a label that nobody knows",
        ),
    ],
)
def test_what_cannot_be_composed_is_refused_in_the_call(
    stock: Stock, start: Start, error: type[errors.ModelFoundryError], field: str, says: str
) -> None:
    compositions = {each.name for each in stock.client.compositions.list()}
    jobs = {each.name for each in stock.client.jobs.list()}
    with pytest.raises(error) as caught:
        start(stock.client)
    assert caught.value.field == field or not field
    assert says in caught.value.message
    assert caught.value.hint
    assert {each.name for each in stock.client.compositions.list()} == compositions
    assert {each.name for each in stock.client.jobs.list()} == jobs


def test_a_module_whose_base_is_gone_is_not_composed(stock: Stock, tmp_path: Path) -> None:
    spec = InputSpec(1, 8, 8, (0.3,), (0.4,))
    doomed = push_untrained(stock.client, tmp_path, "doomed", LOW, spec)
    push_module(stock.client, tmp_path, doomed, stock.client.datasets.get("low"), "0", epochs=1)
    with pytest.raises(errors.InUse, match="doomed"):
        stock.client.models.delete("doomed")
    stock.client.models.delete("doomed", cascade=True)
    jobs = {each.name for each in stock.client.jobs.list()}
    with pytest.raises(errors.NotFound, match="doomed-0"):
        stock.client.patch("a", ["doomed-0"], "low", labels=["0"], validation=VALIDATION)
    with pytest.raises(errors.NotFound, match="doomed"):
        stock.client.compose(["a", "doomed"], "low", validation=VALIDATION)
    assert {each.name for each in stock.client.jobs.list()} == jobs


def test_a_patch_that_improves_nothing_stores_nothing(stock: Stock) -> None:
    job = stock.client.patch("a", ["a-0"], "low", labels=["0"], validation=VALIDATION, composition_id="pointless")
    with pytest.raises(errors.InvalidField, match="no replacement would improve the model") as caught:
        job.wait(timeout=WAIT)
    assert caught.value.field == "patch.sources"
    with pytest.raises(errors.NotFound):
        stock.client.compositions.get("pointless")
