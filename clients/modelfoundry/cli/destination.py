"""Where files of an export go: a file that says its format by its name, or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelfoundry.errors import InvalidField
from modelfoundry.values.exports import ExportFormat, format_of_suffix

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient, Export


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
            return self.path if format_of_suffix(Path(name).suffix) else self.path.with_suffix(Path(name).suffix)
        folder = self.path / export.subject.rpartition("/")[2] if self.several else self.path
        return folder / Path(name).name


def destination_of(output: Path | None, said: ExportFormat | None, *, several: bool) -> Destination | None:
    """What `--output` and `--format` say together; None where no files are wanted.

    Args:
        output: A file or folder.
        said: The format; None: as the file is called, safetensors for a folder.
        several: Whether there are several modules to write.

    Raises:
        InvalidField: they contradict each other, or several modules are to go into one file.
    """
    if output is None:
        if said:
            raise InvalidField(
                "--format says how files are written, and none are", field="--format", hint="add -o FILE or -o FOLDER"
            )
        return None
    by_name = None if output.is_dir() else format_of_suffix(output.suffix)
    if by_name and several:
        raise InvalidField(
            f"--output: several modules do not go into {output}",
            field="--output",
            hint="add --compose for one classifier, or name a folder",
        )
    if by_name and said not in {None, by_name}:
        raise InvalidField(
            f"--output: {output} is called like {by_name}, not {said}",
            field="--output",
            hint="leave --format out, or call the file otherwise",
        )
    return Destination(output, by_name or said or ExportFormat.SAFETENSORS, by_name is not None, several)


async def fetch_all(client: AsyncClient, exports: Sequence[Export], place: Destination) -> list[WrittenFile]:
    """Downloads all files, each whole and verified or not there."""
    written = []
    for export in exports:
        for file in export.files:
            path = place.path_of(export, file.path)
            await client.blobs.download(file.content, path)
            written.append(WrittenFile(path, file.content.size_bytes))
    return written
