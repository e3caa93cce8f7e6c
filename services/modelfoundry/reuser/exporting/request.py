"""What is asked for of an export."""

from __future__ import annotations

from dataclasses import dataclass, field

from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.core.export import CALIBRATION_IMAGES, DEFAULT_CALIBRATION_IMAGES
from modelfoundry.errors import InvalidField
from modelfoundry.names import parse_name
from modelfoundry.values.exports import ExportFormat, form_of
from modelfoundry.values.file_forms import Compute, ExportForm
from modelfoundry.values.kinds import Kind
from modelfoundry.wire.exports import COMPUTE, EXPORT_FORMAT, WEIGHT_FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What the caller asked for, with every default filled in."""

    subject: str
    format: ExportFormat
    form: ExportForm = field(default_factory=ExportForm)
    compact: bool = False
    dataset: str = ""
    """To calibrate and measure on; empty: the recorded one."""
    calibration_images: int = DEFAULT_CALIBRATION_IMAGES


def export_from_proto(request: pb.ExportRequest) -> ExportRequest:
    """A request with its defaults filled in; everything in it goes together.

    Raises:
        InvalidField: a field is malformed, out of range, or contradicts another.
    """
    export_format = EXPORT_FORMAT.from_request(request.format, field="format")
    form = form_of(
        export_format,
        WEIGHT_FORMAT.from_request(request.weights, field="weights") if request.weights else None,
        COMPUTE.from_request(request.compute, field="compute", default=Compute.FP32),
    )
    if request.dataset:
        parse_name(request.dataset, Kind.DATASET, field="dataset")
        if form.exact:
            raise InvalidField(
                "dataset: a file that is float32 throughout is not measured on images",
                field="dataset",
                hint="leave the data set out, or say other weights, or to compute in int8",
            )
    count = request.calibration_images
    fewest, most = CALIBRATION_IMAGES
    if count and form.compute is not Compute.INT8:
        raise InvalidField(
            "calibration_images: only int8 is calibrated",
            field="calibration_images",
            hint="leave it out, or compute in int8",
        )
    if count and not fewest <= count <= most:
        raise InvalidField(
            f"calibration_images: {count} is out of range",
            field="calibration_images",
            hint=f"give {fewest} to {most}, or 0 for {DEFAULT_CALIBRATION_IMAGES}",
        )
    return ExportRequest(
        subject=request.subject,
        format=export_format,
        form=form,
        compact=request.compact,
        dataset=request.dataset,
        calibration_images=count or DEFAULT_CALIBRATION_IMAGES,
    )
