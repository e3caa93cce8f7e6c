"""Finds the pictures in a folder of folders, and says what else lies there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from PIL import Image

from modelfoundry.client.sources.prepared import FileRemark, shown
from modelfoundry.errors import InvalidImage, MalformedFile
from modelfoundry.names import label_text
from modelfoundry.pictures.decoding import FORMATS, Measured, UnreadablePicture, measure

OF_THE_SYSTEM: Final = "files and folders of systems and tools"
LINKS: Final = "links that lead out of the folder, or nowhere"
NOT_PLAIN: Final = "neither files nor folders"
NO_PICTURES: Final = "files that are no pictures"
OUTSIDE: Final = "outside of the labels' folders"
TOO_DEEP: Final = "folders inside of a label's"
EMPTY: Final = "folders without pictures"

_SYSTEM_NAMES: Final = frozenset(
    {
        *("@eadir", "__macosx", "__pycache__", "$recycle.bin", "@recycle", "#recycle", "lost+found"),
        *("system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini"),
    }
)
"""In lower case. Names that begin with a dot are left out as well."""
_OTHER_PICTURES: Final = frozenset(
    {".heic", ".heif", ".jxl", ".svg", ".eps", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".exr", ".tga"}
)
"""Suffixes of pictures that are not read: whoever has them means them to be in the data set."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's file, the name of its label's folder, and what the file says of it."""

    path: Path
    label: str
    measured: Measured


@dataclass(frozen=True, slots=True)
class FoundPictures:
    """Pictures by split, and what else lies in the folder."""

    splits: Mapping[str, Sequence[Picture]]
    left_out: tuple[FileRemark, ...]


@dataclass(slots=True)
class _Folder:
    """A folder that was looked into: its pictures, and the folders in it."""

    path: Path
    pictures: list[Picture] = field(default_factory=list)
    folders: list[_Folder] = field(default_factory=list)
    has_links: bool = False

    @property
    def nested(self) -> bool:
        """Whether there are pictures one folder down."""
        return any(folder.pictures for folder in self.folders)


def find_pictures(root: Path) -> FoundPictures:
    """Finds `SPLIT/LABEL/PICTURE`, or `LABEL/PICTURE`, which is one split `train`.

    Files are told by content. What belongs to the system or to tools, links out of the folder, and files that are no
    pictures are left out and named; so are folders without pictures.

    Raises:
        InvalidImage: files are called pictures and cannot be read; they are named.
        MalformedFile: it cannot be told whether folders are splits or labels, or all pictures of a label are links
            out of the folder.
    """
    search = _Search(root)
    top = search.look(root, levels=2)
    search.refuse_unreadable()
    has_splits = _has_splits(top)
    search.leave_out(OUTSIDE, [picture.path for picture in top.pictures])
    splits = {folder.path.name: folder for folder in top.folders} if has_splits else {"train": top}
    pictures = {name: search.of_labels(split, inner=has_splits) for name, split in splits.items()}
    for name, split in splits.items():
        if has_splits and not pictures[name]:
            search.leave_out(EMPTY, [split.path])
    return FoundPictures({name: found for name, found in pictures.items() if found}, tuple(search.left_out))


def _has_splits(top: _Folder) -> bool:
    """Whether the folders are splits, which hold labels, rather than labels."""
    nested = [folder.path.name for folder in top.folders if folder.nested and not folder.pictures]
    direct = [folder.path.name for folder in top.folders if folder.pictures and not folder.nested]
    both = [folder.path.name for folder in top.folders if folder.pictures and folder.nested]
    if (nested and direct) or (both and not nested and not direct):
        raise MalformedFile(
            f"{top.path}: pictures lie in {shown(direct or both)} and in folders below {shown(nested or both)}",
            field="source",
            hint="put all of them at SPLIT/LABEL/PICTURE, or all of them at LABEL/PICTURE",
        )
    return bool(nested)


class _Search:
    """One walk through a folder, and what it came upon."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._real_root = root.resolve()
        self._unreadable: list[tuple[str, UnreadablePicture]] = []
        self.left_out: list[FileRemark] = []

    def leave_out(self, reason: str, paths: Sequence[Path]) -> None:
        """Notes what is left out and why."""
        self.left_out += [FileRemark(self._named(path), reason) for path in paths]

    def refuse_unreadable(self) -> None:
        """Raises InvalidImage where files that are called pictures could not be read, naming them."""
        if not self._unreadable:
            return
        paths = [path for path, _ in self._unreadable]
        first = self._unreadable[0][1]
        raise InvalidImage(
            f"{len(paths)} of {self._root} cannot be read: {shown(paths)} ({first})",
            field="source",
            hint="remove or replace them, or save them as JPEG, PNG or WebP",
            metadata={"files": ", ".join(paths[:100])},
        )

    def look(self, folder: Path, levels: int) -> _Folder:
        """Looks into a folder and, so many levels deep, into those in it."""
        found = _Folder(folder)
        for entry in sorted(folder.iterdir()):
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_NAMES:
                self.leave_out(OF_THE_SYSTEM, [entry])
            elif entry.is_symlink() and not self._stays_inside(entry):
                self.leave_out(LINKS, [entry])
                found.has_links = True
            elif entry.is_dir():
                if levels:
                    found.folders.append(self.look(entry, levels - 1))
                else:
                    self.leave_out(TOO_DEEP, [entry])
            elif entry.is_file():
                found.pictures += self._measured(entry)
            else:
                self.leave_out(NOT_PLAIN, [entry])
        return found

    def of_labels(self, split: _Folder, *, inner: bool) -> list[Picture]:
        """The pictures of a split, label by label.

        Raises:
            MalformedFile: of a label there is nothing but links out of the folder.
        """
        if inner:
            self.leave_out(OUTSIDE, [picture.path for picture in split.pictures])
        for label in split.folders:
            if label.has_links and not label.pictures:
                raise MalformedFile(
                    f"{self._named(label.path)} holds nothing but links that lead out of {self._root}, or nowhere",
                    field="source",
                    hint="copy the folder with `cp -rL`, and look at what it links to before",
                )
            if not label.pictures:
                self.leave_out(EMPTY, [label.path])
            self.leave_out(TOO_DEEP, [folder.path for folder in label.folders])
        return [picture for label in split.folders for picture in label.pictures]

    def _measured(self, path: Path) -> list[Picture]:
        try:
            return [Picture(path, label_text(path.parent.name), measure(path))]
        except UnreadablePicture as error:
            if error.foreign and path.suffix.lower() not in _picture_suffixes():
                self.leave_out(NO_PICTURES, [path])
            else:
                self._unreadable.append((self._named(path), error))
            return []

    def _stays_inside(self, link: Path) -> bool:
        real = link.resolve()
        return real.exists() and real.is_relative_to(self._real_root) and not link.absolute().is_relative_to(real)

    def _named(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _picture_suffixes() -> frozenset[str]:
    Image.init()
    read = (suffix for suffix, name in Image.EXTENSION.items() if name in FORMATS)
    return _OTHER_PICTURES | frozenset(read)
