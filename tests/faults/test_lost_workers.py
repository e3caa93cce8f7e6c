"""Workers, services and the registry are killed in the middle of a search; the search goes on and finds the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from foundry import Foundry, running_foundry

from modelfoundry.client import Job, LogWritten, Module, ProgressMade, SeamRecipe

pytestmark = pytest.mark.slow

LONG = SeamRecipe(epochs=60, lr_mask=0.2, alpha=2.0)


@pytest.fixture(scope="module")
def foundry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foundry]:
    with running_foundry(tmp_path_factory.mktemp("foundry"), {}) as running:
        yield running


@pytest.fixture(scope="module")
def uninterrupted(foundry: Foundry) -> Module:
    """What the search finds when nothing happens."""
    return foundry.client.decompose("digits-cnn", "digits", label="3", recipe=LONG).wait(timeout=280)[0]


def begin(foundry: Foundry, epochs: int = 3) -> Job[tuple[Module, ...]]:
    """Starts the same search again and returns when it has done some epochs."""
    job = foundry.client.decompose("digits-cnn", "digits", label="3", recipe=LONG, force=True)
    for event in job.events():
        if isinstance(event, ProgressMade) and event.progress.fraction * 60 >= epochs:
            return job
    raise AssertionError("the job ended before it could be disturbed")


def taken_up_from_a_checkpoint(job: Job[tuple[Module, ...]]) -> bool:
    return any("checkpoint" in event.text for event in job.events() if isinstance(event, LogWritten))


def test_a_killed_workers_job_is_taken_up_from_its_checkpoint(foundry: Foundry, uninterrupted: Module) -> None:
    job = begin(foundry)
    foundry.stack.worker("decomposer").kill()
    (module,) = job.wait(timeout=280)
    assert job.refresh().attempt == 2
    assert taken_up_from_a_checkpoint(job)
    assert module.artifact.digest == uninterrupted.artifact.digest


def test_a_killed_decomposers_job_is_taken_up_by_the_next(foundry: Foundry, uninterrupted: Module) -> None:
    job = begin(foundry)
    foundry.stack.kill("decomposer")
    foundry.stack.start("decomposer")
    foundry.stack.wait_healthy("decomposer")
    (module,) = job.wait(timeout=280)
    assert job.refresh().attempt == 2
    assert taken_up_from_a_checkpoint(job)
    assert module.artifact.digest == uninterrupted.artifact.digest


def test_a_killed_registry_costs_a_search_nothing(foundry: Foundry, uninterrupted: Module) -> None:
    job = begin(foundry)
    foundry.stack.kill("registry")
    foundry.stack.start("registry")
    foundry.stack.wait_healthy("registry")
    (module,) = job.wait(timeout=280)
    assert module.artifact.digest == uninterrupted.artifact.digest
    assert foundry.client.modules.get(uninterrupted) == uninterrupted
