"""Rules for what people write: names of labels, descriptions, tags."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from modelfoundry.errors import InvalidField
from modelfoundry.names import shortened
from modelfoundry.registry.records.drafts import About

MAX_DISPLAY_NAME: Final = 200
MAX_DESCRIPTION_BYTES: Final = 64 * 1024
MAX_LICENSE: Final = 100
MAX_TAGS: Final = 64
MAX_TAG_VALUE: Final = 256
MAX_LABELS: Final = 100_000
MAX_LABEL: Final = 200
MAX_LABEL_BYTES: Final = 2 * 1024 * 1024
_TAG_KEY: Final = re.compile(r"[a-z0-9_-]{1,63}")


def check_about(about: About, prefix: str) -> None:
    """Checks everything that people write about a resource.

    Args:
        about: What they wrote.
        prefix: Path of the resource in the request, for example `model`.

    Raises:
        InvalidField: a text is too long, has control characters, or a tag has a wrong key.
    """
    check_line(about.display_name, MAX_DISPLAY_NAME, field=f"{prefix}.display_name")
    check_line(about.license, MAX_LICENSE, field=f"{prefix}.license")
    _check_markdown(about.description, field=f"{prefix}.description")
    _check_markdown(about.intended_use, field=f"{prefix}.intended_use")
    if len(about.tags) > MAX_TAGS:
        raise InvalidField(
            f"{prefix}.tags: there are {len(about.tags)} tags", field=f"{prefix}.tags", hint=f"use at most {MAX_TAGS}"
        )
    for key, value in about.tags.items():
        if not _TAG_KEY.fullmatch(key):
            raise InvalidField(
                f"{prefix}.tags: {shortened(key)!r} cannot be a key",
                field=f"{prefix}.tags",
                hint="use 1 to 63 lower-case letters, digits, '_' and '-'",
            )
        check_line(value, MAX_TAG_VALUE, field=f"{prefix}.tags.{key}")


def check_line(text: str, limit: int, *, field: str) -> None:
    """Checks that a text is one line of at most `limit` characters; it may be empty.

    Raises:
        InvalidField: it is longer or has control characters.
    """
    if len(text) > limit:
        raise InvalidField(f"{field} has {len(text)} characters", field=field, hint=f"use at most {limit}")
    if _has_control(text):
        raise InvalidField(
            f"{field}: {shortened(text)!r} has control characters", field=field, hint="use printable characters only"
        )


def check_labels(labels: Sequence[str], *, field: str, spaced: bool = False) -> None:
    """Checks the names of all labels of a model or data set.

    Args:
        labels: The names.
        field: Their path in the request.
        spaced: Whether names may begin or end with spaces, as those of older data sets may.

    Raises:
        InvalidField: there are too few or too many, or one is empty, too long, unprintable or there twice, or begins or
            ends with a space.
    """
    if not 2 <= len(labels) <= MAX_LABELS:
        raise InvalidField(
            f"{field}: there are {len(labels)} labels",
            field=field,
            hint=f"name 2 to {MAX_LABELS} different labels in order",
        )
    seen: dict[str, int] = {}
    for index, label in enumerate(labels):
        path = f"{field}[{index}]"
        if not label.strip():
            raise InvalidField(f"{path} is empty", field=path, hint="name every label")
        check_line(label, MAX_LABEL, field=path)
        if label != label.strip() and not spaced:
            raise InvalidField(
                f"{path}: {shortened(label)!r} begins or ends with a space",
                field=path,
                hint=f"call it {shortened(label.strip())!r}",
            )
        if label in seen:
            raise InvalidField(
                f"{path}: {shortened(label)!r} is also label {seen[label]}",
                field=path,
                hint="give every label its own name",
            )
        seen[label] = index
    if sum(len(label.encode()) for label in labels) > MAX_LABEL_BYTES:
        raise InvalidField(
            f"{field}: all names together are longer than {MAX_LABEL_BYTES} bytes",
            field=field,
            hint="use shorter names",
        )


def _check_markdown(text: str, *, field: str) -> None:
    size = len(text.encode())
    if size > MAX_DESCRIPTION_BYTES:
        raise InvalidField(f"{field} has {size} bytes", field=field, hint=f"use at most {MAX_DESCRIPTION_BYTES}")
    if _has_control(text.translate({ord(allowed): None for allowed in "\n\r\t"})):
        raise InvalidField(f"{field} has control characters", field=field, hint="use Markdown text")


def _has_control(text: str) -> bool:
    return not text.isprintable() and any(
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text
    )
