"""Writes a model, module or composition in a format that runs elsewhere, and stores the files as blobs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from modelfoundry.core.export import CALIBRATION_IMAGES, ExportImages
from modelfoundry.errors import DatasetMismatch
from modelfoundry.reuser.exporting.formats import WRITERS
from modelfoundry.reuser.exporting.plan import ExportPlan
from modelfoundry.reuser.subjects import load_compacted, load_subject
from modelfoundry.values.exports import Export, ExportedFile, media_type_of
from modelfoundry.values.file_forms import Compute
from modelfoundry.workbench.jobs import Workbench
from modelfoundry.workbench.subject_images import drawn, load_images

MOST_VALIDATION_IMAGES: Final = 5000
"""That a file is measured on: more tell little more and take longer."""


def export_subject(plan: ExportPlan, bench: Workbench) -> Export:
    """Exports, verifies the exported program against PyTorch, and uploads the files.

    Raises:
        ExportMismatch: the exported program gives other outputs, or rounded ones that are much worse.
        UnsupportedModel: the format does not know a layer, or no channel can be removed; the layer is named.
        DatasetMismatch: there are too few images to calibrate on.
    """
    request = plan.request
    bench.monitor.progress("loading", 0, 3, "step", {})
    load = load_compacted if request.compact else load_subject
    loaded = load(bench.resources, bench.cache, plan.subject)
    images = _images(plan, bench)
    bench.monitor.check_cancelled()
    bench.monitor.progress(f"exporting as {request.format}", 1, 3, "step", {})
    with tempfile.TemporaryDirectory(prefix="modelfoundry-export-") as folder:
        written = WRITERS[request.format](loaded.classifier, Path(folder), request.form, images)
        bench.monitor.check_cancelled()
        bench.monitor.progress("storing", 2, 3, "step", {"max_difference": written.max_difference})
        files = tuple(
            ExportedFile(file.name, bench.client.blobs.upload(file.path, media_type=media_type_of(file.path.suffix)))
            for file in written.files
        )
    bench.monitor.progress("stored", 3, 3, "step", {"max_difference": written.max_difference})
    return Export(
        subject=request.subject,
        format=request.format,
        files=files,
        max_difference=written.max_difference,
        compact=request.compact,
        weights=request.form.weights,
        compute=request.form.compute,
        measured=written.measured,
    )


def _images(plan: ExportPlan, bench: Workbench) -> ExportImages | None:
    if plan.images is None:
        return None
    found = load_images(plan.images, bench.client, bench.cache)
    calibration = drawn(found.training, plan.request.calibration_images)
    fewest, _ = CALIBRATION_IMAGES
    if plan.request.form.compute is Compute.INT8 and len(calibration) < fewest:
        raise DatasetMismatch(
            f"dataset: {len(calibration)} training images of the task are left, int8 is calibrated on {fewest} or more",
            field="dataset",
            hint="name a data set with more images, or compute in fp32",
        )
    validation = drawn(found.validation, MOST_VALIDATION_IMAGES)
    source = plan.images
    return ExportImages(calibration.images, validation, source.datasets[0].name, source.validation.source_split)
