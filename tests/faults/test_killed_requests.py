"""The reuser is killed while it waits on somebody's behalf; the request is taken up, and nothing is made twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from foundry import Foundry, running_foundry

from modelfoundry.client import LogWritten, ModuleOrigin, SeamRecipe

pytestmark = pytest.mark.slow

LONG = SeamRecipe(recipe="paper", epochs=20, lr_mask=0.2, alpha=2.0)


@pytest.fixture(scope="module")
def foundry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foundry]:
    with running_foundry(tmp_path_factory.mktemp("foundry"), {}) as running:
        yield running


def test_a_killed_reusers_request_is_taken_up_without_a_second_decomposition(foundry: Foundry) -> None:
    job = foundry.client.request(["3", "7"], compose=True, format="onnx", recipe=LONG).job
    assert job is not None
    started = 0
    for event in job.events():
        started += isinstance(event, LogWritten) and ": started " in event.text
        if started == 2:
            break
    foundry.stack.kill("reuser")
    foundry.stack.start("reuser")
    foundry.stack.wait_healthy("reuser")
    made = job.wait(timeout=280)

    assert job.refresh().attempt == 2
    assert len(list(foundry.client.jobs.list('kind = "decompose"'))) == 2
    assert len(list(foundry.client.modules.list())) == 2
    assert [answer.origin for answer in made.answers] == [ModuleOrigin.MADE, ModuleOrigin.MADE]
    assert made.composition is not None
    assert [member.source for member in made.composition.members] == [module.name for module in made.modules]
    assert len(list(foundry.client.compositions.list())) == 1
    assert [export.subject for export in made.exports] == [made.composition.name]


def test_a_request_waits_for_a_decomposer_that_is_away(foundry: Foundry) -> None:
    request = foundry.client.request(["5"], recipe=LONG)
    assert request.job is not None
    foundry.stack.kill("decomposer")
    foundry.stack.start("decomposer")
    foundry.stack.wait_healthy("decomposer")

    assert request.wait(timeout=280).answers[0].origin is ModuleOrigin.MADE
    assert request.job.refresh().attempt == 1
