"""Asking for modules by label: what is there is given at once, what is missing is made once, whoever asks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from foundry import Foundry, stocked
from service_stack import INLINE, running_stack

from modelfoundry import errors
from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.main import run
from modelfoundry.client import (
    AsyncClient,
    Client,
    ExportFormat,
    GradSplitterRecipe,
    Job,
    LogWritten,
    MatchKind,
    ModuleOrigin,
    ProgressMade,
    RequestedModules,
    SeamRecipe,
    VocabularyTerm,
)

QUICK = SeamRecipe(recipe="paper", epochs=2, lr_mask=0.2, alpha=2.0)
ENDLESS = SeamRecipe(recipe="paper", epochs=10_000, lr_mask=0.2, alpha=2.0)
WAIT = 240


@pytest.fixture(scope="module")
def foundry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foundry]:
    """Services with one slot each: a job that waited in the slot of what it waits for would wait for ever."""
    with running_stack(tmp_path_factory.mktemp("services"), INLINE) as stack, Client(stack.endpoints) as client:
        foundry = stocked(stack, client)
        client.vocabularies.create(
            [
                VocabularyTerm(term="odd number"),
                VocabularyTerm(term="3", synonyms=("drei", "trinity"), broader=("odd number",)),
                VocabularyTerm(term="7", broader=("odd number",)),
                VocabularyTerm(term="4", synonyms=("quarter",)),
                VocabularyTerm(term="0", synonyms=("quarter",)),
            ],
            vocabulary_id="numbers",
        )
        yield foundry


def jobs_of_kind(foundry: Foundry, kind: str) -> list[str]:
    return [job.name for job in foundry.client.jobs.list(f'kind = "{kind}"')]


def modules_of(foundry: Foundry, label: str) -> list[str]:
    return [module.name for module in foundry.client.modules.list(f'labels:"{label}"')]


def test_a_missing_module_is_made_measured_and_then_there_at_once(foundry: Foundry) -> None:
    request = foundry.client.request(["drei"], recipe=QUICK)
    (planned,) = request.answers
    assert (planned.label, planned.match.kind, planned.match.label) == ("drei", MatchKind.SYNONYM, "3")
    assert (planned.origin, planned.module, planned.model) == (ModuleOrigin.TO_BE_MADE, "", foundry.model.name)
    assert "no module of 'drei' is registered; it is made from" in planned.reason
    assert request.job is not None

    made = request.wait(timeout=WAIT)
    (module,), (answer,) = made.modules, made.answers
    assert module.problem.labels == ("3",)
    assert (answer.origin, answer.module, answer.dataset) == (ModuleOrigin.MADE, module.name, foundry.dataset.name)
    assert answer.figures.validation_accuracy == module.record.validation_accuracy
    assert answer.figures.accuracy_lower_bound < module.record.validation_accuracy
    told = [event.text for event in request.job.events() if isinstance(event, LogWritten)]
    assert told[0] == f"making 3 from digits-cnn: started {module.record.operation}"
    assert told[1].startswith("measuring what was made: started projects/default/operations/evaluate-")
    (measured,) = foundry.client.evaluations.list(f'subject = "{module.name}"')
    assert (measured.split, measured.dataset) == ("test", foundry.dataset.name)

    before = [job.name for job in foundry.client.jobs.list()]
    again = foundry.client.request(["3"], recipe=QUICK)
    assert again.job is None
    assert again.wait().modules == (module,)
    assert again.answers[0].origin is ModuleOrigin.REGISTERED
    assert "the only registered module of '3'" in again.answers[0].reason
    assert [job.name for job in foundry.client.jobs.list()] == before


async def test_fifty_callers_at_once_cause_one_decomposition(foundry: Foundry) -> None:
    before = jobs_of_kind(foundry, "decompose")
    wanted = [["5"] if number % 2 else ["5", "3"] for number in range(50)]
    clients = [AsyncClient(foundry.stack.endpoints) for _ in wanted]
    try:
        asked = (client.request(labels, recipe=QUICK) for client, labels in zip(clients, wanted, strict=True))
        requests = await asyncio.gather(*asked)
        results = await asyncio.gather(*(request.wait(timeout=WAIT) for request in requests))
    finally:
        await asyncio.gather(*(client.close() for client in clients))

    assert len(set(jobs_of_kind(foundry, "decompose")) - set(before)) == 1
    assert len(modules_of(foundry, "5")) == 1
    assert {result.modules[0].name for result in results} == set(modules_of(foundry, "5"))
    assert len({request.job.name for request in requests if request.job is not None}) <= 2


def test_one_classifier_is_composed_and_written_and_then_there_at_once(foundry: Foundry, tmp_path: Path) -> None:
    first = foundry.client.request(["trinity", "7"], compose=True, format="onnx", recipe=QUICK)
    made = first.wait(timeout=WAIT)
    assert made.composition is not None
    assert made.composition.labels == ("trinity", "7")
    assert [member.source for member in made.composition.members] == [module.name for module in made.modules]
    assert made.composition.record.calibrated
    (export,) = made.exports
    assert (export.subject, export.format) == (made.composition.name, ExportFormat.ONNX)
    program = foundry.client.blobs.download(
        next(file.content for file in export.files if file.path == "model.onnx"), tmp_path / "numbers.onnx"
    )
    (output,) = onnxruntime.InferenceSession(program).get_outputs()
    assert output.shape[1] == 2

    again = foundry.client.request(["trinity", "7"], compose=True, format="onnx", recipe=QUICK)
    assert again.job is None
    assert (again.wait().composition, again.wait().exports) == (made.composition, made.exports)


def test_a_module_that_misses_a_constraint_is_named_and_stays(foundry: Foundry) -> None:
    request = foundry.client.request(["9"], max_bytes=10, recipe=QUICK)
    with pytest.raises(errors.ConstraintUnmet) as caught:
        request.wait(timeout=WAIT)

    (name,) = modules_of(foundry, "9")
    size = foundry.client.modules.get(name).artifact.size_bytes
    assert caught.value.field == "constraints.max_bytes"
    assert "relax max_bytes" in caught.value.hint
    assert [(each.field, each.description) for each in caught.value.violations] == [
        ("constraints.max_bytes", f"{name} reached {size}")
    ]
    assert foundry.client.request(["9"], max_bytes=size).job is None


def test_a_module_that_was_never_timed_is_measured_once(foundry: Foundry) -> None:
    foundry.client.request(["3"], recipe=QUICK).wait(timeout=WAIT)
    request = foundry.client.request(["3"], max_latency_ms=60_000, compact=True, format="safetensors", recipe=QUICK)
    assert request.answers[0].origin is ModuleOrigin.TO_BE_MEASURED
    result = request.wait(timeout=WAIT)

    assert result.answers[0].origin is ModuleOrigin.REGISTERED
    assert result.answers[0].figures.latency_ms
    assert result.modules[0].forms is not None
    assert foundry.client.request(["3"], max_latency_ms=60_000, recipe=QUICK).job is None


def test_cancelling_a_request_ends_its_decomposition_and_others_start_it_again(foundry: Foundry) -> None:
    before = set(jobs_of_kind(foundry, "decompose"))
    first = foundry.client.request(["8"], recipe=ENDLESS).job
    assert first is not None
    (search,) = _appeared(foundry, before, 1)
    second = foundry.client.request(["8"], min_accuracy=0.01, recipe=ENDLESS).job
    assert second is not None
    assert second.name != first.name
    _says(second, "found")
    _reaches(first, "making 8 from digits-cnn: masks and head")

    first.cancel()
    with pytest.raises(errors.Cancelled):
        first.wait(timeout=WAIT)
    with pytest.raises(errors.Cancelled):
        foundry.client.jobs.get(search).wait(timeout=WAIT)
    restarted = set(_appeared(foundry, before, 2)) - {search}
    second.cancel()
    with pytest.raises(errors.Cancelled):
        second.wait(timeout=WAIT)
    with pytest.raises(errors.Cancelled):
        foundry.client.jobs.get(restarted.pop()).wait(timeout=WAIT)
    assert modules_of(foundry, "8") == []


def _appeared(foundry: Foundry, before: set[str], number: int) -> list[str]:
    """So many new decompositions, as soon as there are."""
    while len(new := [name for name in jobs_of_kind(foundry, "decompose") if name not in before]) < number:
        time.sleep(0.1)
    return new


def _says(job: Job[RequestedModules], text: str) -> None:
    assert any(text in event.text for event in job.events() if isinstance(event, LogWritten))


def _reaches(job: Job[RequestedModules], phase: str) -> None:
    assert any(phase == event.progress.phase for event in job.events() if isinstance(event, ProgressMade))


REFUSED: list[Any] = [
    pytest.param({"labels": []}, errors.InvalidField, "labels", id="no label"),
    pytest.param({"labels": [""]}, errors.InvalidField, "labels[0]", id="an empty label"),
    pytest.param({"labels": ["?!"]}, errors.InvalidField, "labels[0]", id="a label without words"),
    pytest.param({"labels": ["3", "3"]}, errors.InvalidField, "labels[1]", id="a label twice"),
    pytest.param({"labels": ["3", "drei"]}, errors.InvalidField, "labels[1]", id="a label and its synonym"),
    pytest.param({"labels": ["3", "horse"]}, errors.UnknownLabel, "labels[1]", id="a label that nobody knows"),
    pytest.param({"labels": ["odd number"]}, errors.UnknownLabel, "labels[0]", id="a super-class"),
    pytest.param({"labels": ["quarter"]}, errors.UnknownLabel, "labels[0]", id="a word with two meanings"),
    pytest.param({"compose": True}, errors.InvalidField, "compose", id="a classifier of one label"),
    pytest.param({"compact": True}, errors.InvalidField, "compact", id="compact without a format"),
    pytest.param({"min_accuracy": 1.5}, errors.InvalidField, "constraints.min_accuracy", id="more than accurate"),
    pytest.param(
        {"min_accuracy": float("nan")}, errors.InvalidField, "constraints.min_accuracy", id="an accuracy of NaN"
    ),
    pytest.param({"max_bytes": -1}, errors.InvalidField, "constraints.max_bytes", id="fewer bytes than none"),
    pytest.param({"max_latency_ms": -1.0}, errors.InvalidField, "constraints.max_latency_ms", id="less than no time"),
    pytest.param({"license": "GPL-3.0"}, errors.InvalidField, "constraints.license", id="a licence that nothing has"),
    pytest.param({"dataset": "digts"}, errors.NotFound, "constraints.dataset", id="no such data set"),
    pytest.param({"dataset": "No/Good"}, errors.InvalidField, "constraints.dataset", id="a data set's bad name"),
    pytest.param(
        {"architecture": "zoo:digits_cn"}, errors.InvalidField, "constraints.architecture", id="no such architecture"
    ),
    pytest.param({"algorithm": "semm"}, errors.InvalidField, "constraints.algorithm", id="no such algorithm"),
    pytest.param({"algorithm": "gradsplitter", "recipe": QUICK}, errors.InvalidField, "seam", id="another's recipe"),
    pytest.param(
        {"recipe": SeamRecipe(recipe="paper", lr_mask=-1.0)}, errors.InvalidField, "seam.lr_mask", id="a rate below 0"
    ),
    pytest.param({"recipe": SeamRecipe(recipe="papre")}, errors.InvalidField, "seam.recipe", id="no such recipe"),
]


@pytest.mark.parametrize(("arguments", "error", "field"), REFUSED)
def test_a_bad_request_names_field_and_remedy_and_starts_nothing(
    foundry: Foundry, arguments: dict[str, Any], error: type[errors.ModelFoundryError], field: str
) -> None:
    before = [job.name for job in foundry.client.jobs.list()]
    with pytest.raises(error) as caught:
        foundry.client.request(**{"labels": ["6"], **arguments})
    assert caught.value.field == field
    assert caught.value.hint
    assert [job.name for job in foundry.client.jobs.list()] == before


def test_an_unknown_label_is_answered_with_the_nearest_known_ones(foundry: Foundry) -> None:
    def near(label: str) -> list[str]:
        with pytest.raises(errors.UnknownLabel) as caught:
            foundry.client.request([label])
        return caught.value.metadata["near"].split(", ")

    assert near("odd number") == ["3", "7"]
    assert near("quarter") == ["0", "4"]
    assert near("horse")[:3] == ["0", "1", "2"]
    with pytest.raises(errors.UnknownLabel) as caught:
        foundry.client.request(["horse", "3", "odd number"])
    assert [violation.field for violation in caught.value.violations] == ["labels[0]", "labels[2]"]


def test_the_command_says_why_and_writes_the_file(
    foundry: Foundry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for service in ("registry", "reuser"):
        monkeypatch.setenv(f"MODELFOUNDRY_{service.upper()}", getattr(foundry.stack.endpoints, service))
    foundry.client.request(["3", "7"], recipe=QUICK).wait(timeout=WAIT)
    command = ["get", "drei", "7", "--compose", "-o", str(tmp_path / "farm.onnx"), "--max-bytes", "1M"]

    assert run(command) == ExitCode.OK
    told = capsys.readouterr()
    assert "making" not in told.err
    assert "drei (known as 3, a synonym in numbers): the only registered module of 'drei'" in told.out
    assert f"{tmp_path / 'farm.onnx'}  " in told.out
    (output,) = onnxruntime.InferenceSession(tmp_path / "farm.onnx").get_outputs()
    assert output.shape[1] == 2
    assert json.loads((tmp_path / "farm.json").read_text())["output"]["labels"] == ["drei", "7"]

    assert run([*command, "--json"]) == ExitCode.OK
    answer = json.loads(capsys.readouterr().out)
    assert [each["origin"] for each in answer["answers"]] == ["registered", "registered"]
    assert [file["path"] for file in answer["files"]] == [str(tmp_path / "farm.onnx"), str(tmp_path / "farm.json")]

    assert run(["get", "hors", "3"]) == ExitCode.USAGE
    assert "labels[0]: no registered model knows 'hors'" in capsys.readouterr().err
    assert run(["get", "6", "--max-bytes", "10", "--recipe", "paper", "--epochs", "2"]) == ExitCode.CONFLICT
    assert "hint: relax max_bytes" in capsys.readouterr().err


# The last one: it makes modules of all labels.
def test_one_search_of_gradsplitter_gives_the_modules_of_all_labels(foundry: Foundry) -> None:
    recipe = GradSplitterRecipe(
        warmup_epochs=1, cycles=1, mask_epochs=1, head_epochs=0, lr_mask=0.02, accuracy_loss=0.9
    )
    before = jobs_of_kind(foundry, "decompose")
    result = foundry.client.request(["1", "2"], algorithm="gradsplitter", recipe=recipe).wait(timeout=WAIT)

    assert [module.problem.labels for module in result.modules] == [("1",), ("2",)]
    assert {module.record.algorithm for module in result.modules} == {"gradsplitter"}
    assert len(set(jobs_of_kind(foundry, "decompose")) - set(before)) == 1
