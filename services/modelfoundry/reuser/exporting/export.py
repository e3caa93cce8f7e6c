"""Writes a model, module or composition in a format that runs elsewhere, and stores the files as blobs."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Final

from modelfoundry.errors import InvalidField
from modelfoundry.reuser.exporting.formats import WRITERS
from modelfoundry.reuser.subjects import load_compacted, load_subject
from modelfoundry.values.exports import Export, ExportedFile, ExportFormat, media_type_of
from modelfoundry.values.kinds import Kind
from modelfoundry.workbench.jobs import Workbench
from modelfoundry.workbench.resources import AsyncResources, digest_of
from modelfoundry.workbench.subject_names import subject_collection

EXPORT_VERSION: Final = "3"
"""Changes when the same subject gives other files."""


async def plan_export(subject: str, export_format: ExportFormat, resources: AsyncResources, *, compact: bool) -> str:
    """Checks that there is something to export and names the work: equal keys give equal files.

    Raises:
        InvalidField: the name is neither a model's, a module's nor a composition's, or a model was to be compacted.
        NotFound: there is none of that name.
    """
    if compact and subject_collection(subject, field="subject") == Kind.MODEL:
        raise InvalidField(
            f"compact: {subject} is a model, nothing in it is dead",
            field="compact",
            hint="leave compact out, or export one of its modules",
        )
    digest = digest_of(await resources.subject(subject, field="subject"))
    form = "/compact" if compact else ""
    return hashlib.sha256(f"export/{EXPORT_VERSION}/{subject}/{digest}/{export_format}{form}".encode()).hexdigest()


def export_subject(subject: str, export_format: ExportFormat, bench: Workbench, *, compact: bool) -> Export:
    """Exports, verifies the exported program against PyTorch, and uploads the files.

    Raises:
        ExportMismatch: the exported program gives other outputs.
        UnsupportedModel: the format does not know a layer, or no channel can be removed; the layer is named.
    """
    bench.monitor.progress("loading", 0, 3, "step", {})
    load = load_compacted if compact else load_subject
    loaded = load(bench.resources, bench.cache, bench.resources.subject(subject, field="subject"))
    bench.monitor.check_cancelled()
    bench.monitor.progress(f"exporting as {export_format}", 1, 3, "step", {})
    with tempfile.TemporaryDirectory(prefix="modelfoundry-export-") as folder:
        written = WRITERS[export_format](loaded.classifier, Path(folder))
        bench.monitor.check_cancelled()
        bench.monitor.progress("storing", 2, 3, "step", {"max_difference": written.max_difference})
        files = tuple(
            ExportedFile(file.name, bench.client.blobs.upload(file.path, media_type=media_type_of(file.path.suffix)))
            for file in written.files
        )
    bench.monitor.progress("stored", 3, 3, "step", {"max_difference": written.max_difference})
    return Export(
        subject=subject, format=export_format, files=files, max_difference=written.max_difference, compact=compact
    )
