"""Ports, the lock of a data directory, and the endpoints file."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from modelfoundry.cli.supervision.data_lock import locked
from modelfoundry.cli.supervision.endpoints_file import remove_endpoints, write_endpoints
from modelfoundry.cli.supervision.local_services import plan_services
from modelfoundry.cli.supervision.ports import check_ports, free_ports
from modelfoundry.client import Endpoints
from modelfoundry.errors import InUse, InvalidField, Unavailable


def test_a_taken_port_is_named_with_its_service():
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        (free,) = free_ports("127.0.0.1", 1)
        with pytest.raises(InUse, match=rf"port {taken} \(evaluator\)") as error:
            check_ports("127.0.0.1", {"registry": free, "evaluator": taken})
        assert "--ports free" in error.value.hint


def test_free_ports_are_different_and_free():
    ports = free_ports("127.0.0.1", 4)
    assert len(set(ports)) == 4
    check_ports("127.0.0.1", {str(port): port for port in ports})


def test_an_address_of_another_machine_cannot_be_listened_on():
    with pytest.raises(InvalidField, match=r"192\.0\.2\.1"):
        free_ports("192.0.2.1", 1)


def test_a_data_directory_is_held_once_and_by_whom_is_said(tmp_path):
    with locked(tmp_path), pytest.raises(InUse, match=f"process {os.getpid()}"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_a_killed_holder_lets_go(tmp_path):
    program = (
        "import sys, time, pathlib; from modelfoundry.cli.supervision.data_lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(InUse), locked(tmp_path):
            pass
        holder.kill()
        holder.wait()
    with locked(tmp_path):
        pass


def test_clients_find_what_was_written_and_nothing_after_it_was_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("MODELFOUNDRY_HOME", str(tmp_path))
    addresses = {"registry": "127.0.0.1:1", "decomposer": "127.0.0.1:2", "evaluator": "h:3", "reuser": "h:4"}
    path = write_endpoints(tmp_path, addresses)
    assert json.loads(path.read_text()) == addresses
    assert Endpoints.resolve() == Endpoints(**addresses)
    remove_endpoints(tmp_path, addresses)
    with pytest.raises(Unavailable, match=r"endpoints\.json is not there"):
        Endpoints.resolve()


def test_endpoints_of_another_are_not_removed(tmp_path):
    path = write_endpoints(tmp_path, {"registry": "127.0.0.1:1"})
    remove_endpoints(tmp_path, {"registry": "127.0.0.1:2"})
    assert path.exists()


def test_services_are_told_where_to_listen_and_where_the_registry_is(tmp_path, monkeypatch):
    monkeypatch.setenv("MODELFOUNDRY_REUSER_GRACE_SECONDS", "1")
    ports = {"registry": 1000, "evaluator": 1002, "reuser": 1001}
    registry, evaluator, reuser = plan_services(tmp_path, "::1", ports)
    assert registry.environment["MODELFOUNDRY_REGISTRY_LISTEN"] == "[::1]:1000"
    assert reuser.environment["MODELFOUNDRY_REUSER_REGISTRY"] == "[::1]:1000"
    assert reuser.environment["MODELFOUNDRY_REUSER_EVALUATOR"] == "[::1]:1002"
    assert "MODELFOUNDRY_EVALUATOR_REUSER" not in evaluator.environment
    assert reuser.environment["MODELFOUNDRY_HOME"] == str(tmp_path)
    assert "MODELFOUNDRY_REUSER_GRACE_SECONDS" not in reuser.environment
