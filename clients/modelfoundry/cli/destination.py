"""Where files of an export go: a file that says its format by its name, or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfoundry.errors import InvalidField

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient, Export, ExportFormat

SUFFIXES: Final = {".onnx": "onnx", ".safetensors": "safetensors", ".pt2": "torch"}


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that was written."""

    path: Path
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Destination:
    """Where files go, and in which format."""

    path: Path
    format: ExportFormat
    is_file: bool
    """True: `path` is the program or weights, and its description goes beside it. False: a folder, which is made."""
    several: bool
    """Several modules: each has a folder of its own below."""

    def path_of(self, export: Export, name: str) -> Path:
        """Where a file of an export goes."""
        if self.is_file:
            return self.path if Path(name).suffix in SUFFIXES else self.path.with_suffix(Path(name).suffix)
        folder = self.path / export.subject.rpartition("/")[2] if self.several else self.path
        return folder / Path(name).name


def destination_of(output: Path | None, format_name: str, *, several: bool) -> Destination | None:
    """What `--output` and `--format` say together; None where no files are wanted.

    Args:
        output: A file or folder.
        format_name: `onnx`, `safetensors` or `torch`; empty: as the file is called, `safetensors` for a folder.
        several: Whether there are several modules to write.

    Raises:
        InvalidField: they contradict each other, or several modules are to go into one file.
    """
    from modelfoundry.client import ExportFormat

    if output is None:
        if format_name:
            raise InvalidField(
                "--format says how files are written, and none are", field="--format", hint="add -o FILE or -o FOLDER"
            )
        return None
    by_name = "" if output.is_dir() else SUFFIXES.get(output.suffix.lower(), "")
    if by_name and several:
        raise InvalidField(
            f"--output: several modules do not go into {output}",
            field="--output",
            hint="add --compose for one classifier, or name a folder",
        )
    if by_name and format_name not in {"", by_name}:
        raise InvalidField(
            f"--output: {output} is called like {by_name}, not {format_name}",
            field="--output",
            hint="leave --format out, or call the file otherwise",
        )
    chosen = by_name or format_name or "safetensors"
    format_ = ExportFormat.TORCH_EXPORT if chosen == "torch" else ExportFormat(chosen)
    return Destination(output, format_, bool(by_name), several)


async def fetch_all(client: AsyncClient, exports: Sequence[Export], place: Destination) -> list[WrittenFile]:
    """Downloads all files, each whole and verified or not there."""
    written = []
    for export in exports:
        for file in export.files:
            path = place.path_of(export, file.path)
            await client.blobs.download(file.content, path)
            written.append(WrittenFile(path, file.content.size_bytes))
    return written
