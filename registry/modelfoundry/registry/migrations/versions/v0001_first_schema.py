"""The first schema: blobs and uploads, jobs, and the catalog."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from modelfoundry.registry.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes all tables."""
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=255), nullable=False),
        sa.Column("create_time", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_blobs")),
    )
    op.create_table(
        "catalog_requests",
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("response", sa.JSON(), nullable=False),
        sa.Column("expire_time", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project", "request_id", name=op.f("pk_catalog_requests")),
    )
    op.create_index(op.f("ix_catalog_requests_expire_time"), "catalog_requests", ["expire_time"], unique=False)
    op.create_table(
        "datasets",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("create_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("etag", sa.String(), nullable=False),
        sa.Column("update_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("license", sa.String(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("splits", sa.JSON(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_datasets")),
        sa.UniqueConstraint("uid", name=op.f("uq_datasets_uid")),
    )
    op.create_index(op.f("ix_datasets_digest"), "datasets", ["digest"], unique=False)
    op.create_index(
        op.f("ix_datasets_project_create_time_name"), "datasets", ["project", "create_time", "name"], unique=False
    )
    op.create_table(
        "operations",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.LargeBinary(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("cache_key", sa.String(), nullable=False),
        sa.Column("cache_slot", sa.String(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("lease_token", sa.String(), nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=False),
        sa.Column("lease_seconds", sa.Float(), nullable=False),
        sa.Column("lease_expires", UtcDateTime(timezone=True), nullable=True),
        sa.Column("checkpoint_digest", sa.String(), nullable=True),
        sa.Column("checkpoint_bytes", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint_media_type", sa.String(), nullable=False),
        sa.Column("progress", sa.LargeBinary(), nullable=True),
        sa.Column("progress_waits", sa.Boolean(), nullable=False),
        sa.Column("reported_phase", sa.String(), nullable=False),
        sa.Column("event_progress_time", UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_sequence", sa.Integer(), nullable=False),
        sa.Column("create_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("start_time", UtcDateTime(timezone=True), nullable=True),
        sa.Column("end_time", UtcDateTime(timezone=True), nullable=True),
        sa.Column("update_time", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_operations")),
        sa.UniqueConstraint("project", "cache_slot", name=op.f("uq_operations_project_cache_slot")),
        sa.UniqueConstraint("project", "id", name=op.f("uq_operations_project_id")),
    )
    op.create_index(op.f("ix_operations_checkpoint_digest"), "operations", ["checkpoint_digest"], unique=False)
    op.create_index(op.f("ix_operations_end_time"), "operations", ["end_time"], unique=False)
    op.create_index(op.f("ix_operations_project_cache_key"), "operations", ["project", "cache_key"], unique=False)
    op.create_index(op.f("ix_operations_project_key"), "operations", ["project", "key"], unique=False)
    op.create_index(op.f("ix_operations_state_key"), "operations", ["state", "key"], unique=False)
    op.create_table(
        "provenance_edges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("relation", sa.String(), nullable=False),
        sa.Column("object", sa.String(), nullable=False),
        sa.Column("object_digest", sa.String(), nullable=False),
        sa.Column("create_time", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provenance_edges")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_provenance_edges_object"), "provenance_edges", ["object"], unique=False)
    op.create_index(op.f("ix_provenance_edges_project"), "provenance_edges", ["project"], unique=False)
    op.create_index(op.f("ix_provenance_edges_subject"), "provenance_edges", ["subject"], unique=False)
    op.create_table(
        "resource_labels",
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("resource", "position", name=op.f("pk_resource_labels")),
    )
    op.create_index(op.f("ix_resource_labels_label_resource"), "resource_labels", ["label", "resource"], unique=False)
    op.create_table(
        "resource_tags",
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("resource", "key", name=op.f("pk_resource_tags")),
    )
    op.create_index(
        op.f("ix_resource_tags_key_value_resource"), "resource_tags", ["key", "value", "resource"], unique=False
    )
    op.create_table(
        "signing_keys",
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("purpose", name=op.f("pk_signing_keys")),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=True),
        sa.Column("create_time", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
        sa.UniqueConstraint("project", "request_id", name=op.f("uq_uploads_project_request_id")),
    )
    op.create_index(op.f("ix_uploads_create_time"), "uploads", ["create_time"], unique=False)
    op.create_table(
        "models",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("create_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("etag", sa.String(), nullable=False),
        sa.Column("update_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("license", sa.String(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("builder", sa.String(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("mean", sa.JSON(), nullable=False),
        sa.Column("std", sa.JSON(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("weights_digest", sa.String(), nullable=False),
        sa.Column("weights_bytes", sa.BigInteger(), nullable=False),
        sa.Column("tensors", sa.JSON(), nullable=False),
        sa.Column("training_dataset", sa.String(), nullable=True),
        sa.Column("operation", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["training_dataset"], ["datasets.name"], name=op.f("fk_models_training_dataset_datasets")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_models")),
        sa.UniqueConstraint("uid", name=op.f("uq_models_uid")),
    )
    op.create_index(
        op.f("ix_models_project_create_time_name"), "models", ["project", "create_time", "name"], unique=False
    )
    op.create_index(op.f("ix_models_training_dataset"), "models", ["training_dataset"], unique=False)
    op.create_index(op.f("ix_models_weights_digest"), "models", ["weights_digest"], unique=False)
    op.create_table(
        "operation_events",
        sa.Column("operation_key", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operation_key"],
            ["operations.key"],
            name=op.f("fk_operation_events_operation_key_operations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("operation_key", "sequence", name=op.f("pk_operation_events")),
    )
    op.create_table(
        "operation_requests",
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("cache_hit", sa.Boolean(), nullable=False),
        sa.Column("operation_key", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operation_key"],
            ["operations.key"],
            name=op.f("fk_operation_requests_operation_key_operations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("project", "request_id", name=op.f("pk_operation_requests")),
    )
    op.create_index(op.f("ix_operation_requests_operation_key"), "operation_requests", ["operation_key"], unique=False)
    op.create_table(
        "resource_blobs",
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name=op.f("fk_resource_blobs_digest_blobs")),
        sa.PrimaryKeyConstraint("resource", "digest", name=op.f("pk_resource_blobs")),
    )
    op.create_index(op.f("ix_resource_blobs_digest"), "resource_blobs", ["digest"], unique=False)
    op.create_table(
        "modules",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("create_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("etag", sa.String(), nullable=False),
        sa.Column("update_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("license", sa.String(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("base_model", sa.String(), nullable=False),
        sa.Column("base_digest", sa.String(), nullable=False),
        sa.Column("binary", sa.Boolean(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("artifact_digest", sa.String(), nullable=False),
        sa.Column("artifact_bytes", sa.BigInteger(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("algorithm", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("cache_key", sa.String(), nullable=False),
        sa.Column("weight_retention", sa.Float(), nullable=True),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("retention", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["base_model"], ["models.name"], name=op.f("fk_modules_base_model_models")),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.name"], name=op.f("fk_modules_dataset_datasets")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_modules")),
        sa.UniqueConstraint("uid", name=op.f("uq_modules_uid")),
    )
    op.create_index(op.f("ix_modules_artifact_digest"), "modules", ["artifact_digest"], unique=False)
    op.create_index(op.f("ix_modules_base_model"), "modules", ["base_model"], unique=False)
    op.create_index(op.f("ix_modules_dataset"), "modules", ["dataset"], unique=False)
    op.create_index(op.f("ix_modules_project_cache_key"), "modules", ["project", "cache_key"], unique=False)
    op.create_index(
        op.f("ix_modules_project_create_time_name"), "modules", ["project", "create_time", "name"], unique=False
    )
    op.create_table(
        "evaluations",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("create_time", UtcDateTime(timezone=True), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("subject_digest", sa.String(), nullable=False),
        sa.Column("module", sa.String(), nullable=True),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("dataset_digest", sa.String(), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("accuracy", sa.Float(), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.name"], name=op.f("fk_evaluations_dataset_datasets")),
        sa.ForeignKeyConstraint(["module"], ["modules.name"], name=op.f("fk_evaluations_module_modules")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_evaluations")),
    )
    op.create_index(op.f("ix_evaluations_dataset"), "evaluations", ["dataset"], unique=False)
    op.create_index(op.f("ix_evaluations_module"), "evaluations", ["module"], unique=False)
    op.create_index(
        op.f("ix_evaluations_project_create_time_name"), "evaluations", ["project", "create_time", "name"], unique=False
    )
    op.create_index(op.f("ix_evaluations_subject"), "evaluations", ["subject"], unique=False)


def downgrade() -> None:
    """Drops all tables."""
    op.drop_index(op.f("ix_evaluations_subject"), table_name="evaluations")
    op.drop_index(op.f("ix_evaluations_project_create_time_name"), table_name="evaluations")
    op.drop_index(op.f("ix_evaluations_module"), table_name="evaluations")
    op.drop_index(op.f("ix_evaluations_dataset"), table_name="evaluations")
    op.drop_table("evaluations")
    op.drop_index(op.f("ix_modules_project_create_time_name"), table_name="modules")
    op.drop_index(op.f("ix_modules_project_cache_key"), table_name="modules")
    op.drop_index(op.f("ix_modules_dataset"), table_name="modules")
    op.drop_index(op.f("ix_modules_base_model"), table_name="modules")
    op.drop_index(op.f("ix_modules_artifact_digest"), table_name="modules")
    op.drop_table("modules")
    op.drop_index(op.f("ix_resource_blobs_digest"), table_name="resource_blobs")
    op.drop_table("resource_blobs")
    op.drop_index(op.f("ix_operation_requests_operation_key"), table_name="operation_requests")
    op.drop_table("operation_requests")
    op.drop_table("operation_events")
    op.drop_index(op.f("ix_models_weights_digest"), table_name="models")
    op.drop_index(op.f("ix_models_training_dataset"), table_name="models")
    op.drop_index(op.f("ix_models_project_create_time_name"), table_name="models")
    op.drop_table("models")
    op.drop_index(op.f("ix_uploads_create_time"), table_name="uploads")
    op.drop_table("uploads")
    op.drop_table("signing_keys")
    op.drop_index(op.f("ix_resource_tags_key_value_resource"), table_name="resource_tags")
    op.drop_table("resource_tags")
    op.drop_index(op.f("ix_resource_labels_label_resource"), table_name="resource_labels")
    op.drop_table("resource_labels")
    op.drop_index(op.f("ix_provenance_edges_subject"), table_name="provenance_edges")
    op.drop_index(op.f("ix_provenance_edges_project"), table_name="provenance_edges")
    op.drop_index(op.f("ix_provenance_edges_object"), table_name="provenance_edges")
    op.drop_table("provenance_edges")
    op.drop_index(op.f("ix_operations_state_key"), table_name="operations")
    op.drop_index(op.f("ix_operations_project_key"), table_name="operations")
    op.drop_index(op.f("ix_operations_project_cache_key"), table_name="operations")
    op.drop_index(op.f("ix_operations_end_time"), table_name="operations")
    op.drop_index(op.f("ix_operations_checkpoint_digest"), table_name="operations")
    op.drop_table("operations")
    op.drop_index(op.f("ix_datasets_project_create_time_name"), table_name="datasets")
    op.drop_index(op.f("ix_datasets_digest"), table_name="datasets")
    op.drop_table("datasets")
    op.drop_index(op.f("ix_catalog_requests_expire_time"), table_name="catalog_requests")
    op.drop_table("catalog_requests")
    op.drop_table("blobs")
