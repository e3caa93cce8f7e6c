"""Values and their messages, converted by the names of their fields: what both call alike needs no code of its own.

    BLOB_REF = Pair(BlobRef, blob_pb2.BlobRef)
    SPLIT = Pair(DatasetSplit, dataset_pb2.DatasetSplit, BLOB_REF)
    EVENT = Pair(RegistryEvent, event_service_pb2.RegistryEvent, names={"time": "event_time"})

    client:  SPLIT.to_request(split)                      service: SPLIT.from_request(request.split, field="split")
    service: SPLIT.to_proto(split)                        client:  SPLIT.from_proto(response.split)

Scalars stand for themselves, tuples for repeated fields, mappings for maps and Structs, enums for enums (`enums`),
dataclasses for the messages of those pairs that are named as parts, `datetime` and `timedelta` for Timestamp and
Duration. None is an unset field. A field that stands on one side only is a TypeError when a pair is first used, and in
a test over all pairs. What is derived is derived once.

A request has none of the fields that the contract marks as the server's own (IDENTIFIER, OUTPUT_ONLY); a service reads
it strictly: a member of an enum or a kind of a oneof that it does not know is refused with its path (`InvalidField`). A
client reads leniently what a newer service sends: what it does not know is None, or the `otherwise` of its field, an
item that cannot be read is left out of its list, and only a whole that cannot be read is an error (`Internal`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, Field, fields
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar, get_type_hints

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from modelfoundry.errors import Internal, InvalidField
from modelfoundry.wire.fields import Convert, FieldPair, Part, Unreadable

V = TypeVar("V")
M = TypeVar("M", bound=Message)
_SERVERS_OWN: Final = {field_behavior_pb2.OUTPUT_ONLY, field_behavior_pb2.IDENTIFIER}


class Conversion(ABC, Generic[V, M]):
    """A value and its message, both ways."""

    classes: frozenset[type]

    def __init__(self, message: type[M]) -> None:
        self.message = message
        self._readers: dict[bool, Convert] = {}
        self._writers: dict[bool, Convert] = {}

    @property
    def message_name(self) -> str:
        """Full name of the message."""
        return self.message.DESCRIPTOR.full_name

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

    @abstractmethod
    def _derive_reader(self, *, request: bool) -> Convert: ...

    @abstractmethod
    def _derive_writer(self, *, request: bool) -> Convert: ...


class Pair(Conversion[V, M]):
    """A frozen dataclass and its message.

    Args:
        value: The dataclass.
        message: The message.
        parts: What converts the dataclasses in its fields.
        names: Fields of the value that the message calls otherwise.
        otherwise: What fields of the value read as in a client when what the message says is unset or unknown.
        defaults: Fields that, when they are empty on the wire, take the dataclass's default.
        elsewhere: Fields of the value that the message has no room for: given beside it, or defaults.
        unread: Fields of the message that the value has no room for.
    """

    def __init__(
        self,
        value: type[V],
        message: type[M],
        *parts: Part,
        names: Mapping[str, str] | None = None,
        otherwise: Mapping[str, Any] | None = None,
        defaults: Collection[str] = (),
        elsewhere: Collection[str] = (),
        unread: Collection[str] = (),
    ) -> None:
        super().__init__(message)
        self.value: Any = value
        self.classes = frozenset({value})
        self._parts = parts
        self._names = names or {}
        self._otherwise = otherwise or {}
        self._defaults = frozenset(defaults)
        self._elsewhere = frozenset(elsewhere)
        self._unread = frozenset(unread)

    def _fields(self, *, request: bool) -> list[FieldPair]:
        """Every field that both have.

        Raises:
            TypeError: one stands on one side only.
        """
        hints = get_type_hints(self.value)
        own = {self._names.get(field.name, field.name): field.name for field in fields(self.value)}
        described: list[FieldDescriptor] = list(self.message.DESCRIPTOR.fields)  # type: ignore[arg-type]
        if different := own.keys() - self._elsewhere ^ {field.name for field in described} - self._unread:
            raise TypeError(f"{self.value.__name__} and {self.message_name} differ in {sorted(different)}")
        dispensable = {field.name for field in fields(self.value) if not _is_required(field)} if request else set()
        pairs = {
            name: FieldPair(name, hints[name], field, self._parts, self._otherwise.get(name))
            for field in described
            if (name := own.get(field.name)) and not (name in dispensable and _is_servers(field))
        }
        return [pairs[name] for name in own.values() if name in pairs]

    def _derive_reader(self, *, request: bool) -> Convert:
        pairs = self._fields(request=request)
        names, get, make = [pair.name for pair in pairs], _getter(pair.wire.name for pair in pairs), self.value
        converts = [self._content_reader(pair, request=request) for pair in pairs]
        steps = [
            (place, pair.wire.name, pair.optional and pair.wire.has_presence, convert)
            for place, (pair, convert) in enumerate(zip(pairs, converts, strict=True))
            if convert is not None
        ]
        otherwise = {} if request else {pair.name: None for pair in pairs if pair.optional} | dict(self._otherwise)

        def read(message: Message, **elsewhere: Any) -> Any:
            values = list(get(message))
            for place, step, may_lack, convert in steps:
                if may_lack and not message.HasField(step):
                    values[place] = None
                    continue
                try:
                    values[place] = convert(values[place])
                except Unreadable as unreadable:
                    if names[place] not in otherwise:
                        raise unreadable.below(step) from None
                    values[place] = otherwise[names[place]]
            return make(**dict(zip(names, values, strict=True)), **elsewhere)

        if steps or any(field.kw_only for field in fields(self.value)) or len(names) < len(fields(self.value)):
            return read
        return lambda message: make(*get(message))

    def _content_reader(self, pair: FieldPair, *, request: bool) -> Convert | None:
        convert = pair.reader(request=request)
        if pair.name in self._defaults:
            default = getattr(self.value(), pair.name)
            return lambda content: content or default
        if convert is None and pair.optional:
            return (lambda content: content) if pair.wire.has_presence else (lambda content: content or None)
        return convert

    def _derive_writer(self, *, request: bool) -> Convert:
        pairs = self._fields(request=request)
        names, get, make = [pair.wire.name for pair in pairs], _getter(pair.name for pair in pairs), self.message
        converts = [pair.writer(request=request) for pair in pairs]
        steps = [(place, convert) for place, convert in enumerate(converts) if convert is not None]

        def write(value: Any) -> Message:
            contents = list(get(value))
            for place, convert in steps:
                if (content := contents[place]) is not None:
                    contents[place] = convert(content)
            return make(**dict(zip(names, contents, strict=True)))

        return write if steps else lambda value: make(**dict(zip(names, get(value), strict=True)))


class OneOf(Conversion[V, M]):
    """Several dataclasses, each in a field of a message's oneof.

    Args:
        message: The message; it has the oneof and no more.
        hint: What to do where none is set.
        kinds: What converts the message in each field of the oneof.
    """

    def __init__(self, message: type[M], hint: str = "", **kinds: Part) -> None:
        super().__init__(message)
        self.classes = frozenset().union(*(kind.classes for kind in kinds.values()))
        self._hint = hint
        self._kinds = kinds

    def _derive_reader(self, *, request: bool) -> Convert:
        (oneof,) = self.message.DESCRIPTOR.oneofs
        if different := {field.name for field in self.message.DESCRIPTOR.fields} ^ self._kinds.keys():
            raise TypeError(f"the kinds of {self.message_name} differ in {sorted(different)}")
        readers = {kind: part.reader(request=request) for kind, part in self._kinds.items()}

        def read(message: Message) -> Any:
            kind = message.WhichOneof(oneof.name)
            if kind is None:
                raise Unreadable("none is set", self._hint)
            try:
                return readers[kind](getattr(message, kind))
            except Unreadable as unreadable:
                raise unreadable.below(kind) from None

        return read

    def _derive_writer(self, *, request: bool) -> Convert:
        make = self.message
        writers = {
            cls: (kind, part.writer(request=request)) for kind, part in self._kinds.items() for cls in part.classes
        }

        def write(value: Any) -> Message:
            kind, convert = writers[type(value)]
            return make(**{kind: convert(value)})

        return write


class Custom(Conversion[V, M]):
    """A value and its message that are converted by code of their own."""

    def __init__(
        self, value: type[V], message: type[M], to_proto: Callable[[V], M], from_proto: Callable[[M], V]
    ) -> None:
        super().__init__(message)
        self.classes = frozenset({value})
        self._to, self._from = to_proto, from_proto

    def _derive_reader(self, *, request: bool) -> Convert:
        del request
        return self._from

    def _derive_writer(self, *, request: bool) -> Convert:
        del request
        return self._to


def _getter(names: Iterable[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Reads several attributes at once."""
    match tuple(names):
        case ():
            return lambda _: ()
        case (name,):
            return lambda owner: (getattr(owner, name),)
        case several:
            return attrgetter(*several)


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _is_servers(field: FieldDescriptor) -> bool:
    """Whether only the server says it: an etag too, which a request to change something has beside the value."""
    options: Any = field.GetOptions()
    return field.name == "etag" or not _SERVERS_OWN.isdisjoint(options.Extensions[field_behavior_pb2.field_behavior])
