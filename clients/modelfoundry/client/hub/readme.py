"""What the README of a folder of the Hub says of licence, tags and purpose."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from modelfoundry.client.hub.content import README_FILE, Described
from modelfoundry.client.hub.files import MAX_README_BYTES, read_text
from modelfoundry.errors import InvalidField, MalformedFile

MAX_DESCRIPTION_BYTES: Final = 64 * 1024
MAX_TAGS: Final = 64
SPDX: Final = {
    name.lower(): name
    for name in ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0")
}
"""How SPDX spells what the Hub writes in lower case."""


def read_readme(folder: Path) -> Described:
    """Licence, tags and text of the README; nothing where there is none.

    Raises:
        MalformedFile: it is not a plain file of the folder, too long, or its front matter is no YAML object.
        InvalidField: the library of the Hub, which reads it, is not installed.
    """
    if not (folder / README_FILE).exists():
        return Described()
    text = read_text(folder, README_FILE, MAX_README_BYTES)
    try:
        import yaml
        from huggingface_hub import ModelCard
    except ImportError as error:
        raise InvalidField(
            f"reading {README_FILE} needs huggingface-hub, which is not installed",
            field=README_FILE,
            hint="`pip install huggingface-hub`, or take the file away",
        ) from error
    try:
        card: Any = ModelCard(text, ignore_metadata_errors=True)
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise MalformedFile(
            f"the front matter of {README_FILE} cannot be read: {str(error).partition(chr(10))[0]}",
            field=README_FILE,
            hint="repair it, or take the file away",
        ) from error
    return Described(
        license=_license(card.data.license, getattr(card.data, "license_name", None)),
        description=_shown(card.text),
        tags=_tags(card.data.tags),
    )


def _license(stated: Any, name: Any) -> str:
    if stated == "other" and isinstance(name, str):
        return name
    return SPDX.get(stated, stated) if isinstance(stated, str) else ""


def _shown(text: str) -> str:
    """The text without control characters, cut at a line end where it is too long for a description."""
    kept = "".join(
        each for each in text if each in "\n\t" or unicodedata.category(each) not in {"Cc", "Cs", "Zl", "Zp"}
    )
    data = kept.strip().encode()
    if len(data) <= MAX_DESCRIPTION_BYTES:
        return data.decode()
    return data[:MAX_DESCRIPTION_BYTES].decode(errors="ignore").rpartition("\n")[0]


def _tags(stated: Any) -> dict[str, str]:
    """The Hub's tags are texts; one like `dataset:imagenet` becomes a key and its value."""
    texts: Sequence[Any] = stated if isinstance(stated, list) else []
    pairs = [text.partition(":") for text in texts if isinstance(text, str)]
    tags = {re.sub(r"[^a-z0-9_-]+", "-", key.lower())[:63]: value[:256] for key, _, value in pairs if key}
    return dict(list(tags.items())[:MAX_TAGS])
