"""Compositions: classifiers joined from modules and models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from sqlmodel import Session, SQLModel, col

from modelfoundry.attestation.statements import definition_digest
from modelfoundry.errors import InvalidField, UnknownLabel
from modelfoundry.names import label_texts, near, parse_parent, shortened
from modelfoundry.registry.catalog.composition_checks import check_composition
from modelfoundry.registry.catalog.composition_sources import (
    Source,
    check_image_size,
    find_sources,
    joined_license,
)
from modelfoundry.registry.catalog.drafts import CompositionDraft
from modelfoundry.registry.listing.fields import ChoiceField, MembersField, TextField
from modelfoundry.registry.listing.pages import Listing
from modelfoundry.registry.records.describing import (
    DescribedCollection,
    described,
    described_filters,
    described_order,
)
from modelfoundry.registry.records.drafts import CreateCall
from modelfoundry.registry.records.finding import find
from modelfoundry.registry.records.shelf import Edge, Parent, Shelf
from modelfoundry.registry.records.tables import (
    CompositionDatasetRow,
    CompositionRow,
    CompositionSourceRow,
    DatasetRow,
    ModelRow,
)
from modelfoundry.values.compositions import CompositionMember, CompositionTask
from modelfoundry.values.kinds import Kind
from modelfoundry.values.resources import Relation

_NAME: Final = col(CompositionRow.name)
_OF_SOURCE: Final = col(CompositionSourceRow.composition)

COMPOSITIONS: Final = Listing(
    row=CompositionRow,
    filterable={
        **described_filters(CompositionRow),
        "task": ChoiceField(col(CompositionRow.task), {task.name: task.name for task in CompositionTask}),
        "base_model": TextField(col(CompositionRow.base_model)),
        "dataset": MembersField(_NAME, col(CompositionDatasetRow.composition), col(CompositionDatasetRow.dataset)),
        "module": MembersField(_NAME, _OF_SOURCE, col(CompositionSourceRow.module)),
        "model": MembersField(_NAME, _OF_SOURCE, col(CompositionSourceRow.model)),
        "strategy": TextField(col(CompositionRow.strategy)),
        "digest": TextField(col(CompositionRow.digest)),
        "cache_key": TextField(col(CompositionRow.cache_key)),
    },
    sortable=described_order(CompositionRow),
    default_order="create_time desc",
)


class Compositions(DescribedCollection[CompositionRow]):
    """All compositions. Methods block: call them from a thread."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf, Kind.COMPOSITION, COMPOSITIONS)

    def create(self, call: CreateCall, draft: CompositionDraft) -> CompositionRow:
        """Registers a composition of modules and models that are there.

        Raises:
            InvalidField, UnknownLabel, TestSplitSealed: a field is wrong.
            NotFound: a source, the base model or a data set is not there.
            AlreadyExists, RequestIdReused: see `Collection`.
        """
        name, earlier = self._begin(call)
        if earlier is not None:
            return earlier
        project = parse_parent(call.parent)
        check_composition(draft, project)
        with self._shelf.database.read_session() as session:
            sources = find_sources(session, draft.members, draft.input, field="composition.members")
            base = _find_base(session, draft)
            datasets = _find_datasets(session, draft)
        members = [replace(member, source_digest=sources[member.source].digest) for member in draft.members]
        columns = described(name, project, draft.about, self._shelf.now())
        columns["license"] = draft.about.license or joined_license(sources.values())
        row = CompositionRow(
            **columns,
            task=draft.task.name if draft.task else "",
            labels=[member.label for member in members],
            members=[asdict(member) for member in members],
            **_image_columns(draft),
            base_model=base.name if base else None,
            datasets=[dataset.name for dataset in datasets],
            digest=content_digest(draft, members),
            strategy=draft.record.strategy,
            operation=draft.record.operation,
            cache_key=draft.record.cache_key,
            record={**draft.record.content, "dataset_digests": [dataset.digest for dataset in datasets]},
        )
        return self._add(
            call,
            row,
            parents=_parents(sources, base, datasets),
            labels=row.labels,
            edges=_edges(draft, sources, base, datasets),
            parts=_parts(name, sources, datasets),
        )

    def delete(self, name: str, etag: str) -> None:
        """Forgets a composition together with its evaluations; its sources stay.

        Raises:
            NotFound: there is no such composition.
            EtagMismatch: somebody else changed it.
        """
        self._delete(name, etag, carried=(Kind.EVALUATION,))


def content_digest(draft: CompositionDraft, members: Sequence[CompositionMember]) -> str:
    """SHA-256 over what is computed: members with sources, digests and calibration in order, and the input."""
    return definition_digest(
        (
            (member.label, member.source, member.source_digest, member.source_label, member.scale, member.bias)
            for member in members
        ),
        _image_columns(draft),
    )


def _image_columns(draft: CompositionDraft) -> dict[str, Any]:
    image = draft.input
    return {
        "channels": image.channels,
        "height": image.height,
        "width": image.width,
        "mean": list(image.mean),
        "std": list(image.std),
    }


def _find_base(session: Session, draft: CompositionDraft) -> ModelRow | None:
    """The model that is patched, or None; a patch has just its labels."""
    if draft.task is not CompositionTask.PATCH:
        return None
    field = "composition.base_model"
    base = find(session, ModelRow, draft.base_model, field=field)
    check_image_size(base, draft.input, field=field)
    labels = [member.label for member in draft.members]
    for index, label in enumerate(labels):
        if label not in label_texts(base.labels):
            path = f"composition.members[{index}].label"
            similar = near(label, base.labels)
            raise UnknownLabel(
                f"{path}: {base.name}, which is patched, has no label {shortened(label)!r}",
                field=path,
                hint=f"did you mean {', '.join(similar)}?" if similar else "a patch has the labels of its base model",
                metadata={"near": ", ".join(similar)},
            )
    missing = [label for label in label_texts(base.labels) if label not in labels]
    if missing:
        raise InvalidField(
            f"composition.members: {base.name}, which is patched, also has {shortened(', '.join(missing), 200)}",
            field="composition.members",
            hint="take labels that are not replaced from the base model itself",
        )
    return base


def _find_datasets(session: Session, draft: CompositionDraft) -> list[DatasetRow]:
    datasets = [
        find(session, DatasetRow, name, field=f"composition.datasets[{index}]")
        for index, name in enumerate(draft.datasets)
    ]
    for index, (digest, dataset) in enumerate(zip(draft.record.dataset_digests, datasets, strict=False)):
        if digest != dataset.digest:
            path = f"composition.record.dataset_digests[{index}]"
            raise InvalidField(
                f"{path} is {shortened(digest)!r}, {dataset.name} has {dataset.digest}",
                field=path,
                hint="name the data sets that were used",
            )
    return datasets


def _parents(sources: Mapping[str, Source], base: ModelRow | None, datasets: Sequence[DatasetRow]) -> list[Parent]:
    return [
        *[source.parent for source in sources.values()],
        *([Parent(ModelRow, base.name, "composition.base_model")] if base else []),
        *[Parent(DatasetRow, dataset.name, f"composition.datasets[{index}]") for index, dataset in enumerate(datasets)],
    ]


def _parts(name: str, sources: Mapping[str, Source], datasets: Sequence[DatasetRow]) -> list[SQLModel]:
    return [
        *[source.reference(name, position) for position, source in enumerate(sources.values())],
        *[CompositionDatasetRow(composition=name, dataset=dataset.name) for dataset in datasets],
    ]


def _edges(
    draft: CompositionDraft, sources: Mapping[str, Source], base: ModelRow | None, datasets: Sequence[DatasetRow]
) -> list[Edge]:
    edges = [Edge(Relation.COMPOSED_OF, name, source.digest) for name, source in sources.items()]
    if base is not None:
        edges.append(Edge(Relation.PATCH_OF, base.name, base.weights_digest))
    edges += [Edge(Relation.SELECTED_ON, dataset.name, dataset.digest) for dataset in datasets]
    if draft.record.operation:
        edges.append(Edge(Relation.PRODUCED_BY, draft.record.operation))
    return edges
