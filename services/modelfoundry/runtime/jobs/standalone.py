"""A process for one job: it carries out the ticket that comes on its standard input, and dies with its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from typing import Final, NoReturn

from modelfoundry.errors import LeaseLost
from modelfoundry.runtime.jobs.ticket import Ticket
from modelfoundry.runtime.jobs.worker import run_job

LOST_EXIT_CODE: Final = 75
ORPHAN_EXIT_CODE: Final = 76
LOST_GRACE_SECONDS: Final = 3.0
PR_SET_PDEATHSIG: Final = 1


def carry_out() -> NoReturn:
    """Reads a ticket in one line from standard input, which stays open as long as the parent lives, and ends."""
    ticket = Ticket.from_json(_read_line(sys.stdin.fileno()))
    threading.Thread(target=_watch_parent, args=(sys.stdin.fileno(),), daemon=True).start()
    given_up = threading.Event()
    try:
        run_job(ticket, given_up=given_up, on_lost=_exit_soon)
    except LeaseLost:
        sys.exit(LOST_EXIT_CODE)
    exit_now()


def exit_now() -> NoReturn:
    """Ends this process without taking its modules apart, which takes torch seconds and concerns nobody any more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def die_with_parent() -> None:
    """Asks Linux to kill this process with its parent, also when native code never returns."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch_parent(pipe: int) -> None:
    """Ends this process when the other end of the pipe is closed: the parent is gone."""
    try:
        while os.read(pipe, 4096):
            pass
    finally:  # a socket may also tell it by an error
        os._exit(ORPHAN_EXIT_CODE)


def _read_line(pipe: int) -> bytes:
    # Not through sys.stdin: its buffer's lock would be held by the watching thread at exit.
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(pipe, 65536)
        if not part:
            sys.exit(ORPHAN_EXIT_CODE)
        line += part
    return line


def _exit_soon() -> None:
    """Ends a process whose job is another's, should its handler not come to an end itself."""
    timer = threading.Timer(LOST_GRACE_SECONDS, os._exit, (LOST_EXIT_CODE,))
    timer.daemon = True
    timer.start()
