"""Rows as files: one each, written as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tables.rows import Row

Figures = Mapping[str, Any]


def keep(path: Path, figures: Figures) -> None:
    """Writes a row; a run that is stopped leaves none."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(figures, indent=1))
    unfinished.replace(path)


def read_rows(rows: Iterable[Row], folder: Path) -> list[tuple[Row, Figures | None]]:
    """All rows in their order, with their figures; None where there are none."""
    found = []
    for row in rows:
        path = folder / f"{row.key}.json"
        found.append((row, json.loads(path.read_text()) if path.exists() else None))
    return found
