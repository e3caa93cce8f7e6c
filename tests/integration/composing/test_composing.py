"""Composing modules of several models through the running services, and using what comes of it like a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from composing_stock import ANYHOW, VALIDATION, WAIT, Stock

from modelfoundry.client import Composition, CompositionTask, ExportFormat, NewLabel, Relation, Scoring
from modelfoundry.core.export import load_exported


def test_every_label_has_a_module_of_one_of_the_models(composition: Composition) -> None:
    assert composition.task is CompositionTask.MORE_ACCURATE
    assert composition.labels == ("0", "1", "2")
    for member in composition.members:
        assert member.source.rpartition("/")[2] in {f"a-{member.label}", f"b-{member.label}"}
        assert (member.source_label, member.scale, member.bias) == (member.label, 1.0, 0.0)
        assert 0 < member.validation_score <= 1


def test_the_record_compares_strategies_sources_and_their_ensemble(composition: Composition) -> None:
    record = composition.record
    assert (record.strategy, record.score, record.calibrated) == ("joint", "f1", False)
    accuracies = {report.strategy: report.validation_accuracy for report in record.strategies}
    assert accuracies["joint"] >= accuracies["per_label"]
    assert record.validation_accuracy == accuracies["joint"]
    assert [each.name.rpartition("/")[2] for each in record.baselines] == ["a", "b", "ensemble"]
    a, b, ensemble = record.baselines
    assert (ensemble.parameters, ensemble.macs) == (a.parameters + b.parameters, a.macs + b.macs)
    assert a.parameters > 50_000
    assert record.macs <= 3.1 * a.macs
    assert record.validation_samples == pytest.approx(0.3 * 390, abs=10)


def test_where_it_comes_from_is_on_record(stock: Stock, composition: Composition) -> None:
    edges = {(edge.relation, edge.object) for edge in stock.client.provenance(f'subject = "{composition.name}"')}
    assert {(Relation.COMPOSED_OF, member.source) for member in composition.members} <= edges
    assert (Relation.SELECTED_ON, "projects/zoo/datasets/low") in edges
    assert (Relation.PRODUCED_BY, composition.record.operation) in edges


def test_a_job_that_is_done_says_how_it_ended(stock: Stock, composition: Composition) -> None:
    progress = stock.client.jobs.get(composition.record.operation).refresh().progress
    assert progress is not None
    assert (progress.phase, progress.fraction) == ("stored", 1.0)


def test_an_equal_request_gives_the_same_job_and_another_another(stock: Stock, composition: Composition) -> None:
    again = stock.client.compose(["a", "b"], "low", validation=VALIDATION, composition_id="better", **ANYHOW)
    assert again.name == composition.record.operation
    settings = {"strategy": "per_label", "calibrate": True, **ANYHOW}
    other = stock.client.compose(["b", "a"], "low", validation=VALIDATION, **settings)
    record = other.wait(timeout=WAIT).composition.record
    assert other.name != again.name
    assert (record.strategy, record.calibrated) == ("per_label", True)


def test_a_composition_is_measured_beside_its_sources_and_their_ensemble(
    stock: Stock, composition: Composition
) -> None:
    job = stock.client.evaluate(composition, "low", baselines=True, latency_batch_sizes=[1])
    own, a, b, ensemble = job.wait(timeout=WAIT)
    assert [each.subject.rpartition("/")[2] for each in (own, a, b, ensemble)] == ["better", "a", "b", "better"]
    assert [each.scoring for each in (own, ensemble)] == [Scoring.ALL_OUTPUTS, Scoring.ENSEMBLE]
    assert own.subject_digest == composition.digest
    assert own.problem is None
    assert own.classification is not None
    assert own.classification.accuracy > 0.8
    assert own.cost is not None
    assert own.cost.latencies[0].batch_size == 1
    assert a.cost is not None
    assert b.cost is not None
    assert ensemble.cost is not None
    assert ensemble.cost.macs_dense == a.cost.macs_dense + b.cost.macs_dense


def test_predictions_are_those_that_were_measured(stock: Stock, composition: Composition) -> None:
    (own,) = stock.client.evaluate(composition, "low").wait(timeout=WAIT)
    answers = stock.client.predict("compositions/better", list(stock.images["low"]))
    assert own.classification is not None
    assert own.classification.confusion is not None
    said = [sum(row[column] for row in own.classification.confusion.rows) for column in range(3)]
    assert [sum(answer.label == label for answer in answers) for label in ("0", "1", "2")] == said
    assert answers[0].subject_digest == composition.digest
    assert sum(each.probability for each in answers[0].labels) == pytest.approx(1)


@pytest.mark.parametrize("compact", [False, True], ids=["masked", "compact"])
@pytest.mark.parametrize("export_format", list(ExportFormat), ids=str)
def test_every_export_gives_the_outputs_of_predict(
    stock: Stock, composition: Composition, tmp_path: Path, export_format: ExportFormat, compact: bool
) -> None:
    export = stock.client.export(composition, export_format, compact=compact).wait(timeout=WAIT)
    for file in export.files:
        stock.client.blobs.download(file.content, tmp_path / file.path)
    images = stock.images["low"][:9]
    logits = run_exported(tmp_path, export_format, images.astype(np.float32) / 255)
    expected = torch.from_numpy(logits).softmax(dim=1).tolist()
    for answer, row in zip(stock.client.predict(composition, list(images)), expected, strict=True):
        found = {each.label: each.probability for each in answer.labels}
        assert [found[label] for label in composition.labels] == pytest.approx(row, abs=1e-4)


def run_exported(folder: Path, export_format: ExportFormat, images: np.ndarray) -> np.ndarray:
    if export_format is ExportFormat.ONNX:
        return np.asarray(onnxruntime.InferenceSession(folder / "model.onnx").run(None, {"images": images})[0])
    if export_format is ExportFormat.TORCH_EXPORT:
        program = torch.export.load(folder / "model.pt2").module()
    else:
        program = load_exported(folder)
    with torch.inference_mode():
        return program(torch.from_numpy(images)).numpy()


def test_a_composition_is_composed_again(stock: Stock, composition: Composition) -> None:
    stock.client.aliases.set("compositions/three@live", composition)
    job = stock.client.compose(["compositions/three@live", "a"], "low", validation=VALIDATION, **ANYHOW)
    again = job.wait(timeout=WAIT).composition
    assert [each.name.rpartition("/")[2] for each in again.record.baselines] == ["better", "a", "ensemble"]
    assert again.record.validation_accuracy >= composition.record.validation_accuracy
    allowed = {member.source for member in composition.members} | {f"projects/zoo/modules/a-{n}" for n in range(3)}
    assert {member.source for member in again.members} <= allowed


def test_a_patch_replaces_what_a_model_is_weak_at_and_nothing_else(stock: Stock) -> None:
    sources = ["models/a", "models/b"]
    job = stock.client.patch("weak", sources, "low", validation=VALIDATION, composition_id="patched", **ANYHOW)
    result = job.wait(timeout=WAIT)
    patched = result.composition
    assert patched.task is CompositionTask.PATCH
    assert patched.base_model == "projects/zoo/models/weak"
    assert [member.source.rpartition("/")[2] for member in patched.members[:2]] == ["weak", "weak"]
    assert patched.members[2].source.rpartition("/")[2] in {"a-2", "b-2"}
    (replacement,) = result.replacements
    assert (replacement.label, replacement.refusal) == ("2", "")
    assert replacement.f1_after > replacement.f1_before
    assert replacement.others_after >= replacement.others_before
    changes = {change.label: change for change in patched.record.label_changes}
    assert changes["2"].after_f1 > changes["2"].before_f1
    assert patched.record.validation_accuracy > patched.record.baselines[0].validation_accuracy
    relations = {edge.relation for edge in stock.client.provenance(f'subject = "{patched.name}"')}
    assert Relation.PATCH_OF in relations


@pytest.mark.usefixtures("composition")
def test_a_new_task_takes_labels_from_different_models_and_data_sets(stock: Stock) -> None:
    labels = [
        NewLabel(label="zero", source_label="0", sources=["models/a", "compositions/better"]),
        NewLabel(label="three", source_label="3", sources=["high-3"], dataset="high"),
    ]
    composition = stock.client.compose_labels(labels, "low", validation=VALIDATION).wait(timeout=WAIT).composition
    assert composition.labels == ("zero", "three")
    assert composition.datasets == ("projects/zoo/datasets/low", "projects/zoo/datasets/high")
    assert composition.record.validation_accuracy > 0.9
    (low,) = stock.client.evaluate(composition, "low").wait(timeout=WAIT)
    (high,) = stock.client.evaluate(composition, "high").wait(timeout=WAIT)
    assert low.classification is not None
    assert low.classification.confusion is not None
    assert low.classification.confusion.labels == ("zero",)
    assert high.classification is not None
    assert high.classification.confusion is not None
    assert high.classification.confusion.labels == ("three",)
    assert 0 < high.sample_count < len(stock.images["high"])
    answer = stock.client.predict(composition, list(stock.images["high"][:1]))[0]
    assert {each.label for each in answer.labels} == {"zero", "three"}


def test_labels_of_several_data_sets_are_measured_together(stock: Stock, mixed: Composition) -> None:
    job = stock.client.evaluate(mixed, ["low", "high"], baselines=True)
    own, within = job.wait(timeout=WAIT)
    apart = [stock.client.evaluate(mixed, dataset).wait(timeout=WAIT)[0] for dataset in ("low", "high")]
    assert [part.dataset for part in own.parts] == [found.dataset for found in apart]
    assert [part.sample_count for part in own.parts] == [found.sample_count for found in apart]
    assert [part.labels for part in own.parts] == [("zero", "one"), ("three",)]
    assert own.sample_count == sum(found.sample_count for found in apart)
    assert own.problem is None
    confusion, low, high = (found.classification.confusion for found in (own, *apart))
    assert confusion.labels == ("zero", "three", "one")
    assert (confusion.rows[0][0], confusion.rows[2][2]) == (low.rows[0][0], low.rows[1][1])
    assert confusion.rows[1][1] == high.rows[0][0]
    assert (within.scoring, within.parts) == (Scoring.RESTRICTED, own.parts)
    rows = within.classification.confusion.rows
    assert (rows[1], rows[0][1], rows[2][1]) == ((0, own.parts[1].sample_count, 0), 0, 0)
    assert within.classification.accuracy >= own.classification.accuracy
    edges = stock.client.provenance(f'subject = "{own.name}"')
    assert {edge.object for edge in edges if edge.relation is Relation.MEASURED_ON} == set(mixed.datasets)


def test_figures_that_were_measured_on_other_images_are_the_same_preprocessing(stock: Stock) -> None:
    job = stock.client.compose(["a", "near"], "low", validation=VALIDATION)
    assert job.wait(timeout=WAIT).composition.labels == ("0", "1", "2")
