"""JSON has no NaN: whatever is written refuses it, and does not write what no other parser reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelfoundry.cli.rendering.json_output import as_plain
from modelfoundry.cli.rendering.quantities import percent

ROOT = Path(__file__).parents[2]


def writers(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="json"), attr="dumps" | "dump")):
                yield node


def test_everything_that_writes_json_refuses_what_is_no_number() -> None:
    found = {
        (path, call.lineno): {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        for folder in ("services", "registry", "clients")
        for path in (ROOT / folder).rglob("*.py")
        for call in writers(path)
    }
    assert len(found) > 20
    assert [place for place, keywords in found.items() if keywords.get("allow_nan") != "False"] == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_older_records_hold_is_null_for_programs_and_a_dash_for_people(value: float) -> None:
    assert as_plain({"a": [value, 1.5]}) == {"a": [None, 1.5]}
    assert percent(value) == "-"
