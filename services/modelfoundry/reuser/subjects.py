"""Models, modules and compositions under one roof: a network with named outputs."""

from __future__ import annotations

from dataclasses import dataclass

from modelfoundry.artifacts.cache import BlobCache
from modelfoundry.artifacts.convert import architecture_from, problem_from
from modelfoundry.artifacts.networks import LoadedModel, LoadedSource, load_composition, load_model, load_module
from modelfoundry.artifacts.requests import subject_collection
from modelfoundry.client import Client
from modelfoundry.core.export import CompositionSubject, Exportable, ExportSubject


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that classifies images."""

    classifier: Exportable
    """The network in eval mode on the CPU, and what its users must know."""
    digest: str
    """SHA-256 of the weights or the artifact, or the digest of a composition."""


def load_subject(client: Client, cache: BlobCache, name: str) -> Subject:
    """Fetches a model, module or composition and builds its network.

    Raises:
        NotFound: there is none of that name.
        WeightsMismatch, MalformedFile, CorruptBlob, Unavailable: as loading says.
    """
    match subject_collection(name, field="subject"):
        case "models":
            model = load_model(client, cache, name)
            return Subject(export_subject_of(model), model.resource.weights.digest)
        case "modules":
            module = load_module(client, cache, name)
            return Subject(export_subject_of(module), module.resource.artifact.digest)
        case _:
            return _composition(client, cache, name)


def export_subject_of(source: LoadedSource) -> ExportSubject:
    """A model or module with what its users must know."""
    if isinstance(source, LoadedModel):
        base, outputs, problem = source, source.resource.labels, None
    else:
        base, outputs, problem = source.base, source.network.outputs, problem_from(source.resource.problem)
    return ExportSubject(
        network=source.network,
        outputs=outputs,
        architecture=architecture_from(base.resource.architecture),
        label_count=len(base.resource.labels),
        input_spec=base.input_spec,
        weights_digest=base.resource.weights.digest,
        problem=problem,
    )


def _composition(client: Client, cache: BlobCache, name: str) -> Subject:
    composition = load_composition(client, cache, name)
    classifier = CompositionSubject(
        network=composition.network,
        outputs=composition.network.labels,
        input_spec=composition.input_spec,
        sources=tuple(export_subject_of(source) for source in composition.sources.values()),
        members=composition.network.members,
    )
    return Subject(classifier, composition.resource.digest)
