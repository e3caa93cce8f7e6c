"""Which modules and models may speak for the labels of a composition: looked up in the registry, nothing computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from modelfoundry.client import Composition, Model, Module
from modelfoundry.core.composing import Candidate
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.kinds import Kind
from modelfoundry.workbench.resources import AsyncResources, Subject
from modelfoundry.workbench.subject_names import subject_collection


@dataclass(frozen=True, slots=True)
class Source:
    """A model, module or composition that a request names."""

    resource: Subject
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
    """What a composition can be made of, as the registry has it."""

    resources: AsyncResources
    digests: dict[str, str] = field(default_factory=dict)
    """Of everything that became a candidate, by name."""

    async def source(self, name: str, *, field: str) -> Source:
        """Finds what a request names.

        Raises:
            NotFound: it is not there, or is a module whose base model is gone.
        """
        subject = await self.resources.subject(name, field=field)
        if isinstance(subject, Module):
            base = await self.resources.base(subject, field=field)
            return Source(subject, subject.problem.labels, base.input, field)
        return Source(subject, subject.labels, subject.input, field)

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
        async for module in self.resources.client.modules.list(f'base_model = "{source.name}"', order_by="name"):
            self.resources.known.add(module)
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
        if subject_collection(name, field="member") == Kind.MODEL:
            own = self.own_output(await self.resources.model(name), source_label)
            return Candidate(label, own.source, source_label, own.size)
        (candidate,) = self._of_module(await self.resources.module(name), {source_label: label})
        return candidate


def _sources_of(composition: Composition) -> list[str]:
    return list(dict.fromkeys(member.source for member in composition.members))
