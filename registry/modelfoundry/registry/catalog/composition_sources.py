"""The modules and models that a composition takes labels from, as they are stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from modelfoundry.errors import InvalidField, UnknownLabel
from modelfoundry.names import label_texts, near, shortened
from modelfoundry.registry.records.finding import find
from modelfoundry.registry.records.references import check_reference
from modelfoundry.registry.records.shelf import Parent
from modelfoundry.registry.records.tables import CompositionSourceRow, ModelRow, ModuleRow
from modelfoundry.registry.records.wording import MAX_LICENSE
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.compositions import CompositionMember
from modelfoundry.values.kinds import Kind, kind_of


@dataclass(frozen=True, slots=True)
class Source:
    """A module or model that labels come from."""

    row: ModuleRow | ModelRow
    model: ModelRow
    """The network behind it: itself, or the module's base."""
    field: str
    """Path of the first member that names it."""

    @property
    def digest(self) -> str:
        """SHA-256 of the module's artifact or the model's weights."""
        return self.row.artifact_digest if isinstance(self.row, ModuleRow) else self.row.weights_digest

    @property
    def parent(self) -> Parent:
        """What the composition refers to."""
        return Parent(type(self.row), self.row.name, f"{self.field}.source")

    def reference(self, composition: str, position: int) -> CompositionSourceRow:
        """The row that keeps it there."""
        kind = "module" if isinstance(self.row, ModuleRow) else "model"
        return CompositionSourceRow(composition=composition, position=position, **{kind: self.row.name})


def check_source_name(name: str, project: str, *, field: str) -> None:
    """Checks that a name is that of a module or model of the project.

    Raises:
        InvalidField: it is not.
    """
    match name.split("/", 3):
        case ["projects", _, (Kind.MODULE | Kind.MODEL) as collection, _]:
            check_reference(name, collection, project, field=field)
        case _:
            raise InvalidField(
                f"{field}: {shortened(name)!r} is the name of neither a module nor a model",
                field=field,
                hint="name modules or models; in place of a composition, name the sources of its members",
            )


def find_sources(
    session: Session, members: Sequence[CompositionMember], image: InputSpec, *, field: str
) -> Mapping[str, Source]:
    """Every source that members name, by its name, after each member was checked against its source.

    Args:
        session: The transaction.
        members: Their source names are well formed.
        image: What the composition takes.
        field: Path of the members in the request.

    Raises:
        NotFound: a source is not there.
        UnknownLabel: a source lacks a label.
        InvalidField: a source has other bytes, or takes images of another size.
    """
    sources: dict[str, Source] = {}
    for index, member in enumerate(members):
        path = f"{field}[{index}]"
        if member.source not in sources:
            sources[member.source] = _find(session, member.source, path)
            check_image_size(sources[member.source].model, image, field=f"{path}.source")
        _check_member(member, sources[member.source], path)
    return sources


def check_image_size(model: ModelRow, image: InputSpec, *, field: str) -> None:
    """Checks that a model takes the images of a composition.

    Raises:
        InvalidField: it takes others.
    """
    taken, given = (f"{spec.channels}x{spec.height}x{spec.width}" for spec in (model, image))
    if taken != given:
        raise InvalidField(
            f"{field}: {model.name} takes images of {taken}, composition.input is {given}",
            field=field,
            hint="compose models that take images of the same size",
        )


def joined_license(sources: Iterable[Source]) -> str:
    """The licence that sources share, else all of theirs joined with AND; empty when one has none.

    Raises:
        InvalidField: it would be too long.
    """
    licenses = sorted({source.row.license for source in sources})
    if "" in licenses or len(licenses) == 1:
        return licenses[0]
    joined = " AND ".join(f"({text})" if " OR " in text else text for text in licenses)
    if len(joined) > MAX_LICENSE:
        raise InvalidField(
            f"composition.license: the sources have {len(licenses)} licences, {len(joined)} characters together",
            field="composition.license",
            hint=f"pass an expression of at most {MAX_LICENSE} characters that covers them",
        )
    return joined


def _find(session: Session, name: str, path: str) -> Source:
    if kind_of(name) is Kind.MODEL:
        model = find(session, ModelRow, name, field=f"{path}.source")
        return Source(model, model, path)
    module = find(session, ModuleRow, name, field=f"{path}.source")
    return Source(module, find(session, ModelRow, module.base_model, field=f"{path}.source"), path)


def _check_member(member: CompositionMember, source: Source, path: str) -> None:
    if member.source_digest not in {"", source.digest}:
        raise InvalidField(
            f"{path}.source_digest is {shortened(member.source_digest)!r}, {member.source} has {source.digest}",
            field=f"{path}.source_digest",
            hint="compose sources as they are stored",
        )
    known = label_texts(source.row.labels)
    if member.source_label not in known:
        similar = near(member.source_label, known)
        raise UnknownLabel(
            f"{path}.source_label: {member.source} has no label {shortened(member.source_label)!r}",
            field=f"{path}.source_label",
            hint=f"did you mean {', '.join(similar)}?" if similar else f"it has {shortened(', '.join(known), 200)}",
            metadata={"near": ", ".join(similar)},
        )
