"""`endpoints.json` in the data directory: how clients on this machine find what `modelfoundry up` started."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

FILE_NAME = "endpoints.json"


def write_endpoints(data_directory: Path, addresses: Mapping[str, str]) -> Path:
    """Writes the addresses so that a reader sees all of them or the old ones."""
    path = data_directory / FILE_NAME
    draft = path.with_suffix(".json.part")
    draft.write_text(json.dumps(dict(addresses), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    draft.replace(path)
    return path


def remove_endpoints(data_directory: Path, addresses: Mapping[str, str]) -> None:
    """Removes the file if it still has these addresses: what is stopped must not be looked for."""
    path = data_directory / FILE_NAME
    try:
        if json.loads(path.read_text(encoding="utf-8")) == dict(addresses):
            path.unlink()
    except (FileNotFoundError, ValueError):
        return
