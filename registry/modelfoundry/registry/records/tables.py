"""The rows of the catalog. A resource's full name is its key: it says the project and never changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, LargeBinary, Text, false, text
from sqlmodel import Field, SQLModel

from modelfoundry.registry.database import UtcDateTime
from modelfoundry.values.kinds import Kind

JsonObject = dict[str, Any]


class ResourceRow(SQLModel):
    """What all resources have."""

    name: str = Field(primary_key=True)
    project: str
    create_time: datetime = Field(sa_type=UtcDateTime)

    @property
    def content_digest(self) -> str:
        """SHA-256 that names what it is made of; empty for what has no content of its own."""
        return ""


class DescribedRow(ResourceRow):
    """What resources have that people describe."""

    uid: str = Field(unique=True)
    etag: str
    update_time: datetime = Field(sa_type=UtcDateTime)
    display_name: str = ""
    description: str = ""
    license: str = ""
    tags: dict[str, str] = Field(default_factory=dict, sa_type=JSON)
    intended_use: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": text("''")})


class ModelRow(DescribedRow, table=True):
    """A model."""

    __tablename__ = Kind.MODEL.value
    __table_args__ = (Index(None, "project", "create_time", "name"),)

    builder: str
    parameters: JsonObject = Field(default_factory=dict, sa_type=JSON)
    channels: int
    height: int
    width: int
    mean: list[float] = Field(sa_type=JSON)
    std: list[float] = Field(sa_type=JSON)
    labels: list[str] = Field(sa_type=JSON)
    weights_digest: str = Field(index=True)
    weights_bytes: int = Field(sa_type=BigInteger)
    tensors: list[tuple[str, str, list[int]]] = Field(sa_type=JSON)
    """Name, element type and shape of every tensor in the weights."""
    training_dataset: str | None = Field(default=None, foreign_key="datasets.name", index=True)
    operation: str = ""
    training: JsonObject | None = Field(default=None, sa_type=JSON(none_as_null=True))
    """TrainingRecord, as protobuf's JSON."""
    origin: JsonObject | None = Field(default=None, sa_type=JSON(none_as_null=True))
    """ModelOrigin, as protobuf's JSON."""

    @property
    def content_digest(self) -> str:
        """See `ResourceRow`."""
        return self.weights_digest


class DatasetRow(DescribedRow, table=True):
    """A data set."""

    __tablename__ = Kind.DATASET.value
    __table_args__ = (Index(None, "project", "create_time", "name"),)

    labels: list[str] = Field(sa_type=JSON)
    splits: list[JsonObject] = Field(sa_type=JSON)
    """For every split: `split`, `digest`, `size_bytes`, `sample_count`, `label_counts`."""
    channels: int
    height: int
    width: int
    digest: str = Field(index=True)

    @property
    def content_digest(self) -> str:
        """See `ResourceRow`."""
        return self.digest


class ModuleRow(DescribedRow, table=True):
    """A module."""

    __tablename__ = Kind.MODULE.value
    __table_args__ = (Index(None, "project", "create_time", "name"), Index(None, "project", "cache_key"))

    base_model: str = Field(foreign_key="models.name", index=True)
    base_digest: str
    binary: bool
    """One label against the rest, or which of several labels."""
    open_set: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """Which of several labels, or none of them; never set together with `binary`."""
    labels: list[str] = Field(sa_type=JSON)
    artifact_digest: str = Field(index=True)
    artifact_bytes: int = Field(sa_type=BigInteger)
    dataset: str = Field(foreign_key="datasets.name", index=True)
    algorithm: str
    operation: str = ""
    cache_key: str = ""
    weight_retention: float | None = None
    record: JsonObject = Field(sa_type=JSON)
    """The whole DecompositionRecord, as protobuf's JSON."""
    retention: JsonObject | None = Field(default=None, sa_type=JSON(none_as_null=True))
    """RetentionMetrics, as protobuf's JSON."""
    forms: JsonObject | None = Field(default=None, sa_type=JSON(none_as_null=True))
    """FormComparison, as protobuf's JSON."""

    @property
    def content_digest(self) -> str:
        """See `ResourceRow`."""
        return self.artifact_digest


class CompositionRow(DescribedRow, table=True):
    """A composition."""

    __tablename__ = Kind.COMPOSITION.value
    __table_args__ = (Index(None, "project", "create_time", "name"), Index(None, "project", "cache_key"))

    task: str
    """Name of a `CompositionTask`."""
    labels: list[str] = Field(sa_type=JSON)
    members: list[JsonObject] = Field(sa_type=JSON)
    """For every label: `label`, `source`, `source_label`, `source_digest`, `scale`, `bias`, `validation_score`."""
    channels: int
    height: int
    width: int
    mean: list[float] = Field(sa_type=JSON)
    std: list[float] = Field(sa_type=JSON)
    base_model: str | None = Field(default=None, foreign_key="models.name", index=True)
    """What a patch patches."""
    datasets: list[str] = Field(sa_type=JSON)
    digest: str = Field(index=True)
    strategy: str
    operation: str = ""
    cache_key: str = ""
    record: JsonObject = Field(sa_type=JSON)
    """The whole CompositionRecord, as protobuf's JSON."""

    @property
    def content_digest(self) -> str:
        """See `ResourceRow`."""
        return self.digest


class CompositionSourceRow(SQLModel, table=True):
    """A module or model that a composition takes labels from: the foreign keys keep it there."""

    __tablename__ = "composition_sources"

    composition: str = Field(primary_key=True, foreign_key="compositions.name")
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    module: str | None = Field(default=None, foreign_key="modules.name", index=True)
    model: str | None = Field(default=None, foreign_key="models.name", index=True)


class CompositionDatasetRow(SQLModel, table=True):
    """A data set that a composition was chosen on."""

    __tablename__ = "composition_datasets"

    composition: str = Field(primary_key=True, foreign_key="compositions.name")
    dataset: str = Field(primary_key=True, foreign_key="datasets.name", index=True)


class EvaluationRow(ResourceRow, table=True):
    """What was measured, once."""

    __tablename__ = Kind.EVALUATION.value
    __table_args__ = (Index(None, "project", "create_time", "name"),)

    subject: str = Field(index=True)
    subject_digest: str
    module: str | None = Field(default=None, foreign_key="modules.name", index=True)
    dataset: str = Field(foreign_key="datasets.name", index=True)
    dataset_digest: str
    split: str
    operation: str = ""
    accuracy: float | None = None
    content: JsonObject = Field(sa_type=JSON)
    """Problem, scoring, metrics and environment: the Evaluation without the fields above, as protobuf's JSON."""


class LabelRow(SQLModel, table=True):
    """A label of a model, data set, module or composition: what lists look through."""

    __tablename__ = "resource_labels"
    __table_args__ = (Index(None, "label", "resource"),)

    resource: str = Field(primary_key=True)
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    label: str


class TagRow(SQLModel, table=True):
    """A tag of a model, data set, module or composition: what lists look through."""

    __tablename__ = "resource_tags"
    __table_args__ = (Index(None, "key", "value", "resource"),)

    resource: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    value: str


class BlobRow(SQLModel, table=True):
    """A blob whose bytes are in the store. Written after them, deleted before them."""

    __tablename__ = "blobs"

    digest: str = Field(primary_key=True, max_length=71)
    size_bytes: int = Field(sa_type=BigInteger)
    media_type: str = Field(max_length=255)
    create_time: datetime = Field(sa_type=UtcDateTime)
    touch_time: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When somebody was last told that the bytes are there, and may go on to name them. None: at `create_time`."""


class BlobUseRow(SQLModel, table=True):
    """A blob that a resource is made of: the foreign key keeps the bytes as long as the resource is there."""

    __tablename__ = "resource_blobs"

    resource: str = Field(primary_key=True)
    digest: str = Field(primary_key=True, foreign_key="blobs.digest", index=True)


class ProvenanceRow(SQLModel, table=True):
    """One step of provenance."""

    __tablename__ = "provenance_edges"
    # Ids are never used again: lists go on behind an id.
    __table_args__ = {"sqlite_autoincrement": True}

    id: int | None = Field(default=None, primary_key=True)
    project: str = Field(index=True)
    subject: str = Field(index=True)
    relation: str
    """Name of a `Relation`."""
    object: str = Field(index=True)
    object_digest: str = ""
    create_time: datetime = Field(sa_type=UtcDateTime)


class RequestRow(SQLModel, table=True):
    """A call that created something, so that the same call again gives the same answer."""

    __tablename__ = "catalog_requests"

    project: str = Field(primary_key=True)
    request_id: str = Field(primary_key=True)
    fingerprint: str
    """SHA-256 of the method and its request."""
    response: JsonObject = Field(sa_type=JSON)
    """The row that the first call made."""
    expire_time: datetime = Field(sa_type=UtcDateTime, index=True)


class SigningKeyRow(SQLModel, table=True):
    """The key of page tokens: in the database, so that all replicas share it and a restart keeps it."""

    __tablename__ = "signing_keys"

    purpose: str = Field(primary_key=True)
    key: bytes = Field(sa_type=LargeBinary)


def resource_tables() -> Mapping[str, type[ResourceRow]]:
    """The table of every collection of resources, by the collection's name."""
    tables: dict[str, type[ResourceRow]] = {}
    classes = [ResourceRow]
    while classes:
        row = classes.pop()
        classes += row.__subclasses__()
        if hasattr(row, "__table__"):
            tables[str(row.__tablename__)] = row
    return tables
