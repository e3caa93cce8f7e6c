"""What things are called, checked in one place for servers and clients, and quoted in messages.

Resources are `projects/{project}/{collection}/{id}`, bytes are digests, calls have request ids.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from modelfoundry.errors import InvalidField

RESOURCE_ID: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}")
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
# Version 4 in its one text form (RFC 9562, section 4). `uuid.UUID` also takes braces, `urn:uuid:` and no hyphens: an id
# would then have several spellings, and a repeated call would pass for a new one.
_UUID4: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
DEFAULT_PROJECT: Final = "projects/default"
ID_RULE: Final = "use lower-case letters, digits and '-', beginning with a letter, at most 63 characters"


def shortened(text: str, limit: int = 80) -> str:
    """`text` fit to be quoted in a message: printable, at most `limit` characters."""
    printable = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return printable if len(printable) <= limit else f"{printable[: limit - 3]}..."


def label_text(label: str) -> str:
    """A label as it is written everywhere: Unicode's form NFC, so that one word has one spelling.

    macOS keeps names of files in the form NFD, where an accent is a character of its own.
    """
    return unicodedata.normalize("NFC", label)


def label_texts(labels: Iterable[str]) -> tuple[str, ...]:
    """`label_text` of each."""
    return tuple(map(label_text, labels))


def singular_of(collection: str) -> str:
    """`module` for `modules`."""
    return f"{collection[:-3]}y" if collection.endswith("ies") else collection.removesuffix("s")


@dataclass(frozen=True, slots=True)
class ResourceName:
    """A parsed resource name."""

    project: str
    collection: str
    id: str

    def __str__(self) -> str:
        return f"projects/{self.project}/{self.collection}/{self.id}"

    @property
    def parent(self) -> str:
        """`projects/{project}`."""
        return f"projects/{self.project}"


@dataclass(frozen=True, slots=True)
class VersionReference:
    """A member of a family, by alias or by number: `projects/{project}/{collection}/{family}@{selector}`.

    Attributes:
        selector: The alias, or the number as text.
    """

    project: str
    collection: str
    family: str
    selector: str

    def __str__(self) -> str:
        return f"{self.family_name}@{self.selector}"

    @property
    def family_name(self) -> str:
        """`projects/{project}/{collection}/{family}`."""
        return f"projects/{self.project}/{self.collection}/{self.family}"

    @property
    def version(self) -> int | None:
        """The number; None for an alias."""
        return int(self.selector) if self.selector.isdecimal() else None


def parse_reference(text: str, collection: str, *, field: str) -> ResourceName | VersionReference:
    """Parses what names a resource where one is read: its own name, or a family with `@alias` or `@version`.

    Raises:
        InvalidField: it is neither.
    """
    front, at, selector = text.rpartition("@")
    if not at:
        return parse_name(text, collection, field=field)
    family = parse_name(front, collection, field=field)
    if not (RESOURCE_ID.fullmatch(selector) or _VERSION.fullmatch(selector)):
        raise InvalidField(
            f"{field}: {shortened(selector)!r} is neither an alias nor the number of a version",
            field=field,
            hint=f"pass for example {front}@champion or {front}@3; in aliases {ID_RULE}",
        )
    return VersionReference(family.project, collection, family.id, selector)


def parse_name(text: str, collection: str, *, field: str) -> ResourceName:
    """Parses the name of a resource of one collection.

    Raises:
        InvalidField: it is not of the form `projects/{project}/{collection}/{id}`.
    """
    parts = text.split("/", 4)
    well_formed = (
        len(parts) == 4
        and parts[0] == "projects"
        and parts[2] == collection
        and RESOURCE_ID.fullmatch(parts[1])
        and RESOURCE_ID.fullmatch(parts[3])
    )
    if not well_formed:
        raise InvalidField(
            f"{field}: {shortened(text)!r} is not a name of the form projects/{{project}}/{collection}/{{id}}",
            field=field,
            hint=f"pass for example projects/default/{collection}/my-{singular_of(collection)}; in ids {ID_RULE}",
        )
    return ResourceName(project=parts[1], collection=collection, id=parts[3])


def parse_parent(text: str, *, field: str = "parent") -> str:
    """Returns the project of `projects/{project}`.

    Raises:
        InvalidField: it is not of that form.
    """
    match text.split("/", 2):
        case ["projects", project] if RESOURCE_ID.fullmatch(project):
            return project
        case _:
            raise InvalidField(
                f"{field}: {shortened(text)!r} is not of the form projects/{{project}}",
                field=field,
                hint=f"pass for example {DEFAULT_PROJECT}; in the project id {ID_RULE}",
            )


def check_id(text: str, *, field: str) -> str:
    """Returns `text` when it can be the last segment of a name.

    Raises:
        InvalidField: it cannot.
    """
    if not RESOURCE_ID.fullmatch(text):
        raise InvalidField(f"{field}: {shortened(text)!r} cannot be an id", field=field, hint=ID_RULE)
    return text


def check_digest(text: str, *, field: str) -> str:
    """Returns `text` when it is `sha256:` and 64 lower-case hexadecimal digits.

    Raises:
        InvalidField: it is not.
    """
    if not DIGEST.fullmatch(text):
        raise InvalidField(
            f"{field}: {shortened(text)!r} is not a digest",
            field=field,
            hint="pass 'sha256:' and 64 lower-case hexadecimal digits",
        )
    return text


def check_request_id(text: str) -> str:
    """Returns what makes a call repeatable, in lower case: empty, or a UUID4 of 36 characters in either case.

    Raises:
        InvalidField: it is neither.
    """
    if text and not _UUID4.fullmatch(text.lower()):
        raise InvalidField(
            f"request_id: {shortened(text)!r} is no UUID4 of the form xxxxxxxx-xxxx-4xxx-xxxx-xxxxxxxxxxxx",
            field="request_id",
            hint="pass a new UUID4 for every call that means something new, or nothing",
        )
    return text.lower()


def request_id_from(what: str) -> str:
    """A request id that always follows from what is asked for: who asks for it again finds what came of it before."""
    return str(uuid.UUID(bytes=hashlib.sha256(what.encode()).digest()[:16], version=4))


def near(text: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """Names that somebody who typed `text` may have meant, nearest first."""
    candidates = {name.casefold(): name for name in known}
    matches = difflib.get_close_matches(text.casefold()[:200], candidates, n=limit, cutoff=0.6)
    return [candidates[match] for match in matches]
