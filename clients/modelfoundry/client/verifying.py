"""Checks of signed statements, on what was fetched: no call is made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from securesystemslib.signer import SSlibKey

from modelfoundry.api.registry.v1 import composition_pb2, module_pb2, statement_service_pb2
from modelfoundry.attestation.envelope import signed_by, signing_key_ids
from modelfoundry.attestation.keys import public_key
from modelfoundry.attestation.statements import (
    PAYLOAD_TYPE,
    composition_digest,
    composition_statement,
    differing_paths,
    materials_of,
    module_statement,
    read_payload,
    subject_of,
)
from modelfoundry.errors import MalformedFile
from modelfoundry.names import shortened
from modelfoundry.values.statements import Check, Rebuild

NAMED: Final = 3
"""How many of several differences are named."""

Signed = module_pb2.Module | composition_pb2.Composition


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """Public keys, and who says that they are the right ones."""

    keys: Sequence[SSlibKey]
    vouched: str

    @classmethod
    def from_files(cls, paths: Sequence[str | Path]) -> TrustedKeys:
        """Keys that the user trusts.

        Raises:
            MalformedFile: a file holds no Ed25519 public key.
            OSError: a file cannot be read.
        """
        return cls([public_key(Path(path).read_bytes(), source=str(path)) for path in paths], "which you trust")

    @classmethod
    def from_registry(cls, keys: Sequence[statement_service_pb2.SigningKey]) -> TrustedKeys:
        """Keys that the registry published."""
        found = [public_key(key.public_key.encode(), source=f"key {key.key_id}") for key in keys]
        return cls(found, "which the registry publishes: pass --key to trust a key of your own")


def check_file(message: module_pb2.Module, digest: str, source: str) -> Check:
    """Whether bytes are those that the registry names.

    Args:
        message: The module.
        digest: SHA-256 of the bytes.
        source: Where they are from.
    """
    wanted = message.artifact.digest
    if digest == wanted:
        return Check("file", ok=True, detail=f"{source} is {digest}")
    return Check("file", ok=False, detail=f"{source} is {digest}, the registry says {wanted}")


def check_definition(message: composition_pb2.Composition) -> Check:
    """Whether a composition's digest is that of its members, their calibration and its input."""
    found = composition_digest(message)
    if found == message.digest:
        return Check("definition", ok=True, detail=f"members and input give {found}")
    return Check("definition", ok=False, detail=f"members and input give {found}, the registry says {message.digest}")


def check_statement(
    message: Signed, envelope: statement_service_pb2.DsseEnvelope, trusted: TrustedKeys, now: Mapping[str, str]
) -> list[Check]:
    """Whether what the registry says now is what was signed.

    Args:
        message: The resource as the registry tells it.
        envelope: Its signed statement.
        trusted: Keys that may have signed.
        now: Digests by name of what the resource was made from, as the registry holds it now; of all that `materials`
            names, those that are there.
    """
    expected = statement_of(message)
    try:
        statement = read_payload(envelope.payload)
    except MalformedFile as error:
        return [_check_signature(envelope, trusted, intact=False), Check("statement", ok=False, detail=error.message)]
    return [
        _check_signature(envelope, trusted, intact=statement == expected),
        _check_subject(statement, expected),
        _check_materials(statement, expected, now),
        _check_record(statement, expected),
    ]


def statement_of(message: Signed) -> Mapping[str, Any]:
    """The statement that the registry makes of a resource."""
    return module_statement(message) if isinstance(message, module_pb2.Module) else composition_statement(message)


def materials(message: Signed, envelope: statement_service_pb2.DsseEnvelope) -> list[str]:
    """Names of what a resource was made from, according to the registry or to the statement."""
    names = [name for name, _ in materials_of(statement_of(message))]
    with suppress(MalformedFile):
        names += [name for name, _ in materials_of(read_payload(envelope.payload))]
    return list(dict.fromkeys(names))


def unsigned() -> Check:
    """What is said of a resource without a statement."""
    return Check("statement", ok=False, detail="unsigned: it was registered before statements were made")


def check_rebuild(rebuild: Rebuild) -> Check:
    """Whether repeating the decomposition gave the same bits."""
    changes = ", ".join(
        f"{change.what} was {change.recorded or 'not recorded'}, is {change.current or 'not there'}"
        for change in rebuild.changes
    )
    if rebuild.equal:
        detail = f"masks ({rebuild.mask_entries:,} entries) and head are equal bit by bit"
        return Check("rebuild", ok=True, detail=f"{detail}; {changes}" if changes else detail)
    listed = [f"{one.differing:,} of {one.entries:,} of {one.tensor}" for one in rebuild.differences]
    detail = f"not what the record gives: {_some(listed)} differ"
    if changes:
        detail += f"; {changes}: equal bits are promised only with equal versions on an equal machine"
    return Check("rebuild", ok=False, detail=detail)


def _check_signature(envelope: statement_service_pb2.DsseEnvelope, trusted: TrustedKeys, *, intact: bool) -> Check:
    ids = signing_key_ids(envelope)
    if not ids:
        return Check("signature", ok=False, detail="the envelope has no signature")
    if envelope.payload_type != PAYLOAD_TYPE:
        return Check("signature", ok=False, detail=f"the payload is {shortened(envelope.payload_type)!r}, no statement")
    signer = signed_by(envelope, trusted.keys)
    if signer:
        return Check("signature", ok=True, detail=f"by key {signer}, {trusted.vouched}")
    claimed = ", ".join(shortened(key_id) for key_id in ids[:NAMED])
    if not {key.keyid for key in trusted.keys} & set(ids):
        return Check("signature", ok=False, detail=f"by key {claimed}, which is none of the trusted keys")
    what = (
        "the signature was changed, for the statement is what the registry's record gives"
        if intact
        else "the statement was changed after it was signed"
    )
    return Check("signature", ok=False, detail=f"key {claimed} did not sign this: {what}")


def _check_subject(statement: Mapping[str, Any], expected: Mapping[str, Any]) -> Check:
    (name, digest), (wanted_name, wanted_digest) = subject_of(statement), subject_of(expected)
    if name != wanted_name:
        return Check("subject", ok=False, detail=f"the statement is about {shortened(name)}, not {wanted_name}")
    if digest != wanted_digest:
        detail = f"the statement is about {shortened(digest)}, the registry holds {wanted_digest}"
        return Check("subject", ok=False, detail=detail)
    return Check("subject", ok=True, detail=f"the statement is about {name}, {digest}")


def _check_materials(statement: Mapping[str, Any], expected: Mapping[str, Any], now: Mapping[str, str]) -> Check:
    signed = materials_of(statement)
    trouble = [
        f"{shortened(name)} was {shortened(digest)}, {f'is {now[name]}' if name in now else 'is not there'}"
        for name, digest in signed
        if now.get(name) != digest
    ]
    trouble += [
        f"the registry's record names {name}, {digest or 'without a digest'}, and the statement does not"
        for name, digest in materials_of(expected)
        if (name, digest) not in signed
    ]
    if trouble:
        return Check("materials", ok=False, detail=_some(trouble))
    return Check("materials", ok=True, detail=", ".join(f"{name} is {digest}" for name, digest in signed))


def _check_record(statement: Mapping[str, Any], expected: Mapping[str, Any]) -> Check:
    """Everything else: parameters, seed, versions, what was seen while choosing."""
    ignored = ("predicate.buildDefinition.resolvedDependencies", "subject")
    paths = [path for path in differing_paths(statement, expected) if not path.startswith(ignored)]
    if paths:
        detail = f"the registry's record differs from what was signed in {_some([shortened(one) for one in paths])}"
        return Check("record", ok=False, detail=detail)
    return Check("record", ok=True, detail="parameters, seed, versions and figures are those that were signed")


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + more
