"""Which modules and models may speak for the labels of a composition: looked up in the registry, nothing computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from modelfoundry.client import AsyncClient, Composition, Model, Module
from modelfoundry.core.architectures import InputSpec
from modelfoundry.core.composing import Candidate
from modelfoundry.errors import NotFound
from modelfoundry.workbench.convert import input_spec_from
from modelfoundry.workbench.requests import subject_collection


@dataclass(frozen=True, slots=True)
class Source:
    """A model, module or composition that a request names."""

    resource: Model | Module | Composition
    labels: tuple[str, ...]
    """That it knows."""
    input_spec: InputSpec
    field: str
    """Path of the request field that names it."""

    @property
    def name(self) -> str:
        """Resource name."""
        return self.resource.name


@dataclass
class Stock:
    """Reads sources and candidates from the registry, each once."""

    client: AsyncClient
    digests: dict[str, str] = field(default_factory=dict)
    """Of everything that became a candidate, by name."""
    _models: dict[str, Model] = field(default_factory=dict)
    _modules: dict[str, Module] = field(default_factory=dict)

    async def source(self, name: str, *, field: str) -> Source:
        """Finds what a request names.

        Raises:
            NotFound: it is not there, or is a module whose base model is gone.
        """
        match subject_collection(name, field=field):
            case "models":
                model = await self.model(name)
                return Source(model, model.labels, input_spec_from(model.input), field)
            case "modules":
                module = await self.module(name)
                base = await self.base(module, field=field)
                return Source(module, module.problem.labels, input_spec_from(base.input), field)
            case _:
                composition = await self.client.compositions.get(name)
                return Source(composition, composition.labels, input_spec_from(composition.input), field)

    async def model(self, name: str) -> Model:
        """A model.

        Raises:
            NotFound: there is none of that name.
        """
        if name not in self._models:
            self._models[name] = await self.client.models.get(name)
        return self._models[name]

    async def module(self, name: str) -> Module:
        """A module.

        Raises:
            NotFound: there is none of that name.
        """
        if name not in self._modules:
            self._modules[name] = await self.client.modules.get(name)
        return self._modules[name]

    async def base(self, module: Module, *, field: str) -> Model:
        """The base model of a module.

        Raises:
            NotFound: it is gone.
        """
        try:
            return await self.model(module.base_model)
        except NotFound as error:
            raise NotFound(
                f"{field}: {module.base_model}, the base model of {module.name}, is gone",
                field=field,
                hint="a module is nothing without its base model: register the model again and decompose it",
                metadata=error.metadata,
            ) from error

    async def networks(self, source: Source) -> list[tuple[str, InputSpec]]:
        """Every model that a source stands on, with the images that it takes: of a composition those of its members.

        Raises:
            NotFound: the base model of a module is gone.
        """
        if not isinstance(source.resource, Composition):
            return [(source.name, source.input_spec)]
        members = [await self.source(name, field=source.field) for name in _sources_of(source.resource)]
        return [(member.name, member.input_spec) for member in members]

    async def candidates(self, source: Source, wanted: Mapping[str, str]) -> list[Candidate]:
        """What a source offers.

        Args:
            source: A model: its modules. A composition: its members. A module: itself.
            wanted: Names of labels in the source to their names in the composition.

        Raises:
            NotFound: the base model of a module is gone.
        """
        match source.resource:
            case Model():
                return await self._modules_of(source, wanted)
            case Module() as module:
                return self._of_module(module, wanted)
            case Composition() as composition:
                return [
                    await self._named(member.source, member.source_label, wanted[member.label])
                    for member in composition.members
                    if member.label in wanted
                ]

    def own_output(self, model: Model, label: str) -> Candidate:
        """A model's own output as a candidate."""
        self.digests[model.name] = model.weights.digest
        return Candidate(label, model.name, label, sum(math.prod(tensor.shape) for tensor in model.tensors))

    async def _modules_of(self, source: Source, wanted: Mapping[str, str]) -> list[Candidate]:
        found = []
        async for module in self.client.modules.list(f'base_model = "{source.name}"', order_by="name"):
            self._modules[module.name] = module
            found += self._of_module(module, wanted)
        return found

    def _of_module(self, module: Module, wanted: Mapping[str, str]) -> list[Candidate]:
        self.digests[module.name] = module.artifact.digest
        size = module.retention.kept_weights if module.retention else module.artifact.size_bytes
        return [
            Candidate(wanted[label], module.name, label, size) for label in module.problem.labels if label in wanted
        ]

    async def _named(self, name: str, source_label: str, label: str) -> Candidate:
        """A member of a composition."""
        if subject_collection(name, field="member") == "models":
            own = self.own_output(await self.model(name), source_label)
            return Candidate(label, own.source, source_label, own.size)
        (candidate,) = self._of_module(await self.module(name), {source_label: label})
        return candidate


def _sources_of(composition: Composition) -> list[str]:
    return list(dict.fromkeys(member.source for member in composition.members))
