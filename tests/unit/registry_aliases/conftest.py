from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from catalog_rows import CatalogRows


@pytest.fixture
def rows(tmp_path: Path, database_url: str) -> Iterator[CatalogRows]:
    rows = CatalogRows(tmp_path, database_url)
    yield rows
    rows.close()
