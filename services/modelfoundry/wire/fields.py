"""How one field of a message becomes one field of a value, and back: derived from the type on either side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from modelfoundry.wire.conversions import Conversion, Convert, Custom, Unreadable
from modelfoundry.wire.enums import numbers_of
from modelfoundry.wire.well_known import WELL_KNOWN

_SCALARS: Final[Mapping[int, set[type]]] = {
    FieldDescriptor.CPPTYPE_STRING: {str, bytes},
    FieldDescriptor.CPPTYPE_BOOL: {bool},
    FieldDescriptor.CPPTYPE_DOUBLE: {float},
    FieldDescriptor.CPPTYPE_INT32: {int},
    FieldDescriptor.CPPTYPE_INT64: {int},
    FieldDescriptor.CPPTYPE_UINT64: {int},
}


@dataclass(frozen=True, slots=True)
class FieldPair:
    """A field of a value and that of its message.

    Args:
        name: What the value calls it.
        hint: Its type there.
        wire: The message's.
        parts: What converts dataclasses.
        spare: A member of an enum that the contract lacks: what an unknown one reads as.
    """

    name: str
    hint: Any
    wire: FieldDescriptor
    parts: Sequence[Conversion[Any, Any]] = ()
    spare: Any = None

    @property
    def optional(self) -> bool:
        """Whether the value may be None."""
        return NoneType in get_args(self.hint)

    def reader(self, *, request: bool) -> Convert | None:
        """What turns the content of the message's field into that of the value's; None: it stays as it is.

        Raises:
            TypeError: nothing says how to convert the one into the other.
        """
        if _is_map(self.wire):
            return dict
        read = self._item_reader(request=request)
        if not self.wire.is_repeated:
            return read
        if read is None:
            return tuple
        return _all_of(read) if request else _known_of(read)

    def writer(self, *, request: bool) -> Convert | None:
        """What turns the content of the value's field, unless it is None, into that of the message's; None: nothing.

        Raises:
            TypeError: nothing says how to convert the one into the other.
        """
        if _is_map(self.wire):
            return dict
        write = self._item_writer(request=request)
        if write is None or not self.wire.is_repeated:
            return write
        return lambda values: [write(value) for value in values]

    def _item_reader(self, *, request: bool) -> Convert | None:
        if self.wire.message_type is not None:
            return self._part(self.wire.message_type).reader(request=request)
        if self.wire.enum_type is not None:
            return _member_reader(self._numbers(self.wire.enum_type), self.wire.enum_type.name, optional=self.optional)
        self._check(self._item_classes <= _SCALARS[self.wire.cpp_type])
        return None

    def _item_writer(self, *, request: bool) -> Convert | None:
        if self.wire.message_type is not None:
            return self._part(self.wire.message_type).writer(request=request)
        if self.wire.enum_type is not None:
            return self._numbers(self.wire.enum_type).__getitem__
        self._check(self._item_classes <= _SCALARS[self.wire.cpp_type])
        return None

    @property
    def _item_classes(self) -> frozenset[type]:
        """Classes of what the field holds, or of the items in it."""
        if not self.wire.is_repeated:
            return _classes(self.hint)
        self._check(_classes(self.hint) <= {tuple, Sequence})
        return _classes(get_args(self.hint)[0])

    def _numbers(self, wire: EnumDescriptor) -> dict[Any, int]:
        (members,) = self._item_classes
        self._check(issubclass(members, StrEnum))
        return numbers_of(members, wire, self.spare)

    def _part(self, message: Descriptor) -> Conversion[Any, Any]:
        classes = self._item_classes
        if classes == {tuple} and [field.is_repeated for field in message.fields] == [True]:
            return _row(message)
        parts: tuple[Conversion[Any, Any], ...] = (*self.parts, *WELL_KNOWN)
        for part in parts:
            if part.classes == classes and part.message.DESCRIPTOR is message:
                return part
        raise TypeError(f"{self.wire.full_name}: no part converts {self.hint} and {message.full_name}")

    def _check(self, agrees: bool) -> None:
        if not agrees:
            raise TypeError(f"{self.wire.full_name} is no {self.hint}")


def _member_reader(numbers: Mapping[StrEnum, int], what: str, *, optional: bool) -> Convert:
    members: dict[int, StrEnum | None] = {number: member for member, number in numbers.items()}
    if optional:
        members[0] = None

    def read(number: int) -> StrEnum | None:
        try:
            return members[number]
        except KeyError:
            hint = f"this version knows {', '.join(numbers)}"
            raise Unreadable(f"no {what} has number {number}" if number else "it is not set", hint) from None

    return read


def _all_of(read: Convert) -> Convert:
    """Reads every item of a list; what cannot be read is refused with its place."""

    def read_all(items: Sequence[Any]) -> tuple[Any, ...]:
        values: list[Any] = []
        try:
            values.extend(map(read, items))
        except Unreadable as unreadable:
            raise unreadable.below(f"[{len(values)}]") from None
        return tuple(values)

    return read_all


def _known_of(read: Convert) -> Convert:
    """Reads the items of a list that can be read."""

    def read_known(items: Sequence[Any]) -> tuple[Any, ...]:
        try:
            return tuple(map(read, items))  # nearly always: much faster than one by one
        except Unreadable:
            return tuple(value for item in items for value in known(item))

    def known(item: Any) -> tuple[Any, ...]:
        try:
            return (read(item),)
        except Unreadable:
            return ()

    return read_known


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _classes(hint: Any) -> frozenset[type]:
    """The classes in a type, without None and without what they hold: `tuple[int, ...] | None` gives tuple."""
    members = get_args(hint) if get_origin(hint) in {UnionType, Union} else (hint,)
    return frozenset(get_origin(member) or member for member in members if member is not NoneType)


def _row(message: Descriptor) -> Custom[tuple[Any, ...], Any]:
    """Tuples as messages with one repeated field, for lists of lists, which protobuf lacks."""
    (field,) = message.fields
    make = GetMessageClass(message)
    return Custom(tuple, make, lambda row: make(**{field.name: row}), lambda row: tuple(getattr(row, field.name)))
