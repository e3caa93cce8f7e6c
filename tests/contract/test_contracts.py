"""The contracts, the failure vocabulary and the layout agree with each other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from modelfoundry import errors
from modelfoundry.api.types.v1 import error_reason_pb2

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = sorted((ROOT / "protos" / "modelfoundry").rglob("*.proto"))


def test_every_error_class_has_a_reason_in_the_contract_and_the_reverse() -> None:
    in_contract = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118 - no dict
    assert set(errors.ERROR_BY_REASON) == in_contract - {"UNSPECIFIED"}


def test_every_error_is_a_direct_child_of_the_root_so_that_the_tables_cover_it() -> None:
    for error in errors.ERROR_BY_REASON.values():
        assert error.__subclasses__() == []


def test_the_committed_stubs_are_those_of_the_contracts() -> None:
    finished = subprocess.run(
        [sys.executable, ROOT / "protos" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("contract", CONTRACTS, ids=[path.stem for path in CONTRACTS])
def test_every_field_rpc_and_value_is_described(contract: Path) -> None:
    lines = contract.read_text().splitlines()
    declares = re.compile(r"^\s*(rpc \w+|(optional |repeated )?[\w.<>, ]+ \w+ = \d+|service \w+|message \w+|enum \w+)")
    bare = [
        f"{contract.name}:{number}: {line.strip()}"
        for number, line in enumerate(lines, start=1)
        if declares.match(line)
        and not line.lstrip().startswith(("//", "option", "("))
        and not lines[number - 2].lstrip().startswith("//")
    ]
    assert bare == []


def test_no_init_file_hides_parts_of_the_namespace_package() -> None:
    folders = [ROOT / part / "modelfoundry" for part in ("protos/gen", "services", "registry", "clients")]
    assert [folder for folder in folders if (folder / "__init__.py").exists()] == []


def test_the_lock_file_names_no_host() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text()
