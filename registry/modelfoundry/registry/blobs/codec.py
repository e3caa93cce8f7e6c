"""Blobs and uploads, to and from their messages."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from modelfoundry.api.registry.v1 import blob_service_pb2 as pb
from modelfoundry.api.types.v1.blob_pb2 import BlobRef
from modelfoundry.registry.blobs.blobs import Blob
from modelfoundry.registry.blobs.upload import Upload


def blob_from_proto(ref: BlobRef) -> Blob:
    """The value of a reference; nothing is checked."""
    return Blob(digest=ref.digest, size=ref.size_bytes, media_type=ref.media_type)


def blob_to_proto(blob: Blob) -> BlobRef:
    """The reference of a value."""
    return BlobRef(digest=blob.digest, size_bytes=blob.size, media_type=blob.media_type)


def upload_to_proto(upload: Upload) -> pb.Upload:
    """The message of an upload."""
    expire_time = Timestamp()
    expire_time.FromDatetime(upload.expire_time)
    return pb.Upload(
        name=upload.name,
        blob=blob_to_proto(upload.blob),
        committed_bytes=upload.committed_bytes,
        complete=upload.complete,
        expire_time=expire_time,
    )
