"""What a user gets from `pip install modelfoundry`: the light client, and nothing with a generic name."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "uv", "build", "--wheel", "--no-build-isolation", "--out-dir", folder, ROOT)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_only_the_namespace_package(wheel: Path) -> None:
    top = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"modelfoundry"}


def test_the_wheel_holds_all_parts_and_the_migrations(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for part in ("api/registry/v1/registry_service_pb2.py", "core/__init__.py", "client/__init__.py", "cli/main.py"):
        assert f"modelfoundry/{part}" in names
    assert any(name.startswith("modelfoundry/registry/migrations/versions/") for name in names)


def test_the_wheel_brings_the_licence_that_it_names(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        folder = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA")).rpartition("/")[0]
        metadata = archive.read(f"{folder}/METADATA").decode()
        licence = archive.read(f"{folder}/licenses/LICENSE")
    assert "License-Expression: Apache-2.0" in metadata.splitlines()
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert b"Apache License" in licence


@pytest.mark.slow
def test_the_light_client_installs_without_torch_and_runs(wheel: Path, tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path)
    run(sys.executable, "-m", "uv", "pip", "install", "--python", python, wheel)
    installed = run(sys.executable, "-m", "uv", "pip", "list", "--python", python)
    assert "torch" not in installed
    run(python, "-c", "import modelfoundry.client")
    assert "decompose" in run(tmp_path / "bin" / "modelfoundry", "--help")
