"""NVIDIA's Triton client, unchanged, against the reuser."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served_models import KINDS, Served, predicted

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "tritonclient-requirements.txt"
# Installs packages first.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has the client."""
    folder = tmp_path_factory.mktemp("tritonclient")
    venv.create(folder)
    found = folder / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes", "--python", str(found)]
    done = subprocess.run([*uv, "-r", str(REQUIREMENTS)], capture_output=True, text=True, check=False, timeout=240)
    if done.returncode:
        pytest.skip(f"tritonclient cannot be installed, so THE PROTOCOL IS NOT CHECKED WITH IT: {done.stderr[-300:]}")
    return found


@pytest.fixture(scope="module")
def report(served: Served, python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    images = tmp_path_factory.mktemp("images") / "images.npy"
    np.save(images, served.images)
    command = [str(python), str(HERE / "ask_with_tritonclient.py"), served.stack.endpoints.reuser, str(images), *KINDS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_server_is_live_and_ready_and_says_what_it_is(report: dict[str, Any]) -> None:
    assert report["live"]
    assert report["ready"]
    assert report["server"]["name"] == "modelfoundry"


@pytest.mark.parametrize("name", KINDS)
def test_the_answers_are_those_of_predict(served: Served, report: dict[str, Any], name: str) -> None:
    probabilities, labels = predicted(served, name)
    found = report["models"][name]
    assert found["ready"]
    assert found["versions"] == [served.versions[name]] * 2
    assert found["ids"] == ["seven"] * 2
    assert found["probabilities"] == [probabilities.tolist()] * 2
    assert found["labels"] == [labels] * 2
    assert [each.split(":")[2] for each in found["best"]] == labels


@pytest.mark.parametrize("name", KINDS)
def test_the_client_reads_the_metadata(served: Served, report: dict[str, Any], name: str) -> None:
    metadata = report["models"][name]["metadata"]
    assert metadata["versions"] == [served.versions[name]]
    assert metadata["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": ["-1", "1", "8", "8"]}]
    assert [each["name"] for each in metadata["outputs"]] == ["probabilities", "labels"]


def test_the_client_is_told_what_is_wrong(report: dict[str, Any]) -> None:
    assert report["unknown_ready"] is False
    assert report["refused"]["model"].startswith("StatusCode.NOT_FOUND")
    assert "models/nothing" in report["refused"]["model"]
    assert report["refused"]["shape"].startswith("StatusCode.INVALID_ARGUMENT: inputs[0].shape")
