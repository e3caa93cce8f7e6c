"""Workers are forked from a process that has imported what jobs need; importing must leave it fit for that."""

from __future__ import annotations

import subprocess
import sys

import pytest

from modelfoundry.decomposer.__main__ import HANDLERS as DECOMPOSER_HANDLERS
from modelfoundry.evaluator.__main__ import HANDLERS as EVALUATOR_HANDLERS
from modelfoundry.reuser.jobs import HANDLERS as REUSER_HANDLERS
from modelfoundry.runtime.jobs.process import worker_environment

SCRIPT = """
import importlib, os, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
import torch
print(len(os.listdir("/proc/self/task")), torch.cuda.is_initialized(), "timm" in sys.modules)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks workers")
def test_what_jobs_import_starts_no_thread_and_touches_no_gpu() -> None:
    paths = [*DECOMPOSER_HANDLERS.values(), *EVALUATOR_HANDLERS.values(), *REUSER_HANDLERS.values()]
    modules = {path.partition(":")[0] for path in paths}
    # With more threads, OpenBLAS has some, which it ends before every fork.
    outcome = subprocess.run(
        [sys.executable, "-c", SCRIPT, *modules], capture_output=True, text=True, check=True, env=worker_environment(1)
    )
    assert outcome.stdout.split() == ["1", "False", "False"]
