# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Folders of the Hugging Face Hub: written from what is registered, and registered from what is in them."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelfoundry.client._sync.blobs import Blobs
from modelfoundry.client._sync.cards import Cards
from modelfoundry.client._sync.compositions import Compositions
from modelfoundry.client._sync.models import Models
from modelfoundry.client._sync.modules import Modules
from modelfoundry.client._sync.reusing import FileForm, start_export
from modelfoundry.client.content import OnTransfer
from modelfoundry.client.hub.reading import read_folder
from modelfoundry.client.hub.writing import whole_folder, write_texts
from modelfoundry.client.transfers import TotalProgress, file_in
from modelfoundry.client.transport import Transport
from modelfoundry.values.exports import Export, ExportFormat
from modelfoundry.values.file_forms import Compute, WeightFormat
from modelfoundry.values.kinds import Kind
from modelfoundry.values.references import Named, subject_name
from modelfoundry.values.resources import Model

FORMATS = (ExportFormat.ONNX, ExportFormat.SAFETENSORS)
"""The last one's description stays: it says which tensors are there once under several names."""


class Hub:
    """Folders as the Hugging Face Hub keeps them. Reached as `client.hub`. The Hub itself is never called."""

    def __init__(
        self,
        transport: Transport,
        parent: str,
        blobs: Blobs,
        cards: Cards,
        models: Models,
        modules: Modules,
        compositions: Compositions,
    ) -> None:
        self._transport = transport
        self._parent = parent
        self._blobs = blobs
        self._cards = cards
        self._models = models
        self._modules = modules
        self._compositions = compositions

    def export(
        self,
        subject: Named,
        folder: str | Path,
        *,
        compact: bool = False,
        weights: WeightFormat | str | None = None,
        compute: Compute | str | None = None,
        dataset: Named | None = None,
        on_progress: OnTransfer | None = None,
    ) -> Path:
        """Writes a module, model or composition as a folder that can be published: all of it or nothing.

        The folder has `README.md` (the card), `config.json`, `model.safetensors`, `model.onnx` and `example.py`, which
        classifies an image with them and without ModelFoundry, decoded as here (`picture.py`).

        Args:
            subject: A module (bare id), `models/ID` or `compositions/ID`.
            folder: Not there yet, or empty.
            compact: Without the dead channels of modules: smaller and faster, with the same outputs.
            weights: How `model.onnx` keeps its weights: `fp32`, `fp16` or `int8`; `model.safetensors`, which
                `import_folder` reads, keeps them as `fp16` where that is said, else as `fp32`.
            compute: What `model.onnx` computes with: `fp32` or `int8`. How it answers then stands in `config.json`.
            dataset: Data set to calibrate and measure on. None: the recorded one.
            on_progress: Called with bytes done and bytes in all, over all files.

        Returns:
            The folder.

        Raises:
            AlreadyExists: the folder is not empty.
            ExportMismatch, UnsupportedModel, NotFound, Unavailable: as the services say.
        """
        target = Path(folder)
        name = subject_name(subject, self._parent)
        with whole_folder(target) as staged:
            digest = self._digest(name)
            onnx = FileForm(compact, weights, compute, dataset)
            halves = weights is not None and weights == WeightFormat.FP16
            tensors = FileForm(compact, weights, dataset=dataset) if halves else FileForm(compact)
            jobs = [
                start_export(self._transport, self._parent, name, one, form)
                for one, form in zip(FORMATS, (onnx, tensors), strict=True)
            ]
            exports = [job.wait() for job in jobs]
            files = {file.path: file.content for export in exports for file in export.files}
            progress = TotalProgress(on_progress, [content.size_bytes for content in files.values()])
            for path, content in files.items():
                self._blobs.download(content, file_in(staged, path), on_progress=progress.next())
            write_texts(staged, self._cards.get(name), digest, exports[0])
        return target

    def export_files(
        self,
        subject: Named,
        folder: str | Path,
        format: ExportFormat | str,
        *,
        compact: bool = False,
        weights: WeightFormat | str | None = None,
        compute: Compute | str | None = None,
        dataset: Named | None = None,
        on_progress: OnTransfer | None = None,
    ) -> Export:
        """Writes a module, model or composition in one format into a folder of its own: all of it or nothing.

        Args:
            subject: A module (bare id), `models/ID` or `compositions/ID`.
            folder: Not there yet, or empty.
            format: `safetensors`, `torch_export` or `onnx`.
            compact: Without the dead channels of modules.
            weights: How weights are kept; see `Client.export`.
            compute: What is computed with.
            dataset: Data set to calibrate and measure on. None: the recorded one.
            on_progress: Called with bytes done and bytes in all, over all files.

        Returns:
            What was exported, and how it answers.

        Raises:
            AlreadyExists: the folder is not empty.
            InvalidField, DatasetMismatch, ExportMismatch, UnsupportedModel, NotFound, Unavailable: as the services say.
        """
        form = FileForm(compact, weights, compute, dataset)
        with whole_folder(Path(folder)) as staged:
            job = start_export(self._transport, self._parent, subject_name(subject, self._parent), format, form)
            export = job.wait()
            progress = TotalProgress(on_progress, [file.content.size_bytes for file in export.files])
            for file in export.files:
                self._blobs.download(file.content, file_in(staged, file.path), on_progress=progress.next())
        return export

    def import_folder(
        self,
        folder: str | Path,
        *,
        model_id: str = "",
        labels: Sequence[str] = (),
        training_dataset: Named = "",
        on_progress: OnTransfer | None = None,
    ) -> Model:
        """Registers what is in a folder that `export` or timm wrote (`config.json`, `model.safetensors`) as a model.

        A module or composition becomes a model that needs nothing besides, with its labels; where it comes from stands
        in `Model.origin`. What people wrote about it, and its licence, are taken over. Results are not: nobody measured
        them here. No pickle is read, and nothing of the folder is run.

        Args:
            folder: On this machine.
            model_id: Last segment of the name. Empty: the server makes one.
            labels: Meaning of every output, in order. Empty: as the folder says.
            training_dataset: Data set that it was trained on: id, name or `Dataset`.
            on_progress: Called with bytes done and bytes in all during the upload.

        Raises:
            MalformedFile: a file is missing, leads out of the folder, or is not as it should be; file or field are
                named.
            WeightsMismatch: the weights are not those of the architecture; every tensor is a violation.
            UnknownArchitecture, InvalidField, NonFiniteWeights, AlreadyExists, Unavailable: as the services say.
        """
        found = self._transport.in_thread(read_folder, Path(folder), labels)
        return self._models.push(
            found.weights,
            architecture=found.architecture,
            input=found.input,
            labels=found.labels,
            model_id=model_id,
            display_name=found.about.display_name,
            description=found.about.description,
            intended_use=found.about.intended_use,
            license=found.about.license,
            tags=found.about.tags,
            training_dataset=training_dataset,
            origin=found.origin,
            on_progress=on_progress,
        )

    def _digest(self, name: str) -> str:
        match name.split("/"):
            case [*_, Kind.MODEL, _]:
                return (self._models.get(name)).weights.digest
            case [*_, Kind.COMPOSITION, _]:
                return (self._compositions.get(name)).digest
            case _:
                return (self._modules.get(name)).artifact.digest
