"""Models and modules under one roof: a network with named outputs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from modelfoundry.artifacts.cache import BlobCache
from modelfoundry.artifacts.networks import load_model, load_module
from modelfoundry.client import Client, Model, Module
from modelfoundry.core.architectures import InputSpec
from modelfoundry.errors import InvalidField
from modelfoundry.names import shortened


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that classifies images."""

    resource: Model | Module
    network: nn.Module
    """Logits [n, outputs] of normalised images; in eval mode on the CPU."""
    input_spec: InputSpec
    outputs: tuple[str, ...]
    digest: str
    """SHA-256 of the weights or the artifact."""


def subject_collection(name: str) -> str:
    """`models` or `modules`.

    Raises:
        InvalidField: the name is of neither.
    """
    match name.split("/", 4):
        case ["projects", _, ("models" | "modules") as collection, _]:
            return collection
        case _:
            raise InvalidField(
                f"subject: {shortened(name)!r} is neither a model nor a module",
                field="subject",
                hint="pass projects/{project}/models/{model} or projects/{project}/modules/{module}",
            )


def load_subject(client: Client, cache: BlobCache, name: str) -> Subject:
    """Fetches a model or module and builds its network.

    Raises:
        NotFound: there is none of that name.
        WeightsMismatch, MalformedFile, CorruptBlob, Unavailable: as loading says.
    """
    if subject_collection(name) == "models":
        model = load_model(client, cache, name)
        return Subject(
            model.resource, model.network, model.input_spec, model.resource.labels, model.resource.weights.digest
        )
    module = load_module(client, cache, name)
    return Subject(
        module.resource, module.network, module.base.input_spec, module.network.outputs, module.resource.artifact.digest
    )
