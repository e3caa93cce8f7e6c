"""`modelfoundry up` keeps four services running, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

from service_stack import INLINE, NAMES

from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.supervision.local_services import DEFAULT_PORTS


def test_a_life_of_the_services(start_up, tmp_path):
    up = start_up(data_directory=tmp_path)
    endpoints = up.announced()["endpoints"]
    children = up.children()
    assert set(endpoints) == set(children) == set(NAMES)
    assert json.loads((tmp_path / "endpoints.json").read_text()) == endpoints

    # A second one on the same data directory says so, and who has it.
    second = start_up(data_directory=tmp_path)
    assert second.outcome() == ExitCode.CONFLICT
    assert str(up.process.pid) in second.said[0]
    assert second.said[1].startswith("hint: ")

    # A killed service comes back at the same address.
    children["registry"].kill()
    up.wait_until_it_says(f"registry is back on {endpoints['registry']}")
    back = up.children()
    assert set(back) == set(NAMES)
    assert back["registry"].pid != children["registry"].pid

    # It stops all of them, and clients no longer look for them.
    assert up.end(signal.SIGTERM) == ExitCode.OK
    assert not any(child.is_running() for child in back.values())
    assert not (tmp_path / "endpoints.json").exists()


def test_a_service_that_does_not_start_stops_all_and_shows_its_log(start_up):
    up = start_up(MODELFOUNDRY_REGISTRY_LARGEST_BLOB_BYTES="none", **INLINE)
    assert up.outcome() == ExitCode.UNAVAILABLE
    said = "".join(up.said)
    assert "registry does not start" in said
    assert "largest_blob_bytes" in said
    assert "Traceback" not in said.partition("error: ")[2]


def test_a_taken_default_port_is_named(start_up):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", DEFAULT_PORTS["evaluator"]))
            other.listen()
        except OSError:
            pass  # somebody else has it: the better
        up = start_up("--ports", "default")
        assert up.outcome() == ExitCode.CONFLICT
    assert "50052 (evaluator)" in up.said[0]
    assert "--ports free" in up.said[1]


def test_an_interruption_while_starting_leaves_no_services_behind(start_up):
    up = start_up()
    while len(children := up.children()) < len(NAMES):
        time.sleep(0.02)
    assert up.end(signal.SIGINT) == ExitCode.OK
    assert not any(child.is_running() for child in children.values())


def test_completion_offers_commands():
    request = {"_MODELFOUNDRY_COMPLETE": "complete_bash", "COMP_WORDS": "modelfoundry de", "COMP_CWORD": "1"}
    command = [sys.executable, "-m", "modelfoundry.cli"]
    script = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **request})
    assert set(script.stdout.split()) == {"decompose", "demo", "describe"}
