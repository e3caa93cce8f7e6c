"""Where tensors are computed, and how the same seed gives the same bits."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Literal

import torch

from modelfoundry.errors import DeviceUnavailable, InvalidField
from modelfoundry.names import shortened
from modelfoundry.values.computing import Environment

DEVICES: Final = ("auto", "cpu", "cuda")
Precision = Literal["float32", "bfloat16"]
"""Numbers that convolutions and linear maps are computed in."""
_BFLOAT16: Final = ("avx512_bf16", "amx_bf16", "bf16")
"""Instructions that multiply in bfloat16, as torch calls them: of x86, of its matrix unit, of ARM."""
LIBRARIES: Final = ("modelfoundry", "torch", "torchvision", "timm", "numpy", "safetensors", "scikit-learn")


def select_device(wanted: str) -> torch.device:
    """Chooses the device to compute on.

    Args:
        wanted: `auto` (CUDA when there is one, else the CPU), `cpu` or `cuda`.

    Raises:
        DeviceUnavailable: `cuda` without a usable card.
        InvalidField: another word.
    """
    if wanted not in DEVICES:
        raise InvalidField(
            f"device: {shortened(wanted)!r} is no device", field="device", hint=f"pass one of {', '.join(DEVICES)}"
        )
    if wanted == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    if wanted == "auto":
        return torch.device("cpu")
    raise DeviceUnavailable(
        "device: this worker has no CUDA device",
        field="device",
        hint="pass `auto` or `cpu`, or start the service on a machine with an NVIDIA card",
    )


def environment(device: torch.device) -> Environment:
    """Describes the running process for provenance."""
    return Environment(
        python=platform.python_version(),
        libraries=_installed(LIBRARIES),
        platform=f"{platform.system()}-{platform.machine()}",
        device=f"cuda:{torch.cuda.get_device_name(device)}" if device.type == "cuda" else "cpu",
        threads=torch.get_num_threads(),
    )


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the processor multiplies in bfloat16 itself. Others imitate it, slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in _BFLOAT16)


@contextmanager
def computing_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """Runs a block in which convolutions and linear maps take numbers of this precision, and what is delicate float32.

    In bfloat16 norms still take their statistics in float32, and parameters keep the type that they have.
    """
    # Without torch's cache of narrowed parameters: a search has new ones in every step.
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False):
        yield


def stream_seed(seed: int, stream: str) -> int:
    """A seed for one of several independent random streams of the same run.

    Args:
        seed: The run's seed, any integer.
        stream: What the numbers are for, for example `shuffle`.

    Returns:
        An integer in [0, 2**63), fit for `torch.Generator.manual_seed`.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}:{stream}".encode()).digest()[:8], "little") >> 1


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Runs a block with deterministic operations and its own global random numbers, and puts everything back.

    Dropout and the default initialisations of layers draw from torch's global generators, so these are seeded; what
    draws from a `torch.Generator` of its own is not affected. The number of threads is left as it is: it is part of
    `Environment`, because sums over another number of threads may differ in their last bits.

    Args:
        seed: Any integer.
        device: Device whose generator is seeded beside the CPU's.
    """
    cards = [device] if device.type == "cuda" else []
    were_deterministic = torch.are_deterministic_algorithms_enabled()
    warned_only = torch.is_deterministic_algorithms_warn_only_enabled()
    deterministic: Any = torch.utils.deterministic  # its property is not typed
    filled = deterministic.fill_uninitialized_memory
    benchmarked = torch.backends.cudnn.benchmark
    with torch.random.fork_rng(devices=cards):
        torch.manual_seed(stream_seed(seed, "global"))
        # Only a warning: a few CUDA operations have no deterministic form, and their networks shall run all the same.
        # cuBLAS reads this when it makes its first workspace; without it deterministic operations raise.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        deterministic.fill_uninitialized_memory = False
        torch.backends.cudnn.benchmark = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(were_deterministic, warn_only=warned_only)
            deterministic.fill_uninitialized_memory = filled
            torch.backends.cudnn.benchmark = benchmarked


def _installed(names: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
