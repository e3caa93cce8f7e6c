"""Where a measurement ran."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import torch


def machine(load: float) -> dict[str, Any]:
    """Facts that figures depend on.

    Args:
        load: Processes that wanted to run in the minute before the measurement.
    """
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load": round(load, 1),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
