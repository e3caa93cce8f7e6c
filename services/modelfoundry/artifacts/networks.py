"""Models and modules of the registry as networks in memory."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from modelfoundry.artifacts.cache import BlobCache
from modelfoundry.artifacts.convert import architecture_from, input_spec_from
from modelfoundry.client import Client, Model, Module
from modelfoundry.core.architectures import InputSpec, load_network
from modelfoundry.core.modules import (
    MaterialisedModule,
    ModuleArtifact,
    materialise,
    materialise_in_place,
    read_module,
)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model with its network in eval mode on the CPU."""

    resource: Model
    network: nn.Module
    input_spec: InputSpec


@dataclass(frozen=True, slots=True)
class LoadedModule:
    """A module, its masks and head, its base model, and the network that they make together."""

    resource: Module
    artifact: ModuleArtifact
    base: LoadedModel
    network: MaterialisedModule


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
    return LoadedModel(model, network, input_spec)


def load_module(client: Client, cache: BlobCache, name: str) -> LoadedModule:
    """Fetches a module and its base model and materialises it.

    Raises:
        NotFound: no such module, or its base model is gone.
        MalformedFile: the artifact is not in the module format.
        WeightsMismatch, CorruptBlob, Unavailable: as `load_model`.
    """
    module = client.modules.get(name)
    artifact = read_module(cache.fetch(client, module.artifact.digest))
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
