"""Models, modules and compositions of the registry as networks in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import nn

from modelfoundry.client import Client, Composition, CompositionMember, Model, Module
from modelfoundry.core.architectures import InputSpec, load_network
from modelfoundry.core.composing import Calibration, ComposedNetwork, Member, Readout, compose_network, readout_of
from modelfoundry.core.modules import MaterialisedModule, ModuleArtifact, materialise, materialise_in_place, read_module
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.convert import architecture_from, input_spec_from, problem_from
from modelfoundry.workbench.requests import subject_collection


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
    """A module, its masks and head, its base model, and the network that they make together."""

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
        return readout_of(self.network.outputs, label, problem_from(self.resource.problem))


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


def load_model(client: Client, cache: BlobCache, name: str) -> LoadedModel:
    """Fetches a model and builds its network.

    Raises:
        NotFound: no such model.
        WeightsMismatch: the weights do not fit the architecture of the installed libraries.
        CorruptBlob, Unavailable: as the cache.
    """
    model = client.models.get(name)
    input_spec = input_spec_from(model.input)
    weights = cache.fetch(client, model.weights.digest)
    network = load_network(architecture_from(model.architecture), len(model.labels), input_spec, weights)
    if isinstance(network, ComposedNetwork):  # an imported composition
        network.share_work(input_spec)
    return LoadedModel(model, network, input_spec)


def load_module(client: Client, cache: BlobCache, name: str, base: LoadedModel | None = None) -> LoadedModule:
    """Fetches a module and its base model and materialises it.

    Args:
        client: Access to the registry.
        cache: Local blobs.
        name: Name of the module.
        base: The base model, where it is loaded already.

    Raises:
        NotFound: no such module, or its base model is gone.
        MalformedFile: the artifact is not in the module format.
        WeightsMismatch, CorruptBlob, Unavailable: as `load_model`.
    """
    module = client.modules.get(name)
    artifact = read_module(cache.fetch(client, module.artifact.digest))
    if base is None or base.resource.name != module.base_model:
        base = load_model(client, cache, module.base_model)
    return LoadedModule(module, artifact, base, materialise(base.network, artifact))


def load_module_network(client: Client, cache: BlobCache, name: str) -> LoadedModuleNetwork:
    """Like `load_module` for those who need no unmasked base: its weights are in memory once.

    Raises:
        NotFound, MalformedFile, WeightsMismatch, CorruptBlob, Unavailable: as `load_module`.
    """
    module = client.modules.get(name)
    artifact = read_module(cache.fetch(client, module.artifact.digest))
    base = load_model(client, cache, module.base_model)
    return LoadedModuleNetwork(module, base.resource, materialise_in_place(base.network, artifact), base.input_spec)


def load_sources(client: Client, cache: BlobCache, names: Iterable[str]) -> Mapping[str, LoadedSource]:
    """Fetches models and modules, base models that several modules have only once.

    Returns:
        By name, each once, in the order in which they are named first.

    Raises:
        NotFound, MalformedFile, WeightsMismatch, CorruptBlob, Unavailable: as `load_model` and `load_module`.
    """
    found: dict[str, LoadedSource] = {}
    bases: dict[str, LoadedModel] = {}
    for name in dict.fromkeys(names):
        if subject_collection(name, field="source") == "models":
            found[name] = bases[name] = bases.get(name) or load_model(client, cache, name)
        else:
            base = bases.get(client.modules.get(name).base_model)
            module = load_module(client, cache, name, base)
            bases[module.base.resource.name] = module.base
            found[name] = module
    return found


def load_composition(client: Client, cache: BlobCache, name: str) -> LoadedComposition:
    """Fetches all sources of a composition and joins them.

    Raises:
        NotFound: no such composition.
        MalformedFile, WeightsMismatch, CorruptBlob, Unavailable: as `load_sources`.
    """
    composition = client.compositions.get(name)
    sources = load_sources(client, cache, (member.source for member in composition.members))
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
