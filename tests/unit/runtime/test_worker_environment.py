"""What workers find in their environment: their threads, and memory that is kept from step to step."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from modelfoundry.runtime.jobs.process import KEEPING, MALLOC_VARIABLE, THREAD_VARIABLES, worker_environment

BLOCKS = """
import ctypes, resource
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
def write():
    block = libc.malloc(ctypes.c_size_t(100 * 2**20))
    ctypes.memset(block, 1, 100 * 2**20)
    libc.free(block)
write()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    write()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(environment: dict[str, str]) -> int:
    """Pages that the kernel gave a process that writes 100 MiB five times, each time after it freed them."""
    done = subprocess.run([sys.executable, "-c", BLOCKS], capture_output=True, text=True, check=True, env=environment)
    return int(done.stdout)


def test_all_libraries_compute_with_the_threads_of_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    environment = worker_environment(2)
    assert [environment[name] for name in THREAD_VARIABLES] == ["2"] * len(THREAD_VARIABLES)


def test_an_operator_s_own_way_for_memory_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MALLOC_VARIABLE, "glibc.malloc.check=1")
    assert worker_environment(1)[MALLOC_VARIABLE] == "glibc.malloc.check=1"
    monkeypatch.delenv(MALLOC_VARIABLE)
    assert worker_environment(1)[MALLOC_VARIABLE] == KEEPING


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library: nothing to set")
def test_freed_memory_is_kept_for_the_next_step() -> None:
    without = {name: value for name, value in os.environ.items() if name != MALLOC_VARIABLE}
    given_back = faults(without)
    kept = faults(worker_environment(1))
    assert given_back > 20 * max(kept, 50)
