from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from catalog_rows import CatalogRows, migrated_database


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture
def rows(tmp_path: Path, migrated: Path) -> Iterator[CatalogRows]:
    rows = CatalogRows(tmp_path, migrated)
    yield rows
    rows.close()
