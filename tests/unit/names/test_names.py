"""What things are called, and how it is quoted."""

from __future__ import annotations

from typing import Any

import pytest

from modelfoundry.errors import InvalidField
from modelfoundry.names import (
    ResourceName,
    VersionReference,
    check_digest,
    check_id,
    check_request_id,
    near,
    parse_name,
    parse_parent,
    parse_reference,
    request_id_from,
    shortened,
    singular_of,
)


def test_a_name_is_its_project_collection_and_id() -> None:
    name = parse_name("projects/p/models/resnet-20", "models", field="model")
    assert name == ResourceName("p", "models", "resnet-20")
    assert (str(name), name.parent) == ("projects/p/models/resnet-20", "projects/p")


@pytest.mark.parametrize(
    "text",
    ["", "m", "models/m", "projects/p/modules/m", "projects/p/models/", "projects/p/models/M", "projects/p/models/m/x"],
)
def test_what_is_no_name_is_refused_with_its_field_and_an_example(text: str) -> None:
    with pytest.raises(InvalidField) as caught:
        parse_name(text, "models", field="new_task.labels[1].source")
    assert caught.value.field == "new_task.labels[1].source"
    assert "projects/default/models/my-model" in caught.value.hint


def test_a_reference_is_a_name_or_a_member_of_a_family() -> None:
    assert parse_reference("projects/p/modules/cat", "modules", field="f") == ResourceName("p", "modules", "cat")
    champion = parse_reference("projects/p/modules/cat@champion", "modules", field="f")
    assert champion == VersionReference("p", "modules", "cat", "champion")
    assert (champion.version, champion.family_name) == (None, "projects/p/modules/cat")
    third = parse_reference("projects/p/modules/cat@3", "modules", field="f")
    assert isinstance(third, VersionReference)
    assert third.version == 3


@pytest.mark.parametrize("selector", ["", "0", "03", "Best", "1234567890"])
def test_what_is_neither_alias_nor_number_is_refused(selector: str) -> None:
    with pytest.raises(InvalidField):
        parse_reference(f"projects/p/modules/cat@{selector}", "modules", field="f")


def test_parents_ids_and_digests() -> None:
    assert parse_parent("projects/p") == "p"
    assert check_id("a-1", field="f") == "a-1"
    assert check_digest("sha256:" + "0" * 64, field="f") == "sha256:" + "0" * 64
    refused: list[tuple[Any, str]] = [
        (parse_parent, "p"),
        (parse_parent, "projects/p/models"),
        (check_id, "a-"),
        (check_id, "a" * 64),
        (check_digest, "sha256:" + "A" * 64),
    ]
    for check, text in refused:
        with pytest.raises(InvalidField):
            check(text, field="f")


def test_a_request_id_follows_from_what_is_asked_for() -> None:
    """Jobs that are taken up by a newer version have to find what they made before."""
    assert request_id_from("projects/p/operations/o/model") == "851edd74-cdb6-4a43-84c0-8f8071380b44"
    assert check_request_id(request_id_from("a")) == request_id_from("a") != request_id_from("b")


def test_near_names_are_found_in_any_case_nearest_first() -> None:
    assert near("Hors", ["cow", "horse", "house"]) == ["horse", "house"]
    assert near("zzz", ["cow"]) == []


def test_texts_are_quoted_short_and_printable() -> None:
    assert shortened("a" * 81) == "a" * 77 + "..."
    assert shortened("a\nb\x1b") == "a\\nb\\x1b"


def test_a_collection_has_a_singular() -> None:
    assert [singular_of(each) for each in ("models", "vocabularies")] == ["model", "vocabulary"]
