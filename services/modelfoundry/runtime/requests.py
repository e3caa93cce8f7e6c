"""Finds what is wrong with a request by its contract alone: `google.api.field_behavior` and general limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, Final

from google.api import field_behavior_pb2
from google.protobuf import any_pb2, field_mask_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from modelfoundry.errors import FieldViolation

STRING_LIMIT: Final = 64 * 1024
"""Longest string in a request, in characters: the longest one of the contracts, a description."""
VIOLATION_LIMIT: Final = 20
PAGE_SIZE: Final = "page_size"
_WALKED: Final = (FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_STRING)
"""Types of list elements that can be wrong. There may be millions of numbers, which are not looked at one by one."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A field that is wrong, and what to do about it."""

    field: str
    description: str
    remedy: str

    def as_error(self) -> FieldViolation:
        """The same for an error's list."""
        return FieldViolation(self.field, f"{self.description}: {self.remedy}")


def violations_of(request: Message) -> tuple[Violation, ...]:
    """What is wrong with `request`, in the order of its fields; at most 20 findings."""
    partial = _is_update(request.DESCRIPTOR)
    return tuple(islice(_walk(request, "", required=True, partial=partial), VIOLATION_LIMIT))


def _walk(message: Message, prefix: str, *, required: bool, partial: bool) -> Iterator[Violation]:
    """Findings of a message and of those in it.

    Args:
        message: What is looked at.
        prefix: Path of the message, with a dot at its end.
        required: True where required fields must be set.
        partial: True when the messages below need not be whole, being read through an update mask.
    """
    if isinstance(message, any_pb2.Any):
        return
    if required:
        for field in _required_fields(message.DESCRIPTOR):
            if _is_missing(message, field):
                yield Violation(f"{prefix}{field.name}", "is required", f"set {prefix}{field.name}{_form(field)}")
    for field, value in message.ListFields():
        path = f"{prefix}{field.name}"
        below = required and not partial
        for element_path, element in _elements(field, value, path):
            if isinstance(element, Message):
                yield from _walk(element, f"{element_path}.", required=below, partial=False)
            elif isinstance(element, str) and len(element) > STRING_LIMIT:
                yield Violation(
                    element_path,
                    f"has {len(element)} characters, more than {STRING_LIMIT}",
                    f"shorten {element_path}",
                )
        if field.name == PAGE_SIZE and value < 0:
            yield Violation(path, f"is {value}, less than 0", f"set {path} between 0 (the default) and 1000")


def _elements(field: FieldDescriptor, value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not field.is_repeated:
        yield path, value
    elif field.message_type is not None and field.message_type.GetOptions().map_entry:
        for key, element in value.items():
            yield f"{path} (a key)", key
            yield f'{path}["{str(key)[:63]}"]', element
    elif field.type in _WALKED:
        for index, element in enumerate(value):
            yield f"{path}[{index}]", element


def _is_missing(message: Message, field: FieldDescriptor) -> bool:
    if field.is_repeated:
        return not getattr(message, field.name)
    if field.has_presence:
        return not message.HasField(field.name)
    return bool(getattr(message, field.name) == field.default_value)


@cache
def _required_fields(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    return tuple(field for field in descriptor.fields if _is_required(field))


def _is_required(field: FieldDescriptor) -> bool:
    options: Any = field.GetOptions()
    return field_behavior_pb2.REQUIRED in options.Extensions[field_behavior_pb2.field_behavior]


@cache
def _is_update(descriptor: Descriptor) -> bool:
    return any(field.message_type is field_mask_pb2.FieldMask.DESCRIPTOR for field in descriptor.fields)


def _form(field: FieldDescriptor) -> str:
    if field.is_repeated:
        return " to at least one element"
    if field.enum_type is not None:
        return f" to one of {', '.join(value.name for value in field.enum_type.values if value.number)}"
    return "" if field.message_type is not None else f" to a {_TYPES.get(field.cpp_type, 'value')}"


_TYPES: Final = {
    FieldDescriptor.CPPTYPE_STRING: "value that is not empty",
    FieldDescriptor.CPPTYPE_INT32: "number other than 0",
    FieldDescriptor.CPPTYPE_INT64: "number other than 0",
}
