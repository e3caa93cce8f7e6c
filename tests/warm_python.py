"""Our programs as processes of their own, forked from one that has imported them: `python -m`, without its seconds.

A service imports torch and more for seconds; a run of the tests starts dozens of them, and hundreds of commands. The
processes here are real: they have an environment, a working directory and descriptors of their own, and can be killed.
That the programs also start as users start them is tested where that is the subject (`tests/integration/cli`).

As a program: the process that is forked. It does nothing but import, so that it has no threads and no channels.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

PROGRAMS = ("registry", "decomposer", "evaluator", "reuser", "cli")
PRELOADED = [f"modelfoundry.{name}.__main__" for name in PROGRAMS]
REQUEST_BYTES = 1 << 20
Environment = Mapping[str, str]


class WarmProcess:
    """What `subprocess.Popen` gives, as far as tests use it.

    Args:
        ends: Tells the number of the process, and when it is gone its exit code, negative for a signal: a line each.
    """

    def __init__(self, ends: socket.socket) -> None:
        self._ends = ends.makefile("r")
        self.pid = int(self._ends.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code.

        Raises:
            TimeoutExpired: it still runs.
        """
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Does nothing to a process that has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._ends], [], [], timeout)[0]:
            self.returncode = int(self._ends.readline())
            self._ends.close()
        return self.returncode


def started(
    module: str,
    *arguments: object,
    env: Environment | None = None,
    cwd: Path | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
) -> WarmProcess:
    """Starts `python -m MODULE ARGUMENTS`.

    Args:
        module: A module with a `__main__`.
        arguments: Of the command line.
        env: The whole environment. None: this process's.
        cwd: Working directory. None: this process's.
        stdin: Descriptor to read from.
        stdout: Descriptor to write to.
        stderr: The same for errors.
    """
    request = {
        "module": module,
        "arguments": list(map(str, arguments)),
        "env": dict(os.environ if env is None else env),
        "cwd": str(cwd or Path.cwd()),
    }
    ours, theirs = socket.socketpair()
    with theirs, Path(os.devnull).open("r+b") as nothing, ours:
        standard = (nothing.fileno() if each == subprocess.DEVNULL else each for each in (stdin, stdout, stderr))
        socket.send_fds(_server(), [json.dumps(request).encode()], [theirs.fileno(), *standard])
        theirs.close()
        return WarmProcess(ours)


def finished(
    module: str,
    *arguments: object,
    env: Environment | None = None,
    cwd: Path | None = None,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m MODULE ARGUMENTS` to its end, and gives what it wrote."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = started(module, *arguments, env=env, cwd=cwd, stdin=stdin, stdout=out.fileno(), stderr=err.fileno())
        code = process.wait()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess([module, *map(str, arguments)], code, out.read(), err.read())


@functools.cache
def _server() -> socket.socket:
    """A connection to the process that forks: one for the whole run, which ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen([sys.executable, __file__], stdin=theirs, start_new_session=True)
    return ours


def main() -> None:
    """Forks a process for every request; ends when nobody can ask any more, and ends what still runs then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in PRELOADED:
        importlib.import_module(module)
        del sys.modules[module]  # it is run anew, as `__main__`
    gc.collect()
    gc.freeze()
    if request := _serve(socket.socket(fileno=os.dup(0))):
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        _run(request["module"], request["arguments"])


def _serve(requests: socket.socket) -> Any:
    """Forks for every request. Gives the request in each of the new processes, None here at the end."""
    running: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.data is not None:
                    selector.unregister(key.fd)
                    _tell_end(key.data, running.pop(key.data), key.fd)
                    continue
                text, descriptors, _, _ = socket.recv_fds(requests, REQUEST_BYTES, 4)
                if not descriptors:
                    for pid in running:
                        os.kill(pid, signal.SIGTERM)
                    return None
                pid = os.fork()
                if not pid:
                    _become(descriptors, [requests, *running.values()])
                    return json.loads(text)
                status = socket.socket(fileno=descriptors[0])
                for descriptor in descriptors[1:]:
                    os.close(descriptor)
                running[pid] = status
                status.sendall(b"%d\n" % pid)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)


def _tell_end(pid: int, status: socket.socket, descriptor: int) -> None:
    _, ended = os.waitpid(pid, 0)
    os.close(descriptor)
    with contextlib.suppress(OSError), status:  # whoever started it is gone
        status.sendall(b"%d\n" % os.waitstatus_to_exitcode(ended))


def _become(descriptors: Sequence[int], others: Sequence[socket.socket]) -> None:
    """Gives this process, which was forked just now, descriptors of its own."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, descriptor in enumerate(descriptors[1:]):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        os.close(descriptor)
    for each in others:
        each.close()
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor
        for number, mode in enumerate(("r", "w", "w"))
    )


def _run(module: str, arguments: Sequence[str]) -> NoReturn:
    """Runs a module, and ends the process as an interpreter does, but for tidying up a torch that nobody used."""
    code = 0
    try:
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - an interpreter prints what nobody caught
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined] # waits for threads, those of pools among them
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
