"""The README's Python runs as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from foundry import Foundry

PROJECT = "default"
README = Path(__file__).resolve().parents[3] / "README.md"


def test_the_sdk_example_runs(foundry: Foundry, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    addresses = {f"MODELFOUNDRY_{name.upper()}": f"127.0.0.1:{port}" for name, port in foundry.stack.ports.items()}
    finished = subprocess.run(
        [sys.executable, "-c", example],
        env={**os.environ, **addresses, "MODELFOUNDRY_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "retention" in finished.stdout
    assert list(tmp_path.glob("**/model.onnx"))
