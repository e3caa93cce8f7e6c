"""Models of all kinds behind the Open Inference Protocol, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from served_models import Served, running_models


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Services on the embedded defaults."""
    with running_models(tmp_path_factory.mktemp("inference")) as running:
        yield running
