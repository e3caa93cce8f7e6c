"""The whole system with a data set and a model in it, shared by the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from foundry import Foundry, running_foundry


@pytest.fixture(scope="module")
def foundry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foundry]:
    """Services on the embedded defaults."""
    with running_foundry(tmp_path_factory.mktemp("foundry"), {}) as running:
        yield running
