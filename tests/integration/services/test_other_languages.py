"""The examples in TypeScript and Go, built from their stubs and run against the real services."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from foundry import QUICK, Foundry
from PIL import Image
from sklearn.datasets import load_digits

from modelfoundry.client import Module

PROJECT = "default"
CLIENTS = Path(__file__).parents[3] / "clients"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def module(foundry: Foundry) -> Module:
    (found,) = foundry.client.decompose("digits-cnn", "digits", label="3", recipe=QUICK).wait(timeout=240)
    return found


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "three.png"
    pixels = np.rint(load_digits().images[3] * (255 / 16)).astype(np.uint8)
    Image.fromarray(pixels, mode="L").save(path)
    return path


def run(command: list[str], folder: Path, foundry: Foundry) -> subprocess.CompletedProcess[str]:
    endpoints = foundry.stack.endpoints
    services = {"MODELFOUNDRY_REGISTRY": endpoints.registry, "MODELFOUNDRY_REUSER": endpoints.reuser}
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **services}, capture_output=True, text=True, timeout=500, check=False
    )


def typescript() -> list[str]:
    if shutil.which("npm") is None:
        pytest.skip("npm is missing: install Node.js 20 or newer to run the TypeScript example")
    install = ["npm", "ci", "--silent", "--no-fund", "--no-audit"]
    subprocess.run(install, cwd=CLIENTS / "typescript", check=True, timeout=300)
    return ["npm", "run", "--silent", "predict", "--"]


def go() -> list[str]:
    if shutil.which("go") is None:
        pytest.skip("go is missing: install Go 1.26 or newer to run the Go example")
    return ["go", "run", "./examples/predict"]


@pytest.mark.parametrize(("folder", "program"), [("typescript", typescript), ("go", go)], ids=["typescript", "go"])
def test_an_example_finds_a_module_and_asks_it(
    foundry: Foundry, module: Module, image: Path, folder: str, program: object
) -> None:
    command = program()  # type: ignore[operator]
    done = run([*command, "3", str(image)], CLIENTS / folder, foundry)
    assert done.returncode == 0, done.stderr
    expected = foundry.client.predict(module, image)[0]
    assert done.stdout.strip() == f"{module.name} says {expected.label}: {expected.probability * 100:.1f} %"


@pytest.mark.parametrize(("folder", "program"), [("typescript", typescript), ("go", go)], ids=["typescript", "go"])
def test_an_example_says_that_nothing_knows_a_label(
    foundry: Foundry, image: Path, folder: str, program: object
) -> None:
    command = program()  # type: ignore[operator]
    done = run([*command, 'no "such" label', str(image)], CLIENTS / folder, foundry)
    assert done.returncode == 1
    assert "no module knows" in done.stderr
