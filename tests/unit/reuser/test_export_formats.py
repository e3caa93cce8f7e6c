"""Formats of exports: one list, the same words for service, SDK and command line, and an unknown one refused by all."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelfoundry import errors
from modelfoundry.api.reuser.v1 import on_demand_service_pb2, reuser_service_pb2
from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.main import run
from modelfoundry.client import AsyncClient, Client
from modelfoundry.client.endpoints import Endpoints
from modelfoundry.reuser.exporting.formats import WRITERS
from modelfoundry.reuser.on_demand.wanted import wanted_from_proto
from modelfoundry.reuser.submissions import Submissions
from modelfoundry.values.exports import (
    EXPORT_FORMATS,
    ExportFormat,
    format_of_suffix,
    media_type_of,
)
from modelfoundry.wire.exports import EXPORT_FORMAT, export_from_proto
from modelfoundry.workbench.queue import JobQueue
from modelfoundry.workbench.resources import AsyncResources

NOWHERE = Endpoints(registry="127.0.0.1:9")
NEWER = 99


def test_every_format_has_facts_a_number_and_a_writer() -> None:
    assert [facts.format for facts in EXPORT_FORMATS] == list(ExportFormat)
    assert set(EXPORT_FORMAT.numbers) == set(WRITERS) == set(ExportFormat)


@pytest.mark.parametrize("facts", EXPORT_FORMATS, ids=lambda facts: facts.format)
def test_a_file_says_its_format_and_media_type_by_its_suffix(facts: object) -> None:
    assert isinstance(facts, type(EXPORT_FORMATS[0]))
    assert format_of_suffix(facts.suffix.upper()) is facts.format
    assert media_type_of(facts.suffix) == facts.media_type
    assert format_of_suffix(".json") is None
    assert media_type_of(".json") == "application/json"


def test_a_format_has_the_same_words_everywhere() -> None:
    assert ExportFormat("torch") is ExportFormat("torch_export") is ExportFormat.TORCH_EXPORT
    with pytest.raises(ValueError, match="gguf"):
        ExportFormat("gguf")


async def test_the_service_refuses_a_number_of_no_format() -> None:
    submissions = Submissions(JobQueue(NOWHERE))
    request = reuser_service_pb2.ExportRequest(parent="projects/p", subject="projects/p/modules/m")
    request.format = NEWER  # type: ignore[assignment]
    async with AsyncClient(NOWHERE) as client:
        with pytest.raises(errors.InvalidField, match="99") as caught:
            await submissions.export(request, AsyncResources(client))
    assert caught.value.field == "format"
    assert "onnx" in caught.value.hint


def test_a_request_for_modules_refuses_it_too() -> None:
    request = on_demand_service_pb2.RequestModulesRequest(parent="projects/p", labels=["cat"])
    request.format = NEWER  # type: ignore[assignment]
    with pytest.raises(errors.InvalidField, match="99") as caught:
        wanted_from_proto(request)
    assert caught.value.field == "format"


def test_the_sdk_takes_no_format_of_a_newer_service_for_another() -> None:
    response = reuser_service_pb2.ExportResponse(subject="projects/p/modules/m")
    response.format = NEWER  # type: ignore[assignment]
    with pytest.raises(errors.Internal, match="99") as caught:
        export_from_proto(response)
    assert caught.value.field == "format"


def test_the_sdk_refuses_a_word_of_no_format_before_it_calls() -> None:
    with Client(NOWHERE) as client, pytest.raises(errors.InvalidField, match="gguf") as caught:
        client.export("m", "gguf")
    assert caught.value.field == "format"
    assert "torch_export" in caught.value.hint


@pytest.mark.parametrize("command", [["module", "download", "m"], ["get", "cat"]])
def test_the_command_line_refuses_it_and_names_the_words_of_the_sdk(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "-o", str(tmp_path), "--format", "gguf"]) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert "'gguf' is not one of 'safetensors', 'torch_export', 'onnx'" in told
