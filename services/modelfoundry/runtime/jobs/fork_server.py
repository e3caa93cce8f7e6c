"""The process that workers are forked from: it imports what jobs need, once, and does nothing else. Linux only.

`python -m modelfoundry.runtime.jobs.fork_server [--preload MODULE]...`; standard input is a socket. Forking is safe,
because nothing is done but importing, and that starts no thread, opens no gRPC channel and does not touch CUDA.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import selectors
import socket
import sys
from collections.abc import Sequence

import structlog

from modelfoundry.runtime.jobs.forking import READY, REQUEST
from modelfoundry.runtime.jobs.standalone import ORPHAN_EXIT_CODE, carry_out, die_with_parent, exit_now
from modelfoundry.runtime.logging import configure_logging

_log = structlog.get_logger(__name__)


def main() -> None:
    """Serves until the other end of standard input is closed. Every forked process carries out one job and ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preload", action="append", default=[], metavar="MODULE")
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--log-format", default="console")
    arguments = parser.parse_args()
    die_with_parent()
    configure_logging(arguments.log_level, arguments.log_format)
    requests = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    _preload(arguments.preload)
    requests.sendall(READY)
    if _serve(requests):
        carry_out()
    exit_now()


def _preload(modules: Sequence[str]) -> None:
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception:  # noqa: BLE001 - the jobs that need it fail, and tell it to their callers
            _log.exception("cannot import what jobs need", module=module)
    gc.collect()
    gc.freeze()  # so that collections in workers leave the shared memory alone


def _serve(requests: socket.socket) -> bool:
    """Forks a process for every request. Returns True in each of these, False here when nobody can ask any more."""
    server = os.getpid()
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.data is not None:
                    _tell_end(key.data, selector, key.fd)
                    continue
                _, descriptors, _, _ = socket.recv_fds(requests, len(REQUEST), 1)
                if not descriptors:
                    return False
                job = socket.socket(fileno=descriptors[0])
                pid = os.fork()
                if not pid:
                    _become_worker(job, [requests, *_jobs(selector)], server)
                    return True
                _tell(job, pid)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, job))


def _become_worker(job: socket.socket, others: Sequence[socket.socket], server: int) -> None:
    os.setsid()  # so that it can be killed with all its children
    die_with_parent()
    if os.getppid() != server:
        os._exit(ORPHAN_EXIT_CODE)
    os.dup2(job.fileno(), sys.stdin.fileno())
    for each in (job, *others):
        each.close()


def _jobs(selector: selectors.BaseSelector) -> list[socket.socket]:
    return [key.data[1] for key in selector.get_map().values() if key.data is not None]


def _tell_end(worker: tuple[int, socket.socket], selector: selectors.BaseSelector, descriptor: int) -> None:
    pid, job = worker
    _, status = os.waitpid(pid, 0)
    selector.unregister(descriptor)
    os.close(descriptor)
    _tell(job, os.waitstatus_to_exitcode(status))
    job.close()


def _tell(job: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # whoever asked for it is gone
        job.sendall(b"%d\n" % number)


if __name__ == "__main__":
    main()
