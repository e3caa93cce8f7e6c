# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Calls that export, compact and use modules and models."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modelfoundry.client._sync.jobs import Job
from modelfoundry.client._sync.verbs import Verbs
from modelfoundry.client.images import ImageLike
from modelfoundry.client.requests import chosen
from modelfoundry.values.exports import Export, ExportFormat
from modelfoundry.values.references import Named
from modelfoundry.values.results import (
    Compaction,
    Prediction,
)


class Reusing:
    """The part of a client that uses what there is; see `Client`."""

    _verbs: Verbs

    def export(
        self,
        subject: Named,
        format: ExportFormat | str = ExportFormat.SAFETENSORS,
        *,
        compact: bool = False,
        request_id: str | None = None,
    ) -> Job[Export]:
        """Starts writing a module or model in a format that runs elsewhere. `modules.download` also fetches the files.

        Args:
            subject: A module (bare id) or model (`models/ID`).
            format: `safetensors` (`model.safetensors`), `torch_export` (`model.pt2`) or `onnx` (`model.onnx`), each
                with `module.json`.
            compact: Write a module without its dead channels: smaller and faster, with the same outputs.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            ExportMismatch, UnsupportedModel, NotFound, Unavailable: as the service says.
        """
        return self._verbs.export(subject, chosen(format, ExportFormat, "format"), request_id, compact=compact)

    def compact(
        self, module: Named, *, latency_batch_sizes: Sequence[int] = (), request_id: str | None = None
    ) -> Job[Compaction]:
        """Starts removing a module's dead channels, and measures original, masked and compacted form side by side.

        What was measured is then on the module (`Module.forms`). `export` and `modules.download` write the compacted
        form with `compact=True`.

        Args:
            module: Id, name or `Module`.
            latency_batch_sizes: Batch sizes at which to time the forward pass. Empty: 1 and 16.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            UnsupportedModel, InvalidField, NotFound, Unavailable: as the service says.
        """
        return self._verbs.compact(module, latency_batch_sizes, request_id)

    def predict(
        self, subject: Named, images: ImageLike | Iterable[ImageLike], *, top_k: int = 0
    ) -> tuple[Prediction, ...]:
        """Classifies images; large numbers go in several calls.

        Args:
            subject: A module (bare id) or model (`models/ID`).
            images: One or many: a path or the bytes of a PNG or JPEG file, or a uint8 array [channels, height, width]
                with the subject's own extents; an array [n, channels, height, width] is n images.
            top_k: At most this many labels in an answer. 0: all.

        Returns:
            One prediction an image, in the order given.

        Raises:
            InvalidImage: an image is unreadable or has a wrong shape; it is named.
            NotFound, Unavailable: as the service says.
        """
        return self._verbs.predict(subject, images, top_k)
