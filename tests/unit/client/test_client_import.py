"""What importing the SDK brings along, and what it offers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import modelfoundry.client

ROOT = Path(__file__).parents[3]
HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "sklearn",
    "scipy",
    "onnx",
    "ray",
    "PIL",
    "numpy",
    "sqlalchemy",
    "modelfoundry.core",
)


def test_importing_the_client_loads_nothing_heavy() -> None:
    code = f"import sys, modelfoundry.client; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_everything_that_is_offered_is_there_and_everything_public_is_offered() -> None:
    offered = set(modelfoundry.client.__all__)
    values = {
        name
        for name, value in vars(modelfoundry.client).items()
        if not name.startswith("_") and not isinstance(value, type(sys))
    }
    assert offered == values


def test_the_sync_client_is_what_the_async_one_gives() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "clients" / "generate_sync.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_no_word_of_asyncio_is_left_in_the_sync_client() -> None:
    for path in (ROOT / "clients" / "modelfoundry" / "client" / "_sync").glob("*.py"):
        code = path.read_text(encoding="utf-8").replace("`_async`", "")
        assert not re.findall(r".*(?:async|await).*", code, re.IGNORECASE), path.name
