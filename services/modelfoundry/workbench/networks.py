"""Models, modules and compositions of the registry as networks in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import nn

from modelfoundry.client import Client, Composition, CompositionMember, Model, Module
from modelfoundry.core.composing import Calibration, ComposedNetwork, Member, Readout, compose_network, readout_of
from modelfoundry.core.heads import LogOddsHead
from modelfoundry.core.modules import (
    MaterialisedModule,
    ModuleArtifact,
    check_runs,
    materialise,
    materialise_in_place,
    read_module,
)
from modelfoundry.core.networks import load_network
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.kinds import Kind
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.resources import Resources
from modelfoundry.workbench.subject_names import subject_collection


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model with its network in eval mode on the CPU."""

    resource: Model
    network: nn.Module
    input_spec: InputSpec

    def readout(self, label: str) -> Readout:
        """Which output speaks for a label, and which against it."""
        return readout_of(self.resource.labels, label, None)


@dataclass(frozen=True, slots=True)
class LoadedModule:
    """A module, what its file says, its base model, and the network that they make together."""

    resource: Module
    artifact: ModuleArtifact
    base: LoadedModel
    network: MaterialisedModule

    @property
    def input_spec(self) -> InputSpec:
        """What it takes: what its base model takes."""
        return self.base.input_spec

    def readout(self, label: str) -> Readout:
        """Which output speaks for a label, and which against it."""
        against_rest = isinstance(self.artifact.head, LogOddsHead)
        return readout_of(self.network.outputs, label, self.resource.problem, against_rest=against_rest)


LoadedSource = LoadedModel | LoadedModule


@dataclass(frozen=True, slots=True)
class LoadedComposition:
    """A composition, what it was joined from, and the network that this makes together."""

    resource: Composition
    sources: Mapping[str, LoadedSource]
    """By name, in the order of the network's sources."""
    network: ComposedNetwork
    input_spec: InputSpec


@dataclass(frozen=True, slots=True)
class LoadedModuleNetwork:
    """A module as a network that runs, without its unmasked base network."""

    resource: Module
    base: Model
    network: MaterialisedModule
    input_spec: InputSpec


def load_model(client: Client, cache: BlobCache, model: Model) -> LoadedModel:
    """Fetches a model's weights and builds its network.

    Raises:
        WeightsMismatch: the weights do not fit the architecture of the installed libraries.
        NotFound: the weights are gone.
        CorruptBlob, Unavailable: as the cache.
    """
    input_spec = model.input
    weights = cache.fetch(client, model.weights.digest)
    network = load_network(model.architecture, len(model.labels), input_spec, weights)
    if isinstance(network, ComposedNetwork):  # an imported composition
        network.share_work(input_spec)
    return LoadedModel(model, network, input_spec)


def load_module(client: Client, cache: BlobCache, module: Module, base: LoadedModel) -> LoadedModule:
    """Fetches a module's artifact and materialises it.

    Args:
        client: Access to the registry.
        cache: Local blobs.
        module: The module.
        base: Its base model; stays as it is.

    Raises:
        MalformedFile: the artifact is not in the module format.
        NotFound, WeightsMismatch, CorruptBlob, Unavailable: as `load_model`.
    """
    artifact = read_module(cache.fetch(client, module.artifact.digest))
    network = materialise(base.network, artifact)
    _check_cuts(network, base.input_spec)
    return LoadedModule(module, artifact, base, network)


def load_module_network(client: Client, cache: BlobCache, module: Module, base: Model) -> LoadedModuleNetwork:
    """Like `load_module` for those who need no unmasked base: its weights are in memory once.

    Raises:
        NotFound, MalformedFile, WeightsMismatch, CorruptBlob, Unavailable: as `load_module`.
    """
    artifact = read_module(cache.fetch(client, module.artifact.digest))
    loaded = load_model(client, cache, base)
    network = materialise_in_place(loaded.network, artifact)
    _check_cuts(network, loaded.input_spec)
    return LoadedModuleNetwork(module, base, network, loaded.input_spec)


def _check_cuts(network: MaterialisedModule, input_spec: InputSpec) -> None:
    if network.cuts or network.operations:
        check_runs(network, input_spec)


def load_sources(resources: Resources, cache: BlobCache, names: Iterable[str]) -> Mapping[str, LoadedSource]:
    """Fetches models and modules, base models that several modules have only once.

    Returns:
        By name, each once, in the order in which they are named first.

    Raises:
        NotFound: one is not there, or the base model of a module is gone.
        MalformedFile, WeightsMismatch, CorruptBlob, Unavailable: as `load_model` and `load_module`.
    """
    found: dict[str, LoadedSource] = {}
    models: dict[str, LoadedModel] = {}

    def model(name: str) -> LoadedModel:
        if name not in models:
            models[name] = load_model(resources.client, cache, resources.model(name))
        return models[name]

    for name in dict.fromkeys(names):
        if subject_collection(name, field="source") == Kind.MODEL:
            found[name] = model(name)
        else:
            module = resources.module(name)
            found[name] = load_module(resources.client, cache, module, model(module.base_model))
    return found


def load_composition(resources: Resources, cache: BlobCache, composition: Composition) -> LoadedComposition:
    """Fetches all sources of a composition and joins them.

    Raises:
        NotFound, MalformedFile, WeightsMismatch, CorruptBlob, Unavailable: as `load_sources`.
    """
    sources = load_sources(resources, cache, (member.source for member in composition.members))
    network, input_spec = join_sources(sources, composition.members)
    return LoadedComposition(composition, sources, network, input_spec)


def join_sources(
    sources: Mapping[str, LoadedSource], members: Iterable[CompositionMember]
) -> tuple[ComposedNetwork, InputSpec]:
    """One network of what speaks for every label, and the images that it takes.

    Args:
        sources: By name; their networks become part of the composition.
        members: One for every label, in the order of the outputs.
    """
    places = {name: place for place, name in enumerate(sources)}
    members = list(members)
    return compose_network(
        [(source.network, source.input_spec) for source in sources.values()],
        [
            Member(
                places[member.source],
                sources[member.source].readout(member.source_label),
                Calibration(member.scale, member.bias),
            )
            for member in members
        ],
        [member.label for member in members],
    )
