"""Enums: `DEVICE_CUDA` on the wire is `Device.CUDA` here."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from google.protobuf.descriptor import EnumDescriptor

from modelfoundry.errors import InvalidField

if TYPE_CHECKING:
    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper  # so called by the stubs alone

E = TypeVar("E", bound=StrEnum)
N = TypeVar("N", bound=int)


class Members(Generic[E, N]):
    """The members of an enum and their numbers.

    Args:
        members: The enum. It has all members of the contract, and no other but `unknown`.
        wire: The contract's enum.
        unknown: What a number reads as that only a newer service knows. None: there is no such member.
    """

    def __init__(self, members: type[E], wire: _EnumTypeWrapper[N], unknown: E | None = None) -> None:
        self.numbers = numbers_of(members, wire.DESCRIPTOR, unknown)
        self._members = {number: member for member, number in self.numbers.items()}
        self._what = wire.DESCRIPTOR.name
        self._unknown = unknown

    def to_proto(self, member: E | None) -> N:
        """Number of a member; 0, the unspecified one, for None."""
        return cast("N", 0 if member is None else self.numbers[member])

    def from_proto(self, number: int) -> E | None:
        """Member of a number that a service sent; one that this SDK does not know reads as unset."""
        return self._members.get(number, self._unknown)

    def from_request(self, number: int, *, field: str, default: E | None = None) -> E:
        """Member of a number that a client sent.

        Args:
            number: The number; 0 stands for `default`.
            field: Path of the field in the request.
            default: What nothing stands for. None: it has to be set.

        Raises:
            InvalidField: it is no member's.
        """
        if member := self._members.get(number) or (default if number == 0 else None):
            return member
        raise InvalidField(
            f"{field}: no {self._what} has number {number}",
            field=field,
            hint=f"this version knows {', '.join(self.numbers)}",
        )


def numbers_of(members: type[E], wire: EnumDescriptor, unknown: StrEnum | None = None) -> dict[E, int]:
    """Every member with its number on the wire.

    Raises:
        TypeError: a member stands on one side only.
    """
    numbers = names_of(wire)
    names = {member.name for member in members if member is not unknown} | (numbers.keys() & set(members.__members__))
    if names != numbers.keys():
        raise TypeError(f"{members.__name__} and {wire.full_name} differ in {sorted(names ^ numbers.keys())}")
    return {members[name]: number for name, number in numbers.items()}


def names_of(wire: EnumDescriptor) -> dict[str, int]:
    """Every member of a contract's enum but the unspecified one, without the prefix that all share, and its number."""
    prefix = wire.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {value.name.removeprefix(prefix): value.number for value in wire.values if value.number}
