"""Parts that many requests have."""

from __future__ import annotations

import platform
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask

from modelfoundry.client.endpoints import data_directory
from modelfoundry.errors import InvalidField
from modelfoundry.names import request_id_from, shortened
from modelfoundry.values.resources import BlobRef

Member = TypeVar("Member", bound=StrEnum)


def new_request_id() -> str:
    """A UUID4: makes a call safe to repeat."""
    return str(uuid.uuid4())


def upload_request_id(parent: str, blob: BlobRef) -> str:
    """A UUID4-shaped id that the same bytes always get on this machine and account.

    An upload that a killed program left behind is so found again, and goes on where it stopped.
    """
    return request_id_from(f"{platform.node()}\0{data_directory()}\0{parent}\0{blob.media_type}\0{blob.digest}")


def chosen(value: str, choices: type[Member], field: str) -> Member:
    """The member of an enum that a caller wrote as text, or the member itself.

    Raises:
        InvalidField: there is none.
    """
    try:
        return choices(value)
    except ValueError:
        raise InvalidField(
            f"{field}: {shortened(str(value))!r} is none of the choices", field=field, hint=f"use {', '.join(choices)}"
        ) from None


@dataclass(frozen=True, slots=True)
class ChangedFields:
    """Fields of an update, and the mask that names them."""

    values: dict[str, Any]
    mask: FieldMask


def changed_fields(
    *,
    display_name: str | None,
    description: str | None,
    license: str | None,  # noqa: A002 - named like the field
    tags: Mapping[str, str] | None,
    intended_use: str | None,
) -> ChangedFields:
    """Those that are not None.

    Raises:
        InvalidField: all are None.
    """
    given = {
        "display_name": display_name,
        "description": description,
        "license": license,
        "tags": tags,
        "intended_use": intended_use,
    }
    values = {
        field: dict(value) if isinstance(value, Mapping) else value
        for field, value in given.items()
        if value is not None
    }
    if not values:
        raise InvalidField("nothing to change was given", field="update_mask", hint=f"give one of {', '.join(given)}")
    return ChangedFields(values, FieldMask(paths=list(values)))
