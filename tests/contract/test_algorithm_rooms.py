"""An algorithm is a room: nothing outside of it names it but the one list, and reading that list needs no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from modelfoundry.decomposer.algorithms import ALGORITHMS

ROOT = Path(__file__).parents[2]
ROOMS = ROOT / "services/modelfoundry/decomposer/algorithms"
TYPED = ROOT / "services/modelfoundry/values/recipes.py"
"""Spells the settings of two algorithms out for those who write them by hand, and says which."""
NAMES = {algorithm.name for algorithm in ALGORITHMS}


def sources() -> Iterator[Path]:
    for folder in ("services", "registry", "clients/modelfoundry"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def names_in(path: Path) -> Iterator[str]:
    """Algorithms that the code of a file names in a word by itself, or imports the room of."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and node.value in NAMES:
            yield str(node.value)
        if isinstance(node, ast.ImportFrom) and node.module:
            inside = node.module.removeprefix("modelfoundry.decomposer.algorithms.").split(".")[0]
            if inside in NAMES:
                yield inside


def test_nothing_names_an_algorithm_outside_of_its_room() -> None:
    named = {
        path: set(names_in(path)) - {room.name for room in path.parents if room.parent == ROOMS} for path in sources()
    }
    assert named.pop(ROOMS / "__init__.py") == NAMES
    assert named.pop(TYPED) <= NAMES
    assert {path: names for path, names in named.items() if names} == {}


def test_the_list_is_read_without_what_computes_and_what_speaks() -> None:
    program = (
        "import sys; from modelfoundry.decomposer.algorithms import ALGORITHMS;"
        "[one.settings for one in ALGORITHMS];"
        "sys.exit(bool({'torch', 'numpy', 'grpc', 'google'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
