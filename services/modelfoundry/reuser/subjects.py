"""Models and modules under one roof: a network with named outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from modelfoundry.artifacts.cache import BlobCache
from modelfoundry.artifacts.convert import architecture_from, problem_from
from modelfoundry.artifacts.networks import LoadedModel, LoadedModule, load_model, load_module
from modelfoundry.artifacts.requests import subject_collection
from modelfoundry.client import Client
from modelfoundry.core.channels import plan_channels
from modelfoundry.core.export import ExportSubject, classifier_of, max_difference
from modelfoundry.core.modules import MaterialisedModule, compact_module
from modelfoundry.core.problems import Problem


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that classifies images."""

    classifier: ExportSubject
    """The network in eval mode on the CPU, and what its users must know."""
    digest: str
    """SHA-256 of the weights or the artifact."""


def load_compacted(client: Client, cache: BlobCache, name: str) -> Subject:
    """Fetches a module and removes its dead channels.

    Raises:
        UnsupportedModel: no channel of its base model can be removed.
        ExportMismatch: the smaller network gives other outputs.
        NotFound, WeightsMismatch, MalformedFile, CorruptBlob, Unavailable: as loading says.
    """
    masked = load_subject(client, cache, name)
    return replace(masked, classifier=compacted_subject(masked.classifier).classifier)


@dataclass(frozen=True, slots=True)
class CompactedSubject:
    """A module without its dead channels."""

    classifier: ExportSubject
    held: tuple[str, ...]
    """Layers in which every channel was dead, so that one had to stay."""
    max_difference: float
    """Largest absolute difference of the logits from those of the masked module, on random images."""


def compacted_subject(masked: ExportSubject) -> CompactedSubject:
    """Removes the dead channels of a module and compares the outputs.

    Args:
        masked: A materialised module; stays as it is.

    Raises:
        UnsupportedModel: no channel of its base model can be removed.
        ExportMismatch: the smaller network gives other outputs.
    """
    module = masked.network
    if not isinstance(module, MaterialisedModule):
        raise TypeError(f"a {type(module).__name__} is no module")
    found = compact_module(module, plan_channels(module.network, masked.input_spec))
    smaller = replace(masked, network=found.module, cuts=found.cuts)
    return CompactedSubject(smaller, found.masks.held, max_difference(classifier_of(smaller), classifier_of(masked)))


def load_subject(client: Client, cache: BlobCache, name: str) -> Subject:
    """Fetches a model or module and builds its network.

    Raises:
        NotFound: there is none of that name.
        WeightsMismatch, MalformedFile, CorruptBlob, Unavailable: as loading says.
    """
    if subject_collection(name, field="subject") == "models":
        base = load_model(client, cache, name)
        return Subject(_subject(base, base.network, base.resource.labels), base.resource.weights.digest)
    module = load_module(client, cache, name)
    return Subject(subject_of_module(module), module.resource.artifact.digest)


def subject_of_module(module: LoadedModule) -> ExportSubject:
    """A module, masked as it was found."""
    problem = problem_from(module.resource.problem)
    return _subject(module.base, module.network, module.network.outputs, problem)


def _subject(
    base: LoadedModel, network: nn.Module, outputs: tuple[str, ...], problem: Problem | None = None
) -> ExportSubject:
    return ExportSubject(
        network=network,
        outputs=outputs,
        architecture=architecture_from(base.resource.architecture),
        label_count=len(base.resource.labels),
        input_spec=base.input_spec,
        weights_digest=base.resource.weights.digest,
        problem=problem,
    )
