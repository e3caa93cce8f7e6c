"""A module is taken home in files."""

# ruff: noqa: N802 - servicers have the methods of the contract

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2

from modelfoundry import errors
from modelfoundry.api.registry.v1 import blob_service_pb2
from modelfoundry.api.registry.v1.blob_service_pb2_grpc import BlobServiceServicer
from modelfoundry.api.reuser.v1 import reuser_service_pb2
from modelfoundry.api.reuser.v1.reuser_service_pb2_grpc import ReuserServiceServicer
from modelfoundry.api.types.v1 import blob_pb2


class Exporting(ReuserServiceServicer, BlobServiceServicer):
    """Exports files that are there at once."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.blobs = {f"sha256:{hashlib.sha256(content).hexdigest()}": content for content in files.values()}
        self.requests: list[reuser_service_pb2.ExportRequest] = []

    def Export(
        self, request: reuser_service_pb2.ExportRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        self.requests.append(request)
        files = [
            reuser_service_pb2.ExportedFile(
                path=name, content=blob_pb2.BlobRef(digest=digest, size_bytes=len(self.blobs[digest]))
            )
            for name, digest in zip(self.files, self.blobs, strict=True)
        ]
        operation = operations_pb2.Operation(name="projects/default/operations/o", done=True)
        response = reuser_service_pb2.ExportResponse(subject=request.subject, format=request.format, files=files)
        operation.response.Pack(response)
        return operation

    def GetBlob(self, request: blob_service_pb2.GetBlobRequest, context: grpc.ServicerContext) -> blob_pb2.BlobRef:
        return blob_pb2.BlobRef(digest=request.digest, size_bytes=len(self.blobs[request.digest]))

    def ReadBlob(
        self, request: blob_service_pb2.ReadBlobRequest, context: grpc.ServicerContext
    ) -> Iterator[blob_service_pb2.ReadBlobResponse]:
        yield blob_service_pb2.ReadBlobResponse(
            offset=request.read_offset, data=self.blobs[request.digest][request.read_offset :]
        )


def test_all_files_of_a_module_are_downloaded(serve: Any, call: Any, tmp_path: Path) -> None:
    exporting = Exporting({"model.onnx": b"program" * 100, "module.json": b"{}"})
    told: list[tuple[int, int]] = []
    paths = call(
        serve(exporting),
        "modules.download",
        "horse",
        tmp_path / "new",
        "onnx",
        on_progress=lambda *done: told.append(done),
    )
    assert [path.name for path in paths] == ["model.onnx", "module.json"]
    assert [path.read_bytes() for path in paths] == list(exporting.files.values())
    assert told[-1] == (702, 702)
    (request,) = exporting.requests
    assert request.subject == "projects/default/modules/horse"
    assert request.format == reuser_service_pb2.EXPORT_FORMAT_ONNX


def test_a_service_cannot_write_outside_the_folder(serve: Any, call: Any, tmp_path: Path) -> None:
    with pytest.raises(errors.MalformedFile, match="no plain file name"):
        call(serve(Exporting({"../outside": b"x"})), "modules.download", "horse", tmp_path / "new")
    assert not (tmp_path / "outside").exists()


def test_an_unknown_format_is_refused_here(serve: Any, call: Any, tmp_path: Path) -> None:
    exporting = Exporting({"x": b"x"})
    with pytest.raises(errors.InvalidField) as caught:
        call(serve(exporting), "modules.download", "horse", tmp_path, "pickle")
    assert "onnx" in caught.value.hint
    assert exporting.requests == []
