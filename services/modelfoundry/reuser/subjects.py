"""Models and modules under one roof: a network with named outputs."""

from __future__ import annotations

from dataclasses import dataclass

from modelfoundry.artifacts.cache import BlobCache
from modelfoundry.artifacts.convert import architecture_from, problem_from
from modelfoundry.artifacts.networks import load_model, load_module
from modelfoundry.artifacts.requests import subject_collection
from modelfoundry.client import Client
from modelfoundry.core.export import ExportSubject


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that classifies images."""

    classifier: ExportSubject
    """The network in eval mode on the CPU, and what its users must know."""
    name: str
    """The resource's own name, also where an alias was asked for."""
    digest: str
    """SHA-256 of the weights or the artifact."""


def load_subject(client: Client, cache: BlobCache, name: str) -> Subject:
    """Fetches a model or module and builds its network.

    Raises:
        NotFound: there is none of that name.
        WeightsMismatch, MalformedFile, CorruptBlob, Unavailable: as loading says.
    """
    if subject_collection(name, field="subject") == "models":
        base, network, problem = load_model(client, cache, name), None, None
        outputs, found, digest = base.resource.labels, base.resource.name, base.resource.weights.digest
    else:
        module = load_module(client, cache, name)
        base, network, problem = module.base, module.network, problem_from(module.resource.problem)
        outputs, found, digest = module.network.outputs, module.resource.name, module.resource.artifact.digest
    classifier = ExportSubject(
        network=network or base.network,
        outputs=outputs,
        architecture=architecture_from(base.resource.architecture),
        label_count=len(base.resource.labels),
        input_spec=base.input_spec,
        weights_digest=base.resource.weights.digest,
        problem=problem,
    )
    return Subject(classifier, found, digest)
