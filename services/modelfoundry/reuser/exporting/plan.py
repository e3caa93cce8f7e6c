"""What an export will write, checked before anything is computed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from modelfoundry.core.export import CALIBRATION_IMAGES
from modelfoundry.errors import DatasetMismatch, InvalidField
from modelfoundry.reuser.exporting.request import ExportRequest
from modelfoundry.values.file_forms import Compute
from modelfoundry.values.kinds import Kind
from modelfoundry.workbench.resources import AsyncResources, Subject, digest_of
from modelfoundry.workbench.splits import find_split
from modelfoundry.workbench.subject_images import ImageSource, plan_images
from modelfoundry.workbench.subject_names import subject_collection

EXPORT_VERSION: Final = "4"
"""Changes when the same subject gives other files."""


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """A request that can be carried out."""

    request: ExportRequest
    subject: Subject
    images: ImageSource | None
    """Of files that are not float32 throughout, where there is a data set."""
    cache_key: str
    """Names the work: equal keys give equal files."""


async def plan_export(request: ExportRequest, resources: AsyncResources) -> ExportPlan:
    """Checks that there is something to export, and to calibrate on where int8 is computed with.

    Raises:
        InvalidField: the name is neither a model's, a module's nor a composition's, a model was to be compacted, or
            int8 is to be calibrated and no data set is recorded or given.
        NotFound: there is no subject or data set of that name.
        DatasetMismatch: the data set does not fit the subject, or has too few images.
    """
    name = request.subject
    if request.compact and subject_collection(name, field="subject") == Kind.MODEL:
        raise InvalidField(
            f"compact: {name} is a model, nothing in it is dead",
            field="compact",
            hint="leave compact out, or export one of its modules",
        )
    subject = await resources.subject(name, field="subject")
    images = None if request.form.exact else await plan_images(subject, request.dataset, resources)
    if request.form.compute is Compute.INT8:
        _check_calibration(name, images)
    facts = f"export/{EXPORT_VERSION}/{name}/{digest_of(subject)}/{request.format}"
    facts += "/compact" if request.compact else ""
    if not request.form.exact:
        facts += f"/{request.form.weights}/{request.form.compute}/{_facts_of(images)}"
    if request.form.compute is Compute.INT8:
        facts += f"/{request.calibration_images}"
    return ExportPlan(request, subject, images, hashlib.sha256(facts.encode()).hexdigest())


def _check_calibration(name: str, images: ImageSource | None) -> None:
    if images is None:
        raise InvalidField(
            f"dataset: int8 is calibrated on training images, and no data set is recorded for {name}",
            field="dataset",
            hint="name the data set that it was trained on (--dataset), or keep weights in int8 and compute in fp32",
        )
    fewest, _ = CALIBRATION_IMAGES
    for dataset in images.datasets:
        split = find_split(dataset, images.validation.source_split, field="dataset")
        left = split.sample_count * (1 - images.validation.fraction)
        if left < fewest:
            raise DatasetMismatch(
                f"dataset: {dataset.name} has {split.sample_count} images in split {split.split!r}, "
                f"int8 is calibrated on {fewest} at least",
                field="dataset",
                hint="name a data set with more images, or compute in fp32",
            )


def _facts_of(images: ImageSource | None) -> str:
    if images is None:
        return ""
    digests = ",".join(dataset.digest for dataset in images.datasets)
    return f"{digests}/{images.validation}/{images.subset}"
