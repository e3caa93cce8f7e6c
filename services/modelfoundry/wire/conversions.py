"""A value and its message, converted both ways: what `pairs` derives, and what is written by hand.

A request has none of the fields that the contract marks as the server's own (IDENTIFIER, OUTPUT_ONLY); a service reads
it strictly: a member of an enum or a kind of a oneof that it does not know is refused with its path (`InvalidField`). A
client reads leniently what a newer service sends: what it does not know is None, or the `otherwise` of its field, an
item that cannot be read is left out of its list, and only a whole that cannot be read is an error (`Internal`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from modelfoundry.errors import Internal, InvalidField

Convert = Callable[[Any], Any]
V = TypeVar("V")
M = TypeVar("M", bound=Message)


class Unreadable(Exception):
    """Something in a message that no value stands for; `path` leads there from what was being read."""

    def __init__(self, what: str, hint: str = "", path: str = "") -> None:
        super().__init__(what)
        self.what, self.hint, self.path = what, hint, path

    def below(self, step: str) -> Unreadable:
        """The same, seen from the message that has it in a field or list."""
        rest = self.path if not self.path or self.path.startswith("[") else f".{self.path}"
        return Unreadable(self.what, self.hint, f"{step}{rest}")


class Conversion(ABC, Generic[V, M]):
    """Values of some classes and one message.

    Args:
        classes: Of the values.
        message: The message.
    """

    def __init__(self, classes: frozenset[type], message: type[M]) -> None:
        self.classes = classes
        self.message = message
        self._readers: dict[bool, Convert] = {}
        self._writers: dict[bool, Convert] = {}

    def to_proto(self, value: V) -> M:
        """The message of a value, all of it."""
        message: M = self.writer(request=False)(value)
        return message

    def to_request(self, value: V) -> M:
        """The message of a value without what only the server says."""
        message: M = self.writer(request=True)(value)
        return message

    def from_proto(self, message: M, **elsewhere: Any) -> V:
        """The value of a message that a service sent.

        Args:
            message: The message.
            elsewhere: Fields of the value that the message has no room for.

        Raises:
            Internal: it is of a kind that only a newer service knows.
        """
        try:
            value: V = self.reader(request=False)(message, **elsewhere)
        except Unreadable as unreadable:
            raise Internal(
                f"{getattr(message, 'name', '') or self.message.DESCRIPTOR.name}: {unreadable.path} is of an unknown "
                f"kind ({unreadable.what})",
                field=unreadable.path,
                hint="the service is newer than this client: `pip install --upgrade modelfoundry`",
            ) from None
        return value

    def known_from_proto(self, message: M) -> V | None:
        """The value of a message that a service sent; None when it is of a kind that only a newer service knows."""
        try:
            value: V = self.reader(request=False)(message)
        except Unreadable:
            return None
        return value

    def from_request(self, message: M, *, field: str) -> V:
        """The value of a message that a client sent.

        Args:
            message: The message; fields that are the server's own take their defaults.
            field: Its path in the request.

        Raises:
            InvalidField: a member of an enum, or a kind, is unknown or missing; the path leads there.
        """
        try:
            value: V = self.reader(request=True)(message)
        except Unreadable as unreadable:
            path = unreadable.below(field).path
            raise InvalidField(f"{path}: {unreadable.what}", field=path, hint=unreadable.hint) from None
        return value

    def reader(self, *, request: bool) -> Convert:
        """Message to value, derived once; raises Unreadable."""
        if request not in self._readers:
            self._readers[request] = self._derive_reader(request=request)
        return self._readers[request]

    def writer(self, *, request: bool) -> Convert:
        """Value to message, derived once."""
        if request not in self._writers:
            self._writers[request] = self._derive_writer(request=request)
        return self._writers[request]

    @abstractmethod
    def _derive_reader(self, *, request: bool) -> Convert: ...

    @abstractmethod
    def _derive_writer(self, *, request: bool) -> Convert: ...


class Custom(Conversion[V, M]):
    """Values of a class and their message, converted by code of their own."""

    def __init__(
        self, value: type[V], message: type[M], to_proto: Callable[[V], M | None], from_proto: Callable[[M], V]
    ) -> None:
        super().__init__(frozenset({value}), message)
        self._to, self._from = to_proto, from_proto

    def _derive_reader(self, *, request: bool) -> Convert:
        del request
        return self._from

    def _derive_writer(self, *, request: bool) -> Convert:
        del request
        return self._to
