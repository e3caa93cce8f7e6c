"""Models and modules under one roof: a network with named outputs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from modelfoundry.artifacts.cache import BlobCache
from modelfoundry.artifacts.convert import architecture_from, problem_from
from modelfoundry.artifacts.networks import load_model, load_module_network
from modelfoundry.artifacts.requests import subject_collection
from modelfoundry.client import Client, Model
from modelfoundry.core.architectures import InputSpec
from modelfoundry.core.export import ExportSubject
from modelfoundry.core.problems import Problem


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
        model = load_model(client, cache, name)
        classifier = _classifier(model.resource, model.network, model.resource.labels, model.input_spec)
        return Subject(classifier, model.resource.name, model.resource.weights.digest)
    module = load_module_network(client, cache, name)
    problem = problem_from(module.resource.problem)
    classifier = _classifier(module.base, module.network, module.network.outputs, module.input_spec, problem)
    return Subject(classifier, module.resource.name, module.resource.artifact.digest)


def _classifier(
    base: Model, network: nn.Module, outputs: tuple[str, ...], input_spec: InputSpec, problem: Problem | None = None
) -> ExportSubject:
    return ExportSubject(
        network=network,
        outputs=outputs,
        architecture=architecture_from(base.architecture),
        label_count=len(base.labels),
        input_spec=input_spec,
        weights_digest=base.weights.digest,
        problem=problem,
    )
