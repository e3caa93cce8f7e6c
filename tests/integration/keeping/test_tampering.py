"""What `verify` finds when somebody changes bytes, rows or statements behind the registry's back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from blob_backends import LocalBackend
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from securesystemslib.dsse import Envelope

from modelfoundry import errors
from modelfoundry.api.registry.v1 import statement_service_pb2 as pb
from modelfoundry.attestation.keys import load_signing_key, public_key, public_pem
from modelfoundry.client import (
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
    InputSpec,
    Module,
    ValidationSplit,
    Verification,
)
from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.blobs.store import store_key

from .conftest import Registry, running_registry, weights


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One registry with two modules and a composition, shared: every test puts back what it changed."""
    folder = tmp_path_factory.mktemp("tampering")
    backend = LocalBackend(folder / "blobs", LocalBlobStore(folder / "blobs"))
    with running_registry(folder / "home", backend) as running:
        base, dataset = running.add_model("net", weights()), running.add_dataset("pets")
        horse = running.add_module("horse", base, dataset)
        running.add_module("other", base, dataset, seed=1)
        members = (
            CompositionMember(label="horse", source=horse.name, source_label="horse", scale=1.5),
            CompositionMember(label="cat", source=base.name, source_label="cat"),
        )
        composition = Composition(
            task=CompositionTask.NEW_TASK,
            members=members,
            input=InputSpec(1, 8, 8, (0.1,), (0.3,)),
            datasets=(dataset.name,),
            record=CompositionRecord(strategy="per_label_best", score="f1", validation=ValidationSplit()),
        )
        running.client.compositions.create(composition, composition_id="farm")
        yield running


@pytest.fixture
def rows(registry: Registry) -> Iterator[sqlite3.Connection]:
    """The registry's database, which is as before when the test is over."""
    path = registry.stack.folder / "registry" / "registry.db"
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
        tables = ("modules", "compositions", "models", "statements", "statement_keys")
        before = {table: database.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
        yield database
        database.execute("PRAGMA foreign_keys = OFF")
        for table, kept in before.items():
            database.execute(f"DELETE FROM {table}")
            places = ", ".join("?" * len(kept[0]))
            database.executemany(f"INSERT INTO {table} VALUES ({places})", kept)


def failed(verification: Verification) -> dict[str, str]:
    """The checks that failed, and why."""
    return {check.name: check.detail for check in verification.checks if not check.ok}


def envelope(rows: sqlite3.Connection, module: str = "projects/default/modules/horse") -> pb.DsseEnvelope:
    (stored,) = rows.execute("SELECT envelope FROM statements WHERE resource = ?", (module,)).fetchone()
    return pb.DsseEnvelope.FromString(stored)


def put(rows: sqlite3.Connection, changed: pb.DsseEnvelope) -> None:
    rows.execute(
        "UPDATE statements SET envelope = ? WHERE resource = 'projects/default/modules/horse'",
        (changed.SerializeToString(),),
    )


def test_what_nobody_touched_is_as_it_was_signed(registry: Registry) -> None:
    module = registry.client.statements.verify("horse")
    assert [check.name for check in module.checks] == ["file", "signature", "subject", "materials", "record"]
    assert module.ok, module
    composition = registry.client.statements.verify("compositions/farm", rebuild=True)
    assert [check.name for check in composition.checks] == [
        *("definition", "signature", "subject", "materials", "record"),
        *(f"horse: {name}" for name in ("file", "signature", "subject", "materials", "record")),
        "net: file",
    ]
    assert composition.ok, composition


def test_the_envelope_is_one_that_other_programs_check(registry: Registry, tmp_path: Path) -> None:
    saved = registry.client.statements.save("horse", tmp_path / "new" / "statement.json")
    (key,) = registry.client.statements.keys()
    found = Envelope.from_dict(json.loads(saved.read_text()))
    found.verify([public_key(key.public_key.encode(), source="registry")], 1)
    statement = json.loads(found.payload)
    module = registry.client.modules.get("horse")
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [
        {"name": module.name, "digest": {"sha256": module.artifact.digest.removeprefix("sha256:")}}
    ]
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert [one["name"] for one in statement["predicate"]["buildDefinition"]["resolvedDependencies"]] == [
        module.base_model,
        module.dataset,
    ]


def test_changed_bytes_of_the_store_are_found(registry: Registry) -> None:
    module = registry.client.modules.get("horse")
    path = registry.stack.folder.parent / "blobs" / store_key(module.artifact.digest)
    whole = path.read_bytes()
    registry.backend.overwrite(module.artifact.digest, whole[:-1] + bytes([whole[-1] ^ 1]))
    found = failed(registry.client.statements.verify("horse"))
    registry.backend.overwrite(module.artifact.digest, whole)
    assert list(found) == ["file"]
    assert found["file"].startswith(f"the registry's bytes are not {module.artifact.digest}")


def test_a_file_of_this_machine_is_checked_in_place_of_the_registrys(registry: Registry, tmp_path: Path) -> None:
    module = registry.client.modules.get("horse")
    path = registry.client.blobs.download(module.artifact, tmp_path / "horse.safetensors")
    assert registry.client.statements.verify("horse", file=path).ok
    path.write_bytes(path.read_bytes() + b"x")
    found = failed(registry.client.statements.verify("horse", file=path))
    assert list(found) == ["file"]
    assert f"the registry says {module.artifact.digest}" in found["file"]


def test_a_row_that_names_other_bytes_is_found(registry: Registry, rows: sqlite3.Connection) -> None:
    other = registry.client.modules.get("other")
    rows.execute("UPDATE modules SET artifact_digest = ? WHERE name LIKE '%/horse'", (other.artifact.digest,))
    found = failed(registry.client.statements.verify("horse"))
    assert list(found) == ["subject"]
    assert f"the registry holds {other.artifact.digest}" in found["subject"]


def test_a_changed_record_is_found_and_named(registry: Registry, rows: sqlite3.Connection) -> None:
    rows.execute("UPDATE modules SET record = json_set(record, '$.seed', '7') WHERE name LIKE '%/horse'")
    found = failed(registry.client.statements.verify("horse"))
    assert list(found) == ["record"]
    assert found["record"].endswith("predicate.buildDefinition.externalParameters.seed")


def test_a_material_that_was_exchanged_is_found(registry: Registry, rows: sqlite3.Connection) -> None:
    rows.execute("UPDATE models SET weights_digest = ?", ("sha256:" + "0" * 64,))
    found = failed(registry.client.statements.verify("horse"))
    assert list(found) == ["materials"]
    assert "projects/default/models/net was sha256:" in found["materials"]
    assert "is sha256:0000" in found["materials"]


def test_a_composition_whose_calibration_was_changed_is_found(registry: Registry, rows: sqlite3.Connection) -> None:
    rows.execute("UPDATE compositions SET members = json_set(members, '$[0].scale', 2.5)")
    found = failed(registry.client.statements.verify("compositions/farm"))
    assert list(found) == ["definition", "record"]


def test_a_changed_statement_is_found(registry: Registry, rows: sqlite3.Connection) -> None:
    changed = envelope(rows)
    statement = json.loads(changed.payload)
    statement["predicate"]["buildDefinition"]["externalParameters"]["seed"] = "7"
    changed.payload = json.dumps(statement).encode()
    put(rows, changed)
    found = failed(registry.client.statements.verify("horse"))
    assert list(found) == ["signature", "record"]
    assert "the statement was changed after it was signed" in found["signature"]


def test_a_payload_that_is_no_statement_is_found(registry: Registry, rows: sqlite3.Connection) -> None:
    changed = envelope(rows)
    changed.payload = b'{"_type": []}'
    put(rows, changed)
    found = failed(registry.client.statements.verify("horse"))
    assert list(found) == ["signature", "statement"]


def test_a_changed_signature_is_found(registry: Registry, rows: sqlite3.Connection) -> None:
    changed = envelope(rows)
    signature = bytearray(changed.signatures[0].sig)
    signature[3] ^= 1
    changed.signatures[0].sig = bytes(signature)
    put(rows, changed)
    found = failed(registry.client.statements.verify("horse"))
    assert list(found) == ["signature"]
    assert "the signature was changed" in found["signature"]


def test_a_signature_that_was_taken_away_is_found(registry: Registry, rows: sqlite3.Connection) -> None:
    changed = envelope(rows)
    del changed.signatures[:]
    put(rows, changed)
    assert failed(registry.client.statements.verify("horse")) == {"signature": "the envelope has no signature"}


def test_a_statement_about_another_module_is_found(registry: Registry, rows: sqlite3.Connection) -> None:
    put(rows, envelope(rows, "projects/default/modules/other"))
    found = failed(registry.client.statements.verify("horse"))
    assert next(iter(found)) == "subject"
    assert found["subject"] == (
        "the statement is about projects/default/modules/other, not projects/default/modules/horse"
    )
    assert "signature" not in found


def test_a_key_that_is_not_trusted_is_found(registry: Registry, rows: sqlite3.Connection, tmp_path: Path) -> None:
    mine = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    private, trusted = tmp_path / "mine.pem", tmp_path / "mine.pub.pem"
    private.touch(0o600)
    private.write_bytes(mine)
    trusted.write_text(public_pem(load_signing_key(private, field="key").public_key))
    published = registry.stack.folder / "registry" / "signing-key.pub.pem"
    assert registry.client.statements.verify("horse", keys=[trusted, published]).ok
    found = failed(registry.client.statements.verify("horse", keys=[trusted]))
    assert list(found) == ["signature"]
    assert "none of the trusted keys" in found["signature"]
    rows.execute("DELETE FROM statement_keys")
    assert list(failed(registry.client.statements.verify("horse"))) == ["signature"]


def test_a_module_of_before_statements_is_unsigned_and_says_so(registry: Registry, rows: sqlite3.Connection) -> None:
    rows.execute("DELETE FROM statements WHERE resource LIKE '%/horse'")
    assert not registry.client.statements.get("horse").signed
    assert failed(registry.client.statements.verify("horse")) == {
        "statement": "unsigned: it was registered before statements were made"
    }
    shown = registry.run("module", "show", "horse")
    assert "unsigned: registered before statements were made" in shown.stdout
    with pytest.raises(errors.NotFound, match="is unsigned"):
        registry.client.statements.save("horse", registry.stack.folder / "never.json")


def test_the_command_prints_a_line_a_check_and_fails_when_one_does(
    registry: Registry, rows: sqlite3.Connection
) -> None:
    good = registry.run("verify", "farm", "--key", str(registry.stack.folder / "registry" / "signing-key.pub.pem"))
    assert good.returncode == 0, good.stdout + good.stderr
    lines = [line.split()[:2] for line in good.stdout.splitlines()]
    assert lines == [[name, "ok"] for name in ("definition", "signature", "subject", "materials", "record")]
    rows.execute("UPDATE modules SET record = json_set(record, '$.seed', '7') WHERE name LIKE '%/horse'")
    bad = registry.run("verify", "horse", "--json")
    assert bad.returncode == 1
    answer = json.loads(bad.stdout)
    assert (answer["resource"], answer["ok"]) == ("projects/default/modules/horse", False)
    assert [check["name"] for check in answer["checks"] if not check["ok"]] == ["record"]


def test_a_name_that_is_registered_again_has_a_statement_of_its_own(registry: Registry) -> None:
    made: list[Module] = []
    for _ in range(2):
        template = registry.client.modules.get("other")
        made.append(registry.client.modules.create(replace(template, name=""), module_id="again"))
        assert registry.client.statements.verify("again").ok
        registry.client.modules.delete("again")
    with pytest.raises(errors.NotFound):
        registry.client.statements.get("again")


def test_statements_of_a_key_that_was_replaced_stay_verifiable(registry: Registry) -> None:
    (old,) = registry.client.statements.keys()
    path = registry.stack.folder / "registry" / "signing-key.pem"
    secret = path.read_text().splitlines()[1]
    path.unlink()
    registry.restart()
    first, second = registry.client.statements.keys()
    assert (first.key_id, first.current, second.current) == (old.key_id, False, True)
    assert registry.client.statements.get("horse").key_ids == (old.key_id,)
    assert registry.client.statements.verify("horse").ok
    assert secret not in registry.stack.log("registry")


def test_a_key_that_others_can_read_keeps_the_registry_from_starting(registry: Registry) -> None:
    path = registry.stack.folder / "registry" / "signing-key.pem"
    registry.stack.kill("registry")
    path.chmod(0o644)
    registry.stack.start("registry")
    assert registry.stack.processes["registry"].wait(60) != 0
    assert f"others can read {path} (mode 0644)" in registry.stack.log("registry")
    path.chmod(0o600)
    registry.restart()
    assert registry.client.statements.verify("horse").ok
