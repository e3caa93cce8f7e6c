"""First thing that a child process runs: binds its life to its parent's, then becomes the service.

`python -m modelfoundry.cli.supervision.launch PARENT_PID MODULE [ARGUMENT...]`. Done in the child by its own program
because code between fork and exec is not safe in a parent that has threads, as gRPC's has.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def bind_to_parent(parent: int) -> None:
    """Asks the kernel for SIGTERM when the parent dies; ends at once when it is dead already. Linux only."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(f"the process that started this one ({parent}) is gone")


def main() -> None:
    """Binds this process to its parent and replaces its program; the binding outlives that."""
    parent, module, *arguments = sys.argv[1:]
    bind_to_parent(int(parent))
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
