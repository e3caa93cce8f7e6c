"""Workers, services and the registry are killed in the middle of a search; the search goes on and finds the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from foundry import Foundry, running_foundry

from modelfoundry.client import GradSplitterRecipe, Job, LogWritten, Module, ProgressMade, SeamRecipe

pytestmark = pytest.mark.slow

LONG = SeamRecipe(recipe="paper", epochs=60, lr_mask=0.2, alpha=2.0)


@pytest.fixture(scope="module")
def foundry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foundry]:
    with running_foundry(tmp_path_factory.mktemp("foundry"), {}) as running:
        yield running


@pytest.fixture(scope="module")
def uninterrupted(foundry: Foundry) -> Module:
    """What the search finds when nothing happens."""
    return foundry.client.decompose("digits-cnn", "digits", label="3", recipe=LONG).wait(timeout=280)[0]


ALL_LABELS = GradSplitterRecipe(
    warmup_epochs=3, cycles=2, mask_epochs=4, head_epochs=2, lr_warmup=0.05, lr_mask=0.02, accuracy_loss=0.5
)


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


def test_a_killed_search_of_all_labels_ends_with_the_same_modules(foundry: Foundry) -> None:
    def start() -> Job[tuple[Module, ...]]:
        return foundry.client.decompose_all("digits-cnn", "digits", recipe=ALL_LABELS, force=True)

    expected = start().wait(timeout=280)
    before = {module.name for module in foundry.client.modules.list()}
    job = start()
    for event in job.events():
        if isinstance(event, ProgressMade) and event.progress.fraction > 0.2:
            break
    foundry.stack.worker("decomposer").kill()
    modules = job.wait(timeout=280)
    assert job.refresh().attempt == 2
    assert taken_up_from_a_checkpoint(job)
    assert [module.artifact.digest for module in modules] == [module.artifact.digest for module in expected]
    assert {module.name for module in foundry.client.modules.list()} - before == {module.name for module in modules}


def test_a_killed_distillation_ends_with_the_same_module(foundry: Foundry) -> None:
    def start() -> Job[tuple[Module, ...]]:
        recipe = SeamRecipe(recipe="distilled", steps=120, batch_size=32)
        return foundry.client.decompose("digits-cnn", "digits", label="3", recipe=recipe, force=True)

    (expected,) = start().wait(timeout=280)
    job = start()
    for event in job.events():
        masking = isinstance(event, ProgressMade) and event.progress.phase == "masks and norms"
        if masking and event.progress.fraction > 0.2:
            break
    foundry.stack.worker("decomposer").kill()
    (module,) = job.wait(timeout=280)
    assert job.refresh().attempt == 2
    assert taken_up_from_a_checkpoint(job)
    assert module.artifact.digest == expected.artifact.digest
