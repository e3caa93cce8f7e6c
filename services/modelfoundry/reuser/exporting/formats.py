"""Formats that a network is exported in."""

from __future__ import annotations

from typing import Final

from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.errors import InvalidField

FORMATS: Final[dict[int, str]] = {
    pb.EXPORT_FORMAT_SAFETENSORS: "safetensors",
    pb.EXPORT_FORMAT_TORCH_EXPORT: "torch_export",
    pb.EXPORT_FORMAT_ONNX: "onnx",
}


def format_from_proto(number: int) -> str:
    """The core's name of an export format.

    Raises:
        InvalidField: none is set, or one of another contract version.
    """
    if number not in FORMATS:
        raise InvalidField(
            f"format: {number} is no export format",
            field="format",
            hint="set EXPORT_FORMAT_SAFETENSORS, EXPORT_FORMAT_TORCH_EXPORT or EXPORT_FORMAT_ONNX",
        )
    return FORMATS[number]
