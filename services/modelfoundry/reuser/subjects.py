"""Models, modules and compositions under one roof: a network with named outputs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from modelfoundry.client import Composition, CompositionMember, Model, Module
from modelfoundry.core.channels import ChannelPlan, plan_channels
from modelfoundry.core.composing import compose_network
from modelfoundry.core.export import CompositionSubject, Exportable, ExportSubject, classifier_of, max_difference
from modelfoundry.core.modules import MaterialisedModule, compact_module
from modelfoundry.errors import ExportMismatch, UnsupportedModel
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.problems import Problem
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.networks import (
    LoadedModel,
    LoadedModule,
    LoadedSource,
    join_sources,
    load_composition,
    load_model,
    load_module_network,
)
from modelfoundry.workbench.resources import Resources, Subject, digest_of


@dataclass(frozen=True, slots=True)
class LoadedSubject:
    """Something that classifies images."""

    classifier: Exportable
    """The network in eval mode on the CPU, and what its users must know."""
    digest: str
    """SHA-256 of the weights or the artifact, or the digest of a composition."""


def load_subject(resources: Resources, cache: BlobCache, subject: Subject) -> LoadedSubject:
    """Fetches what a model, module or composition is made of and builds its network.

    Raises:
        NotFound: the base model of a module, or a source of a composition, is gone.
        WeightsMismatch, MalformedFile, CorruptBlob, Unavailable: as loading says.
    """
    return LoadedSubject(_classifier(resources, cache, subject), digest_of(subject))


def _classifier(resources: Resources, cache: BlobCache, subject: Subject) -> Exportable:
    match subject:
        case Model():
            return subject_of_source(load_model(resources.client, cache, subject))
        case Module():
            base = resources.model(subject.base_model)
            module = load_module_network(resources.client, cache, subject, base)
            problem = subject.problem
            return _subject(base, module.network, module.network.outputs, module.input_spec, problem)
        case Composition():
            composition = load_composition(resources, cache, subject)
            return subject_of_members(composition.sources, subject.members)


def load_compacted(resources: Resources, cache: BlobCache, subject: Subject) -> LoadedSubject:
    """Fetches a module, or a composition of modules, and removes dead channels.

    Raises:
        UnsupportedModel: no channel of the module's base model can be removed.
        ExportMismatch: the smaller network gives other outputs.
        NotFound, WeightsMismatch, MalformedFile, CorruptBlob, Unavailable: as loading says.
    """
    masked = load_subject(resources, cache, subject)
    if isinstance(masked.classifier, CompositionSubject):
        return replace(masked, classifier=compacted_composition(masked.classifier))
    return replace(masked, classifier=compacted_subject(masked.classifier).classifier)


def without_dead_channels(loaded: LoadedSubject) -> LoadedSubject:
    """A composition of modules as it is cheapest to run: every module without what nobody reads.

    Modules of kernels (GradSplitter's) keep a part of the arithmetic of their base each; masked they cost a whole pass
    each. Everything else stays as it is, and so does a composition whose smaller form gives other outputs.
    """
    if not isinstance(loaded.classifier, CompositionSubject):
        return loaded
    try:
        return replace(loaded, classifier=compacted_composition(loaded.classifier))
    except ExportMismatch:
        return loaded


def subject_of_source(source: LoadedSource) -> ExportSubject:
    """A model, or a module masked as it was found."""
    match source:
        case LoadedModel():
            return _subject(source.resource, source.network, source.resource.labels, source.input_spec, None)
        case LoadedModule():
            problem = source.resource.problem
            base = source.base.resource
            return _subject(base, source.network, source.network.outputs, source.input_spec, problem)


def _subject(
    base: Model, network: nn.Module, outputs: tuple[str, ...], input_spec: InputSpec, problem: Problem | None
) -> ExportSubject:
    return ExportSubject(
        network=network,
        outputs=outputs,
        architecture=base.architecture,
        label_count=len(base.labels),
        input_spec=input_spec,
        weights_digest=base.weights.digest,
        problem=problem,
    )


def subject_of_members(sources: Mapping[str, LoadedSource], members: Sequence[CompositionMember]) -> CompositionSubject:
    """What speaks for every label, joined; modules masked as they were found."""
    network, input_spec = join_sources(sources, members)
    return CompositionSubject(
        network=network,
        outputs=network.labels,
        input_spec=input_spec,
        sources=tuple(subject_of_source(source) for source in sources.values()),
        members=network.members,
    )


@dataclass(frozen=True, slots=True)
class CompactedSubject:
    """A module without its dead channels."""

    classifier: ExportSubject
    held: tuple[str, ...]
    """Layers in which every channel was dead, so that one had to stay."""
    max_difference: float
    """Largest absolute difference of the logits from those of the masked module, on random images."""


def compacted_subject(masked: ExportSubject, plan: ChannelPlan | None = None) -> CompactedSubject:
    """Removes the dead channels of a module and compares the outputs.

    Args:
        masked: A materialised module; stays as it is.
        plan: Of its network as it is, where it is known already.

    Raises:
        UnsupportedModel: no channel of its base model can be removed.
        ExportMismatch: the smaller network gives other outputs.
    """
    module = masked.network
    if not isinstance(module, MaterialisedModule):
        raise TypeError(f"a {type(module).__name__} is no module")
    found = compact_module(module, plan or plan_channels(module.network, masked.input_spec))
    smaller = replace(masked, network=found.module)
    return CompactedSubject(smaller, found.masks.held, max_difference(classifier_of(smaller), classifier_of(masked)))


def compacted_composition(masked: CompositionSubject) -> CompositionSubject:
    """Removes the dead channels of every module that a composition was joined from.

    Models stay as they are, and so do modules of networks that cannot be cut.

    Raises:
        ExportMismatch: a smaller network gives other outputs.
    """
    plans: dict[Hashable, ChannelPlan | None] = {}
    sources = tuple(_compacted_source(source, plans) for source in masked.sources)
    network, _ = compose_network(
        [(source.network, source.input_spec) for source in sources], masked.members, masked.outputs
    )
    return replace(masked, network=network, sources=sources)


def _compacted_source(source: ExportSubject, plans: dict[Hashable, ChannelPlan | None]) -> ExportSubject:
    module = source.network
    if source.problem is None or not isinstance(module, MaterialisedModule):
        return source
    base = (f"{source.architecture}/{source.label_count}/{source.input_spec.shape}", module.cuts, module.operations)
    if base not in plans:
        try:
            plans[base] = plan_channels(module.network, source.input_spec)
        except UnsupportedModel:
            plans[base] = None
    plan = plans[base]
    return source if plan is None else compacted_subject(source, plan).classifier
