"""The failure vocabulary: what can go wrong, named by the fact, with what to do about it.

Every error has a `reason` that is also in `modelfoundry.api.types.v1.ErrorReason`. Services raise these; the runtime
turns them into gRPC statuses; the client turns statuses back into the same classes. Imports nothing.

    ModelFoundryError
    +- InvalidField, UnknownLabel, UnknownArchitecture, DatasetMismatch, WeightsMismatch, MalformedFile,
    |  NonFiniteWeights, TestSplitSealed, DigestMismatch, RequestIdReused, InvalidImage     the request is wrong
    +- NotFound, AlreadyExists, EtagMismatch, LeaseLost, WrongOffset, CursorExpired         the state is another
    +- BlobMissing, InUse, UploadIncomplete, UnsupportedModel, DeviceUnavailable,
    |  ExportMismatch, ConstraintUnmet, NonFiniteOutputs                                    not possible as it is
    +- StorageFull, TooLarge, CorruptBlob, Overloaded, Unavailable, DeadlineExceeded,
       Cancelled, WorkerLost, Internal                                                                 trouble below
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request and what is wrong with it."""

    field: str
    description: str


class ModelFoundryError(Exception):
    """Root of all errors that ModelFoundry raises on purpose.

    Args:
        message: What was wrong, in one sentence, for a person.
        field: Path of the request field that caused it, for example `model.weights.digest`.
        hint: What to do about it, in one sentence.
        violations: Several fields at once, where there are several.
        metadata: Facts for programs; the keys of each reason stand in `error_reason.proto`.
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        hint: str = "",
        violations: tuple[FieldViolation, ...] = (),
        metadata: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.hint = hint
        self.violations = violations
        self.metadata = dict(metadata or {})


class InvalidField(ModelFoundryError):
    """A field is missing, malformed or out of range."""

    reason = "INVALID_FIELD"


class UnknownLabel(ModelFoundryError):
    """A label that the model or data set lacks."""

    reason = "UNKNOWN_LABEL"


class UnknownArchitecture(ModelFoundryError):
    """An architecture that cannot be built."""

    reason = "UNKNOWN_ARCHITECTURE"


class DatasetMismatch(ModelFoundryError):
    """Images or labels of a data set do not fit the model."""

    reason = "DATASET_MISMATCH"


class WeightsMismatch(ModelFoundryError):
    """Tensors do not fit the architecture; every tensor is a violation."""

    reason = "WEIGHTS_MISMATCH"


class MalformedFile(ModelFoundryError):
    """Bytes that are not a file of the kind expected."""

    reason = "MALFORMED_FILE"


class NonFiniteWeights(ModelFoundryError):
    """Weights with NaN or infinity, also once they are float32, or with a variance that is none."""

    reason = "NON_FINITE_WEIGHTS"


class TestSplitSealed(ModelFoundryError):
    """Something was to be chosen on test data."""

    __test__ = False  # the name begins like a test class
    reason = "TEST_SPLIT_SEALED"


class DigestMismatch(ModelFoundryError):
    """Uploaded bytes are not those announced."""

    reason = "DIGEST_MISMATCH"


class RequestIdReused(ModelFoundryError):
    """A request_id was used before for another request."""

    reason = "REQUEST_ID_REUSED"


class InvalidImage(ModelFoundryError):
    """An image that cannot be decoded or has another shape."""

    reason = "INVALID_IMAGE"


class NotFound(ModelFoundryError):
    """No such resource."""

    reason = "NOT_FOUND"


class AlreadyExists(ModelFoundryError):
    """The name is taken."""

    reason = "ALREADY_EXISTS"


class BlobMissing(ModelFoundryError):
    """A blob that is named was not uploaded."""

    reason = "BLOB_MISSING"


class InUse(ModelFoundryError):
    """Others depend on the resource."""

    reason = "IN_USE"


class UploadIncomplete(ModelFoundryError):
    """The upload is not complete."""

    reason = "UPLOAD_INCOMPLETE"


class UnsupportedModel(ModelFoundryError):
    """The network has something that the operation does not support."""

    reason = "UNSUPPORTED_MODEL"


class DeviceUnavailable(ModelFoundryError):
    """CUDA was asked for and the worker has none."""

    reason = "DEVICE_UNAVAILABLE"


class WrongOffset(ModelFoundryError):
    """A chunk or a read does not begin where it can."""

    reason = "WRONG_OFFSET"


class EtagMismatch(ModelFoundryError):
    """The resource was changed by somebody else."""

    reason = "ETAG_MISMATCH"


class LeaseLost(ModelFoundryError):
    """The job was given to another worker."""

    reason = "LEASE_LOST"


class StorageFull(ModelFoundryError):
    """The disk or bucket is full, or a limit was reached."""

    reason = "STORAGE_FULL"


class TooLarge(ModelFoundryError):
    """A message is larger than the server takes."""

    reason = "TOO_LARGE"


class Overloaded(ModelFoundryError):
    """More is being done than the server has room for; later it may not be."""

    reason = "OVERLOADED"


class CorruptBlob(ModelFoundryError):
    """Stored bytes are not what their name says."""

    reason = "CORRUPT_BLOB"


class Unavailable(ModelFoundryError):
    """A service, the database or the blob store cannot be reached."""

    reason = "UNAVAILABLE"


class DeadlineExceeded(ModelFoundryError):
    """The caller's time ran out."""

    reason = "DEADLINE_EXCEEDED"


class Cancelled(ModelFoundryError):
    """The caller asked for it."""

    reason = "CANCELLED"


class WorkerLost(ModelFoundryError):
    """A job's worker was lost too often."""

    reason = "WORKER_LOST"


class ExportMismatch(ModelFoundryError):
    """The exported program gives other outputs than the module."""

    reason = "EXPORT_MISMATCH"


class NonFiniteOutputs(ModelFoundryError):
    """A network, or what learns, gives NaN or infinity where a figure was asked for."""

    reason = "NON_FINITE_OUTPUTS"


class ConstraintUnmet(ModelFoundryError):
    """Nothing satisfies what was asked for."""

    reason = "CONSTRAINT_UNMET"


class CursorExpired(ModelFoundryError):
    """A cursor into a history that is not kept that far back."""

    reason = "CURSOR_EXPIRED"


class Internal(ModelFoundryError):
    """A mistake of ours; the server's log has the details."""

    reason = "INTERNAL"


ERROR_BY_REASON: Final[dict[str, type[ModelFoundryError]]] = {
    error.reason: error for error in ModelFoundryError.__subclasses__()
}
