"""Checks of this machine: Python, libraries, data directory, CUDA."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Final

from modelfoundry.cli.diagnosis.findings import Finding, Verdict
from modelfoundry.cli.rendering.quantities import byte_count

PYTHON: Final = (3, 11)
FREE_SPACE: Final = 2 * 2**30
LIBRARIES: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "": ("grpcio", "protobuf", "safetensors", "numpy", "pillow"),
        "registry": ("sqlmodel", "alembic", "minio", "grpcio-reflection"),
        "server": ("torch", "torchvision", "timm", "onnx", "onnxruntime", "onnxscript", "scikit-learn", "zstandard"),
    }
)
"""Libraries by the extra that brings them."""


def check_machine(data_directory: Path) -> list[Finding]:
    """All checks of this machine."""
    return [
        _python(),
        *(_libraries(extra, names) for extra, names in LIBRARIES.items()),
        _data_directory(data_directory),
        _cuda(),
    ]


def _python() -> Finding:
    if sys.version_info >= PYTHON:
        return Finding("python", Verdict.OK, f"{platform.python_version()} at {sys.executable}")
    return Finding("python", Verdict.FAILED, platform.python_version(), "install Python 3.11 or newer")


def _libraries(extra: str, names: Sequence[str]) -> Finding:
    found = {name: _version(name) for name in names}
    missing = [name for name, number in found.items() if number is None]
    text = ", ".join(f"{name} {number or 'missing'}" for name, number in found.items())
    if not missing:
        return Finding(f"libraries {extra}".strip(), Verdict.OK, text)
    if not extra:
        return Finding("libraries", Verdict.FAILED, text, "pip install modelfoundry")
    # A machine that only has the client needs neither extra.
    return Finding(f"libraries {extra}", Verdict.WARNING, text, f'pip install "modelfoundry[{extra}]" to serve')


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _data_directory(path: Path) -> Finding:
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            free = shutil.disk_usage(existing).free
    except OSError as error:
        return Finding(
            "data directory", Verdict.FAILED, f"{path}: {error.strerror}", "set MODELFOUNDRY_HOME to a writable folder"
        )
    if free < FREE_SPACE:
        found = f"{path}: only {byte_count(free)} free"
        return Finding("data directory", Verdict.WARNING, found, "free some space, or set MODELFOUNDRY_HOME elsewhere")
    return Finding("data directory", Verdict.OK, f"{path}: writable, {byte_count(free)} free")


def _cuda() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("cuda", Verdict.OK, "torch is not installed; the services say what they have")
    import torch

    if torch.cuda.is_available():
        return Finding("cuda", Verdict.OK, torch.cuda.get_device_name())
    return Finding("cuda", Verdict.OK, "none: everything runs on the CPU")
