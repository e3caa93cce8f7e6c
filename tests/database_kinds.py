"""What tests say of the databases that they run on; the fixture `database_url` gives one of each kind in turn."""

from __future__ import annotations

import pytest

SQLITE = "sqlite"
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.slow)
ONLY_ON_SQLITE = pytest.mark.parametrize("database_url", [SQLITE], indirect=True)
"""For what looks at SQLite's own tables and plans."""
