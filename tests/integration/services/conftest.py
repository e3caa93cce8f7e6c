"""The whole system, started once; every file of tests has a project of its own in it, with a data set and a model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from foundry import SETTINGS, Foundry, stocked
from service_stack import ServiceStack, running_stack

from modelfoundry.client import Client


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceStack]:
    """Services on the embedded defaults. Do not stop any of them (`running_foundry` gives some that may be stopped)."""
    with running_stack(tmp_path_factory.mktemp("foundry"), SETTINGS) as stack:
        yield stack


@pytest.fixture(scope="module")
def foundry(shared_stack: ServiceStack, request: pytest.FixtureRequest) -> Iterator[Foundry]:
    """A project with a data set and a model in it, for commands too. The file's `PROJECT`, else one of its name."""
    named_after_file = request.module.__name__.rpartition(".")[2].replace("_", "-")
    project = getattr(request.module, "PROJECT", named_after_file)
    with (
        pytest.MonkeyPatch.context() as environment,
        Client(shared_stack.endpoints, parent=f"projects/{project}") as client,
    ):
        environment.setenv("MODELFOUNDRY_PROJECT", project)
        yield stocked(shared_stack, client)
