"""Composing modules of several models through the running services, and using what comes of it like a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import safetensors.numpy
import torch
from composing_stock import push_digits, push_model, push_module, push_untrained
from service_stack import running_stack

from modelfoundry import errors
from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.main import run
from modelfoundry.client import (
    Client,
    ComposedModel,
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
    ExportFormat,
    InputSpec,
    Job,
    NewLabel,
    Relation,
    Scoring,
    ValidationSplit,
)
from modelfoundry.core import architectures
from modelfoundry.core.export import load_exported

LOW, HIGH = (0, 1, 2), (3, 4, 5)
VALIDATION = ValidationSplit(fraction=0.3)
WAIT = 240
PROJECT = "projects/zoo"
ANYHOW = {"allow_different_preprocessing": True}
"""For `a` and `b`, which normalise images differently."""


@dataclass(frozen=True)
class Stock:
    """Services with models `a` and `b` of low digits, `high` of high ones, and `weak`, which hardly saw a 2."""

    client: Client
    images: dict[str, np.ndarray]
    """Test images by data set."""


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    folder = tmp_path_factory.mktemp("composing")
    (folder / "services").mkdir()
    names = ("registry", "evaluator", "reuser")
    # Jobs in the service itself: processes of their own have their tests elsewhere, and cost seconds each.
    inline = {"MODELFOUNDRY_REUSER_EXECUTOR": "inline", "MODELFOUNDRY_EVALUATOR_EXECUTOR": "inline"}
    with (
        running_stack(folder / "services", inline, names=names) as stack,
        Client(stack.endpoints, parent=PROJECT) as client,
    ):
        low = push_digits(client, folder, "low", LOW)
        high = push_digits(client, folder, "high", HIGH)
        push_digits(client, folder, "twoless", LOW, {2: 1})
        a = push_model(client, folder, "a", LOW, seed=0)
        b = push_model(client, folder, "b", LOW, seed=1, mean=0.6)
        push_model(client, folder, "weak", LOW, limits={2: 2}, epochs=6)
        push_untrained(client, folder, "bare", LOW, architectures.InputSpec(1, 8, 8, (0.3,), (0.4,)))
        push_untrained(client, folder, "large", LOW, architectures.InputSpec(1, 16, 16, (0.3,), (0.4,)))
        push_untrained(client, folder, "coloured", LOW, architectures.InputSpec(3, 8, 8))
        push_untrained(client, folder, "stretched", LOW, architectures.InputSpec(1, 8, 8, (0.3,), (0.2,)))
        near = architectures.InputSpec(1, 8, 8, (0.305,), (0.395,))
        push_module(client, folder, push_untrained(client, folder, "near", LOW, near), low, "0", epochs=1)
        for model in (a, b):
            for label in model.labels:
                push_module(client, folder, model, low, label)
        push_module(client, folder, push_model(client, folder, "high", HIGH), high, "3")
        images = {}
        for dataset in (low, high):
            test = next(split for split in dataset.splits if split.split == "test")
            path = client.blobs.download(test.content, folder / f"{dataset.id}-test.safetensors")
            images[dataset.id] = safetensors.numpy.load_file(path)["images"]
        yield Stock(client, images)


@pytest.fixture(scope="module")
def composed(stock: Stock) -> ComposedModel:
    job = stock.client.compose(["a", "b"], "low", validation=VALIDATION, composition_id="better", **ANYHOW)
    return job.wait(timeout=WAIT)


@pytest.fixture(scope="module")
def composition(composed: ComposedModel) -> Composition:
    return composed.composition


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


@pytest.fixture(scope="module")
def mixed(stock: Stock) -> Composition:
    """Two labels of low digits and one of high ones."""
    labels = [
        NewLabel(label="zero", source_label="0", sources=["models/a"]),
        NewLabel(label="three", source_label="3", sources=["high-3"], dataset="high"),
        NewLabel(label="one", source_label="1", sources=["models/b"]),
    ]
    job = stock.client.compose_labels(labels, "low", validation=VALIDATION, composition_id="mixed")
    return job.wait(timeout=WAIT).composition


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
            lambda client: client.compose(["a", "large"], "low"),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "models/large takes images of 1x16x16 (channels, height, width), projects/zoo/models/a of 1x8x8",
            id="another image size",
        ),
        pytest.param(
            lambda client: client.compose(["a", "coloured"], "low", **ANYHOW),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "models/coloured takes images of 3x8x8 (channels, height, width), projects/zoo/models/a of 1x8x8",
            id="another number of channels",
        ),
        pytest.param(
            lambda client: client.compose(["a", "b"], "low"),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "mean 0.6 and deviation 0.4, projects/zoo/models/a with mean 0.3 and deviation 0.4",
            id="another mean",
        ),
        pytest.param(
            lambda client: client.compose(["a", "stretched"], "low"),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "mean 0.3 and deviation 0.2, projects/zoo/models/a with mean 0.3 and deviation 0.4",
            id="another deviation",
        ),
        pytest.param(
            lambda client: client.patch("a", ["a-0", "b-1"], "low"),
            errors.InvalidField,
            "patch.sources[1]",
            "modules/b-1 normalises images with mean 0.6",
            id="a patch with another mean",
        ),
        pytest.param(
            lambda client: client.patch("a", ["models/coloured"], "low"),
            errors.InvalidField,
            "patch.sources[0]",
            "models/coloured takes images of 3x8x8",
            id="a patch with another number of channels",
        ),
        pytest.param(
            new_task(NewLabel(label="0", sources=["models/a"]), NewLabel(label="1", sources=["models/large"])),
            errors.InvalidField,
            "new_task.labels[1].sources[0]",
            "models/large takes images of 1x16x16",
            id="a new task with another image size",
        ),
        pytest.param(
            lambda client: client.compose(["a", "bare"], "low"),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "bare has no modules",
            id="a source without modules",
        ),
        pytest.param(
            lambda client: client.compose(["a"], "low"), errors.InvalidField, "more_accurate.sources", "1 are", id="one"
        ),
        pytest.param(
            lambda client: client.compose(["a", "a-0"], "low"), errors.NotFound, "", "models/a-0", id="a module's id"
        ),
        pytest.param(
            lambda client: client.compose(["a", "modules/a-0"], "low"),
            errors.InvalidField,
            "more_accurate.sources[1]",
            "cannot be taken here",
            id="a module",
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
            lambda client: client.compose(["a", "b"], "low", score="auc"),
            errors.InvalidField,
            "score",
            "auc",
            id="score",
        ),
        pytest.param(
            new_task(NewLabel(label="x", sources=["models/a"]), NewLabel(label="x", sources=["models/b"])),
            errors.InvalidField,
            "new_task.labels[1].label",
            "there twice",
            id="a label twice",
        ),
        pytest.param(
            new_task(NewLabel(label="0", sources=["models/a"])),
            errors.InvalidField,
            "new_task.labels",
            "two labels or more",
            id="one label",
        ),
        pytest.param(
            new_task(NewLabel(label="0", sources=["models/a"]), NewLabel(label="00", sources=["models/a"])),
            errors.UnknownLabel,
            "new_task.labels[1]",
            "'00'",
            id="a label that nobody knows",
        ),
        pytest.param(
            new_task(NewLabel(label="0", sources=["models/a"]), NewLabel(label="1", sources=["models/bare"])),
            errors.UnknownLabel,
            "new_task.labels[1]",
            "has a module",
            id="a label without a module",
        ),
        pytest.param(
            new_task(
                NewLabel(label="0", sources=["models/a"]),
                NewLabel(label="3", sources=["high-3"], dataset="low"),
            ),
            errors.DatasetMismatch,
            "dataset",
            "lacks the label '3'",
            id="a data set without the label",
        ),
        pytest.param(
            new_task(
                NewLabel(label="0", sources=["models/a"]),
                NewLabel(label="o", source_label="0", sources=["models/b"]),
            ),
            errors.InvalidField,
            "new_task.labels[1].source_label",
            "the same images",
            id="the same images twice",
        ),
        pytest.param(
            lambda client: client.patch("weak", ["models/a"], "low", labels=["tow"]),
            errors.UnknownLabel,
            "patch.labels[0]",
            "no label 'tow'",
            id="a label that the patched model lacks",
        ),
        pytest.param(
            lambda client: client.patch("weak", ["models/bare"], "low"),
            errors.InvalidField,
            "patch.sources",
            "no modules",
            id="nothing to patch with",
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


def test_a_composition_is_judged_by_the_models_in_it(stock: Stock) -> None:
    of_b = Composition(
        task=CompositionTask.MORE_ACCURATE,
        members=tuple(CompositionMember(label=n, source=f"{PROJECT}/modules/b-{n}", source_label=n) for n in "012"),
        input=InputSpec(1, 8, 8, (0.0,), (1.0,)),
        datasets=(f"{PROJECT}/datasets/low",),
        record=CompositionRecord(strategy="per_label"),
    )
    composition = stock.client.compositions.create(of_b, composition_id="of-b")
    with pytest.raises(errors.InvalidField, match=r"b-0 normalises images with mean 0\.6") as caught:
        stock.client.compose(["a", composition], "low", validation=VALIDATION)
    assert caught.value.field == "more_accurate.sources[1]"
    assert "allow_different_preprocessing" in caught.value.hint


def test_figures_that_were_measured_on_other_images_are_the_same_preprocessing(stock: Stock) -> None:
    job = stock.client.compose(["a", "near"], "low", validation=VALIDATION)
    assert job.wait(timeout=WAIT).composition.labels == ("0", "1", "2")


def test_a_module_whose_base_is_gone_is_not_composed(stock: Stock, tmp_path: Path) -> None:
    spec = architectures.InputSpec(1, 8, 8, (0.3,), (0.4,))
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


@pytest.fixture
def cli(
    stock: Stock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[str, str]]:
    for service in ("registry", "evaluator", "reuser"):
        monkeypatch.setenv(f"MODELFOUNDRY_{service.upper()}", getattr(stock.client.endpoints, service))
    monkeypatch.setenv("MODELFOUNDRY_PROJECT", PROJECT.partition("/")[2])

    def call(*arguments: str, status: int = ExitCode.OK) -> tuple[str, str]:
        capsys.readouterr()
        found = run([*arguments, "--validation-fraction", "0.3"])
        captured = capsys.readouterr()
        assert found == status, captured.err
        return captured.out, captured.err

    return call


def test_the_command_composes_and_says_what_to_do_next(cli: Callable[..., tuple[str, str]]) -> None:
    settings = ("--strategy", "per-label", "--name", "typed", "--allow-different-preprocessing")
    out, err = cli("compose", "a", "b", "--dataset", "low", *settings)
    lines = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in out.splitlines()]
    assert lines[0] == ["compositions/typed"]
    assert {line[0]: line[1] for line in lines if line[:1] in (["0"], ["1"], ["2"])}.keys() == {"0", "1", "2"}
    compared = [line[0] for line in lines if len(line) == 4 and "%" in line[1]]
    assert compared[:4] == ["this composition", "models/a", "models/b", "ensemble"]
    assert "modelfoundry evaluate compositions/typed --baselines --dataset low" in " ".join(err.split())


def test_the_command_patches_and_composes_new_tasks(cli: Callable[..., tuple[str, str]]) -> None:
    sources = ("models/a", "models/b", "--patch", "weak", "--labels", "2")
    _, err = cli("compose", *sources, "--dataset", "low", status=ExitCode.USAGE)
    assert "--allow-different-preprocessing" in " ".join(err.split())
    out, _ = cli("compose", *sources, "--dataset", "low", "--allow-different-preprocessing", "--json")
    patched = json.loads(out)
    assert patched["composition"]["task"] == "patch"
    assert [each["label"] for each in patched["replacements"]] == ["2"]
    out, _ = cli("compose", "--label", "zero=models/a:0@low", "--label", "3=high-3@high", "--json")
    assert json.loads(out)["composition"]["labels"] == ["zero", "3"]


def test_the_command_measures_labels_of_several_data_sets_together(
    stock: Stock, mixed: Composition, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for service in ("registry", "evaluator"):
        monkeypatch.setenv(f"MODELFOUNDRY_{service.upper()}", getattr(stock.client.endpoints, service))
    monkeypatch.setenv("MODELFOUNDRY_PROJECT", PROJECT.partition("/")[2])
    assert run(["evaluate", "compositions/mixed", "--dataset", "low,high", "--baselines"]) == ExitCode.OK
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mixed")]
    assert ["within each data set" in row for row in rows] == [False, True]
    assert run(["composition", "show", "mixed"]) == ExitCode.OK
    shown = " ".join(capsys.readouterr().out.split())
    assert "of low, high, chosen from all outputs" in shown
    assert "of low, high, chosen from the labels of the image's data set" in shown
    evaluation = next(iter(stock.client.evaluations.list(f'subject = "{mixed.name}"')))
    assert run(["evaluation", "show", evaluation.id]) == ExitCode.OK
    assert f"{evaluation.parts[1].dataset_digest}, three on" in " ".join(capsys.readouterr().out.split())
