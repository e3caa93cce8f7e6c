"""The kinds of things that names name."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a name is the name of, spelled as in `projects/{project}/{kind}/{id}`.

    Members are strings: they stand in names, table names and messages as they are, and compare equal to what was
    parsed from these.
    """

    MODEL = "models"
    DATASET = "datasets"
    MODULE = "modules"
    COMPOSITION = "compositions"
    EVALUATION = "evaluations"
    OPERATION = "operations"
    UPLOAD = "uploads"
    VOCABULARY = "vocabularies"
    WEBHOOK = "webhooks"


def kind_of(name: str) -> Kind | None:
    """The kind in `projects/{project}/{kind}/{id}`; None where there is none, or none that is known."""
    match name.split("/", 3):
        case ["projects", _, kind, _] if kind in set(Kind):
            return Kind(kind)
        case _:
            return None
