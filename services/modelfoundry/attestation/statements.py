"""In-toto statements about modules and compositions: the same message gives the same statement."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from modelfoundry.api.registry.v1 import composition_pb2, module_pb2
from modelfoundry.errors import MalformedFile

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://slsa.dev/provenance/v1"
DECOMPOSITION: Final = "https://modelfoundry.dev/decomposition/v1"
COMPOSITION: Final = "https://modelfoundry.dev/composition/v1"
DECOMPOSER: Final = "https://modelfoundry.dev/decomposer"
REUSER: Final = "https://modelfoundry.dev/reuser"

JsonObject = dict[str, Any]


def module_statement(module: module_pb2.Module) -> JsonObject:
    """The statement about a registered module, all output fields set."""
    record = _json(module.record)
    environment = record.pop("environment", {})
    operation = record.pop("operation", "")
    dataset_digest = record.pop("dataset_digest", "")
    asked = _taken(record, "algorithm", "settings", "validation", "calibration_split", "subset")
    parameters = {"problem": _json(module.problem), **asked}
    record.pop("seed", None)
    retention = _json(module.retention)
    retention.pop("layers", None)
    return _statement(
        subject=(module.name, module.artifact.digest),
        build_type=DECOMPOSITION,
        parameters={**parameters, "seed": str(module.record.seed)},
        materials=[(module.base_model, module.base_digest), (module.dataset, dataset_digest)],
        builder=DECOMPOSER,
        environment=environment,
        operation=operation,
        finished=module.create_time.ToJsonString(),
        seen={"record": record, "retention": retention},
    )


def composition_statement(composition: composition_pb2.Composition) -> JsonObject:
    """The statement about a registered composition, all output fields set."""
    record = _json(composition.record)
    environment = record.pop("environment", {})
    operation = record.pop("operation", "")
    digests = record.pop("dataset_digests", [])
    record.pop("seed", None)
    materials = {member.source: member.source_digest for member in composition.members}
    parameters = {
        "task": composition_pb2.Composition.Task.Name(composition.task),
        "input": _json(composition.input),
        "members": [_json(member) for member in composition.members],
        **_taken(record, "strategy", "score", "settings", "validation", "calibrated"),
        "seed": str(composition.record.seed),
    }
    if composition.base_model:
        parameters["patched_model"] = composition.base_model
    return _statement(
        subject=(composition.name, composition.digest),
        build_type=COMPOSITION,
        parameters=parameters,
        materials=[*materials.items(), *zip(composition.datasets, digests, strict=False)],
        builder=REUSER,
        environment=environment,
        operation=operation,
        finished=composition.create_time.ToJsonString(),
        seen={"record": record},
    )


def definition_digest(members: Iterable[Sequence[Any]], image: Mapping[str, Any]) -> str:
    """SHA-256 that names what a composition computes.

    Args:
        members: In order: label, source, digest of the source, label of the source, scale and bias.
        image: What an image looks like: `channels`, `height`, `width`, `mean`, `std`.
    """
    listed = [list(member) for member in members]
    content = {
        "labels": [label for label, *_ in listed],
        "members": [[source, digest, label, scale, bias] for _, source, digest, label, scale, bias in listed],
        "input": dict(image),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def composition_digest(composition: composition_pb2.Composition) -> str:
    """SHA-256 of a composition's definition, from the definition itself."""
    members = (
        (one.label, one.source, one.source_digest, one.source_label, one.scale, one.bias) for one in composition.members
    )
    image = composition.input
    return definition_digest(
        members,
        {
            "channels": image.channels,
            "height": image.height,
            "width": image.width,
            "mean": list(image.mean),
            "std": list(image.std),
        },
    )


def write_payload(statement: Mapping[str, Any]) -> bytes:
    """A statement as the bytes that are signed."""
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def read_payload(payload: bytes) -> JsonObject:
    """The statement in an envelope.

    Raises:
        MalformedFile: it is none, or of a kind that this version does not know.
    """
    try:
        statement = json.loads(payload)
    except (ValueError, RecursionError):
        statement = None
    match statement:
        case {
            "_type": str(kind),
            "predicateType": str(predicate),
            "subject": [{"name": str(), "digest": {"sha256": str()}}],
            "predicate": {"buildDefinition": {"resolvedDependencies": [*materials]}, "runDetails": dict()},
        } if (kind, predicate) == (STATEMENT_TYPE, PREDICATE_TYPE) and all(map(_is_material, materials)):
            return dict(statement)
    raise MalformedFile(
        "the payload is no in-toto statement of the kind that this version reads",
        hint="it was changed, or was made by a newer version of ModelFoundry",
    )


def subject_of(statement: Mapping[str, Any]) -> tuple[str, str]:
    """Name and digest of what a statement is about."""
    (subject,) = statement["subject"]
    return subject["name"], f"sha256:{subject['digest']['sha256']}"


def materials_of(statement: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and digests of what the subject was made from."""
    dependencies = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    return [(one["name"], f"sha256:{one['digest']['sha256']}") for one in dependencies]


def differing_paths(left: Any, right: Any, path: str = "") -> list[str]:
    """Paths at which two JSON values differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        keys = sorted(left.keys() | right.keys())
        return [
            found
            for key in keys
            for found in differing_paths(left.get(key), right.get(key), f"{path}.{key}" if path else key)
        ]
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return [
            found
            for place, (one, other) in enumerate(zip(left, right, strict=True))
            for found in differing_paths(one, other, f"{path}[{place}]")
        ]
    return [] if left == right else [path]


def _statement(
    *,
    subject: tuple[str, str],
    build_type: str,
    parameters: Mapping[str, Any],
    materials: Iterable[tuple[str, str]],
    builder: str,
    environment: Mapping[str, Any],
    operation: str,
    finished: str,
    seen: Mapping[str, Any],
) -> JsonObject:
    machine = dict(environment)
    versions = dict(machine.pop("libraries", {}))
    if python := machine.pop("python", ""):
        versions["python"] = python
    return {
        "_type": STATEMENT_TYPE,
        "subject": [_descriptor(*subject)],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": build_type,
                "externalParameters": dict(parameters),
                "internalParameters": machine,
                "resolvedDependencies": [_descriptor(name, digest) for name, digest in materials],
            },
            "runDetails": {
                "builder": {"id": builder, "version": versions},
                "metadata": {"invocationId": operation, "finishedOn": finished},
                "byproducts": [{"name": name, "annotations": content} for name, content in seen.items() if content],
            },
        },
    }


def _descriptor(name: str, digest: str) -> JsonObject:
    return {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}


def _is_material(entry: Any) -> bool:
    match entry:
        case {"name": str(), "digest": {"sha256": str()}}:
            return True
    return False


def _taken(record: JsonObject, *keys: str) -> JsonObject:
    """Moves entries out of a record."""
    return {key: record.pop(key) for key in keys if key in record}


def _json(message: Message) -> JsonObject:
    return MessageToDict(message, preserving_proto_field_name=True)
