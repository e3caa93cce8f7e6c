"""Requests with budgets that no mask meets: a smaller network is cut out by a job, or what came nearest is named."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from foundry import Foundry, stocked
from service_stack import INLINE, running_stack

from modelfoundry import errors
from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.main import run
from modelfoundry.client import Client, LogWritten, ModuleOrigin

PREVIEW = {"recipe": "preview", "compute": "fp32"}
"""Nothing is learnt, so that structure and file are all that takes time."""
WAIT = 240


@pytest.fixture(scope="module")
def foundry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foundry]:
    with running_stack(tmp_path_factory.mktemp("budgets"), INLINE) as stack, Client(stack.endpoints) as client:
        yield stocked(stack, client)


@pytest.fixture
def client(foundry: Foundry) -> Client:
    return foundry.client


def names_of_jobs(client: Client) -> list[str]:
    return [job.name for job in client.jobs.list()]


def test_what_would_be_made_is_said_and_nothing_starts(client: Client) -> None:
    before = names_of_jobs(client)
    request = client.request(["3"], max_macs=0.5, min_accuracy="base", settings=PREVIEW, validate_only=True)
    (answer,) = request.answers
    assert (answer.origin, answer.algorithm, answer.module) == (ModuleOrigin.TO_BE_MADE, "specialise", "")
    assert "by specialise, which cuts a network of its own out of it, within 50.0%" in answer.reason
    assert "validation accuracy of the model" in answer.reason
    assert names_of_jobs(client) == before
    with pytest.raises(errors.InvalidField, match="nothing was started"):
        request.wait()


@pytest.mark.slow  # files are written and timed
def test_a_smaller_network_is_made_within_the_budgets_and_then_there_at_once(client: Client) -> None:
    request = client.request(["3"], max_macs=0.5, max_bytes=400_000, settings=PREVIEW)
    assert request.job is not None
    made = request.wait(timeout=WAIT)
    (module,), (answer,) = made.modules, made.answers
    settings, frontier = module.record.settings, module.record.frontier
    assert (module.record.algorithm, settings["max_macs"], settings["max_bytes"]) == ("specialise", 0.5, 400_000)
    assert frontier is not None
    point = frontier.taken
    assert point is not None
    assert point.macs <= 0.5
    assert (answer.origin, answer.figures.macs, answer.figures.latency) == (
        ModuleOrigin.MADE,
        point.macs,
        point.latency,
    )
    assert answer.figures.size_bytes == point.bytes <= 400_000
    told = [event.text for event in request.job.events() if isinstance(event, LogWritten)]
    assert told[0] == f"making 3 from digits-cnn: started {module.record.operation}"

    again = client.request(["3"], max_macs=0.5, settings=PREVIEW)
    assert again.job is None
    assert again.answers[0].module == module.name
    assert "What it was chosen from" in client.cards.get(module).markdown


def test_budgets_that_nothing_meets_name_the_constraint_and_what_came_nearest(client: Client) -> None:
    request = client.request(["5"], max_macs=1e-6, max_bytes=10, settings=PREVIEW)
    with pytest.raises(errors.ConstraintUnmet, match=r"nearest: .* has [0-9.]+% of the multiply-accumulates") as caught:
        request.wait(timeout=WAIT)
    assert caught.value.field == "constraints.max_macs"
    assert caught.value.message.startswith("constraints.max_macs: ")
    assert not list(client.modules.list('labels:"5"'))


def test_cancelling_a_request_ends_the_search_within_budgets(client: Client) -> None:
    before = set(names_of_jobs(client))
    job = client.request(["8"], max_macs=0.5, settings={"seconds": 100_000, "compute": "fp32"}).job
    assert job is not None
    while not (search := [name for name in set(names_of_jobs(client)) - before if "decompose" in name]):
        time.sleep(0.1)
    job.cancel()
    for name in (job.name, *search):
        with pytest.raises(errors.Cancelled):
            client.jobs.get(name).wait(timeout=WAIT)
    assert not list(client.modules.list('labels:"8"'))


def test_the_command_has_the_budgets(
    foundry: Foundry, client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for service, port in foundry.stack.ports.items():
        monkeypatch.setenv(f"MODELFOUNDRY_{service.upper()}", f"127.0.0.1:{port}")
    before = names_of_jobs(client)
    asked = ["get", "5", "--max-macs", "0.3", "--max-latency", "0.9", "--min-accuracy", "base", "--validate-only"]
    assert run([*asked, "--json"]) == ExitCode.OK
    (answer,) = json.loads(capsys.readouterr().out)["answers"]
    assert (answer["origin"], answer["algorithm"], answer["module"]) == ("to_be_made", "specialise", "")
    assert run(asked) == ExitCode.OK
    assert "within 30.0% of the model's multiply-accumulates, 90.0% of its time" in capsys.readouterr().out
    assert run(["get", "5", "--min-accuracy", "high"]) == ExitCode.USAGE
    assert run(["get", "5", "--max-macs", "1.5"]) == ExitCode.USAGE
    assert "constraints.max_macs: 1.5 is out of range" in capsys.readouterr().err
    assert names_of_jobs(client) == before
