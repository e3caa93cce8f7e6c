"""Job handlers for the tests; a worker process imports them by path."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

from google.protobuf import struct_pb2

from modelfoundry.errors import FieldViolation, WeightsMismatch
from modelfoundry.runtime.jobs import JobContext
from modelfoundry.values.resources import BlobRef

CHECKPOINT = BlobRef(digest=f"sha256:{'c' * 64}", size_bytes=3, media_type="application/test")


def answer(request: struct_pb2.Struct, context: JobContext) -> struct_pb2.Struct:
    """Tells what it was given and what it runs in."""
    for done in range(1, 6):
        context.progress("counting", done, 5, "step", {"loss": 1.0 / done})
    context.log("counted to five")
    context.log("that was easy", severity="warning")
    response = struct_pb2.Struct()
    response.update(
        {
            "asked": dict(request).get("question", ""),
            "name": context.name,
            "attempt": context.attempt,
            "threads": os.environ.get("OMP_NUM_THREADS", ""),
            "torch": "torch" in sys.modules,
            "colorsys": "colorsys" in sys.modules,
            "pid": os.getpid(),
        }
    )
    return response


def refuse(request: struct_pb2.Struct, context: JobContext) -> struct_pb2.Struct:
    raise WeightsMismatch(
        "one tensor does not fit",
        field="model.weights",
        hint="push other weights",
        violations=(FieldViolation("conv.weight", "has shape [3], not [4]"),),
    )


def break_down(request: struct_pb2.Struct, context: JobContext) -> struct_pb2.Struct:
    raise ZeroDivisionError("the secret of the machine")


def talk_much(request: struct_pb2.Struct, context: JobContext) -> struct_pb2.Struct:
    for number in range(250):
        context.log(f"line {number}")
    context.log("x" * 10_000)
    return request


def cooperate(request: struct_pb2.Struct, context: JobContext) -> struct_pb2.Struct:
    """Works until cancelled, or until the file `go` is there."""
    folder = Path(request["folder"])
    done = 0
    while not (folder / "go").exists():
        done += 1
        context.progress("waiting", done, 0, "look", {})
        context.check_cancelled()
        time.sleep(0.01)
    context.log("the file is there")
    return request


def be_stuck(request: struct_pb2.Struct, context: JobContext) -> struct_pb2.Struct:
    """Native code that never returns and lets no other thread of Python run, in a process that ignores SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tell_pid(request)
    context.progress("stuck", 1, 0, "", {})
    time.sleep(1)  # time for one report
    ctypes.PyDLL(None).sleep(1000)
    return request


def die_once(request: struct_pb2.Struct, context: JobContext) -> struct_pb2.Struct:
    """Saves a checkpoint and is killed; goes on from the checkpoint in the next life."""
    if context.attempt == 1:
        context.save_checkpoint(CHECKPOINT)
        os.kill(os.getpid(), signal.SIGKILL)
    response = struct_pb2.Struct()
    response.update({"attempt": context.attempt, "from": context.checkpoint.digest if context.checkpoint else ""})
    return response


def leave(request: struct_pb2.Struct, context: JobContext) -> struct_pb2.Struct:
    sys.exit(3)


def wait_for_second_life(request: struct_pb2.Struct, context: JobContext) -> struct_pb2.Struct:
    tell_pid(request)
    context.progress("first life", 1, 0, "", {})
    while context.attempt == 1:
        context.check_cancelled()
        time.sleep(0.01)
    return request


def be_slow_to_die(request: struct_pb2.Struct, context: JobContext) -> struct_pb2.Struct:
    """Never looks whether it is cancelled, but lets others run."""
    tell_pid(request)
    context.progress("deaf", 1, 0, "", {})
    threading.Event().wait(1000)
    return request


def tell_pid(request: struct_pb2.Struct) -> None:
    Path(request["folder"], f"pid-{os.getpid()}").touch()
