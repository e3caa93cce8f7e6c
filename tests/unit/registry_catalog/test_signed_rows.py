"""Statements are written with what they are about, say just what is told of it later, and go with it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from sqlmodel import select

from modelfoundry.api.registry.v1 import composition_pb2, module_pb2
from modelfoundry.api.registry.v1 import statement_service_pb2 as pb
from modelfoundry.api.types.v1 import compute_pb2, training_pb2
from modelfoundry.attestation.envelope import signed_by
from modelfoundry.attestation.statements import (
    composition_digest,
    composition_statement,
    differing_paths,
    materials_of,
    module_statement,
    read_payload,
)
from modelfoundry.errors import AlreadyExists, InvalidField, MalformedFile, NotFound
from modelfoundry.registry.aliases.aliases import Aliases
from modelfoundry.registry.records.shelf import utc_now
from modelfoundry.registry.statements.attestor import Attestor
from modelfoundry.registry.statements.servicer import StatementServicer
from modelfoundry.registry.statements.tables import StatementRow

PARENT = "projects/default"
SIGNER = CryptoSigner.generate_ed25519()
ENVIRONMENT = compute_pb2.Environment(
    python="3.11.7", libraries={"torch": "2.9.0", "numpy": "2.3"}, platform="Linux-x86_64", device="cpu", threads=2
)


@pytest.fixture
def signing(registry: Any) -> Any:
    """A registry that signs."""
    Attestor(SIGNER, utc_now).keep(registry.database)
    return registry


@pytest.fixture
def parents(signing: Any) -> tuple[Any, Any]:
    return signing.create_model("net"), signing.create_dataset("digits")


def statement(signing: Any, name: str) -> pb.Statement:
    servicer = StatementServicer(signing.database, SIGNER.public_key.keyid)
    try:
        return asyncio.run(servicer.GetStatement(pb.GetStatementRequest(name=name), None))  # type: ignore[arg-type]
    finally:
        servicer.close()


def stored(signing: Any) -> set[str]:
    with signing.database.read_session() as session:
        return {row.resource for row in session.exec(select(StatementRow))}


def record() -> module_pb2.DecompositionRecord:
    full = module_pb2.DecompositionRecord(
        algorithm="seam",
        seed=-(2**53) - 1,
        validation=compute_pb2.ValidationSplit(source_split="train", fraction=0.1, seed=3),
        operation=f"{PARENT}/operations/decompose-1",
        environment=ENVIRONMENT,
        validation_accuracy=1 / 3,
        validation_samples=2**40,
        fell_back=True,
        cache_key="key",
        subset=training_pb2.TrainingSubset(concentration=0.7, seed=0),
        empty_layers=["conv.weight"],
    )
    full.settings.update({"lr_mask": 0.1, "epochs": 3, "label_groups": [["café", "犬"], ["x"]]})
    return full


def test_what_was_signed_is_what_is_told_of_a_module_later(signing: Any, parents: tuple[Any, Any]) -> None:
    name = signing.create_module(*parents, "horse", record=record()).name
    signing.call("UpdateModule", module_pb2.UpdateModuleRequest(module=module_pb2.Module(name=name, license="MIT")))
    told = signing.call("GetModule", module_pb2.GetModuleRequest(name=name))

    signed = statement(signing, name)

    assert signed_by(signed.envelope, [SIGNER.public_key]) == SIGNER.public_key.keyid
    assert signed.sign_time.seconds >= told.create_time.seconds
    said = read_payload(signed.envelope.payload)
    assert said == json.loads(json.dumps(module_statement(told)))
    definition, run = said["predicate"]["buildDefinition"], said["predicate"]["runDetails"]
    assert definition["externalParameters"]["seed"] == str(-(2**53) - 1)
    assert definition["externalParameters"]["settings"]["lr_mask"] == 0.1
    assert definition["internalParameters"] == {"platform": "Linux-x86_64", "device": "cpu", "threads": 2}
    assert run["builder"]["version"] == {"torch": "2.9.0", "numpy": "2.3", "python": "3.11.7"}
    assert run["metadata"]["invocationId"] == f"{PARENT}/operations/decompose-1"


def test_what_was_signed_is_what_is_told_of_a_composition_later(signing: Any, parents: tuple[Any, Any]) -> None:
    net, dataset = parents
    horse = signing.create_module(net, dataset, "horse")
    asked = signing.composition_message(
        {"horse": (horse, "horse"), "cat": (net, "cat"), "dog": (net, "dog")},
        dataset,
        record=composition_pb2.CompositionRecord(strategy="beam", environment=ENVIRONMENT, validation_accuracy=0.1),
    )
    asked.members[0].scale, asked.members[1].bias = 1 / 3, -0.1
    name = signing.create_composition(asked, "farm").name
    told = signing.call("GetComposition", composition_pb2.GetCompositionRequest(name=name))

    said = read_payload(statement(signing, name).envelope.payload)

    assert said == json.loads(json.dumps(composition_statement(told)))
    assert composition_digest(told) == told.digest
    assert materials_of(said) == [
        (horse.name, horse.artifact.digest),
        (net.name, net.weights.digest),
        (dataset.name, dataset.digest),
    ]


def test_what_is_not_stored_leaves_no_statement(signing: Any, parents: tuple[Any, Any]) -> None:
    signing.create_module(*parents, "horse")
    with pytest.raises(AlreadyExists):
        signing.create_module(*parents, "horse")
    message = signing.module_message(*parents)
    checked = module_pb2.CreateModuleRequest(parent=PARENT, module_id="never", module=message, validate_only=True)
    signing.call("CreateModule", checked)
    assert stored(signing) == {f"{PARENT}/modules/horse"}


def test_what_cannot_be_signed_is_not_stored(
    signing: Any, parents: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SIGNER, "_private_key", None)
    with pytest.raises(AttributeError):
        signing.create_module(*parents, "horse")
    with pytest.raises(NotFound):
        signing.call("GetModule", module_pb2.GetModuleRequest(name=f"{PARENT}/modules/horse"))
    assert stored(signing) == set()


def test_a_statement_goes_with_what_it_is_about_also_by_cascade(signing: Any, parents: tuple[Any, Any]) -> None:
    net, dataset = parents
    horse = signing.create_module(net, dataset, "horse")
    signing.create_composition(signing.composition_message({"horse": (horse, "horse"), "cat": (net, "cat")}, dataset))
    assert len(stored(signing)) == 2
    signing.call("DeleteModule", module_pb2.DeleteModuleRequest(name=horse.name, cascade=True))
    assert stored(signing) == set()


def test_the_statement_of_an_alias_is_that_of_what_it_stands_for(signing: Any, parents: tuple[Any, Any]) -> None:
    horse = signing.create_module(*parents, "horse")
    Aliases(signing.shelf).set(f"{PARENT}/modules/h@live", horse.name, None)
    assert statement(signing, f"{PARENT}/modules/h@live") == statement(signing, horse.name)
    assert statement(signing, f"{PARENT}/modules/h@live").name == horse.name


def test_only_modules_and_compositions_have_statements(signing: Any, parents: tuple[Any, Any]) -> None:
    assert stored(signing) == set()
    with pytest.raises(InvalidField, match="neither a module nor a composition"):
        statement(signing, parents[0].name)
    with pytest.raises(NotFound, match="there is no projects/default/modules/horse"):
        statement(signing, f"{PARENT}/modules/horse")


def test_a_registry_that_starts_again_publishes_its_key_once(signing: Any) -> None:
    Attestor(SIGNER, utc_now).keep(signing.database)
    servicer = StatementServicer(signing.database, SIGNER.public_key.keyid)
    (key,) = asyncio.run(servicer.ListSigningKeys(pb.ListSigningKeysRequest(), None)).keys  # type: ignore[arg-type]
    servicer.close()
    assert (key.key_id, key.current) == (SIGNER.public_key.keyid, True)
    assert key.public_key.startswith("-----BEGIN PUBLIC KEY-----")


def test_paths_say_where_two_statements_differ() -> None:
    one = {"a": {"b": [1, {"c": 2}]}, "same": [1], "gone": 1}
    other = {"a": {"b": [1, {"c": 3}]}, "same": [1], "longer": [1, 2]}
    assert differing_paths(one, other) == ["a.b[1].c", "gone", "longer"]
    assert differing_paths({"a": [1]}, {"a": [1, 2]}) == ["a"]


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"_type": "x"}'], ids=range(6))
def test_a_payload_of_another_kind_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedFile, match="no in-toto statement"):
        read_payload(payload)
