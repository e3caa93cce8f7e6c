"""What a module file says of itself in its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from modelfoundry.core.modules.format.refusals import malformed
from modelfoundry.errors import MalformedFile
from modelfoundry.names import DIGEST, shortened

FORMAT: Final = "modelfoundry.module"
FORMAT_VERSION: Final = "1"
"""Masks and a head of one linear layer."""
DEEP_HEAD_VERSION: Final = "2"
"""Masks and a head of several linear layers."""
REWRITING_VERSION: Final = "3"
"""Rewritten tensors, channels that were cut, log-odds as a head, no masks at all."""
OPERATING_VERSION: Final = "4"
"""Everything else: layers that something else takes the place of."""
VERSIONS: Final = (FORMAT_VERSION, DEEP_HEAD_VERSION, REWRITING_VERSION, OPERATING_VERSION)
_ALWAYS: Final = ("format", "format_version", "base_digest", "problem", "layout", "algorithm")
_REWRITING: Final = ("head", "rewritten", "cuts")
_OPERATING: Final = (*_REWRITING, "operations")


def rewrites(version: str) -> bool:
    """Whether files of a version say their head, and may rewrite and cut."""
    return version in (REWRITING_VERSION, OPERATING_VERSION)


def checked_metadata(metadata: Mapping[str, str]) -> Mapping[str, str]:
    """The metadata, with all keys that its version has.

    Raises:
        MalformedFile: it is that of no module file, or of one of a newer version.
    """
    _check_keys(metadata, _ALWAYS)
    if metadata["format"] != FORMAT:
        raise malformed(f"its format is not {FORMAT}")
    version = metadata["format_version"]
    if version not in VERSIONS:
        raise MalformedFile(
            f"module file, version {shortened(version, 20)}, this program reads {', '.join(VERSIONS)}",
            hint="use the version of ModelFoundry that wrote it, or a newer one",
        )
    if rewrites(version):
        _check_keys(metadata, _OPERATING if version == OPERATING_VERSION else _REWRITING)
    if not DIGEST.fullmatch(metadata["base_digest"]):
        raise malformed(f"its base digest {shortened(metadata['base_digest'])!r} is none")
    return metadata


def _check_keys(metadata: Mapping[str, str], keys: tuple[str, ...]) -> None:
    missing = [key for key in keys if key not in metadata]
    if missing:
        raise malformed(f"its metadata lacks {', '.join(missing)}")
