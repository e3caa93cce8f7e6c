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
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, Field, fields
from operator import attrgetter
from typing import Any, Final, get_type_hints

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from modelfoundry.wire.conversions import Conversion, Convert, M, Unreadable, V
from modelfoundry.wire.fields import FieldPair

_SERVERS_OWN: Final = {field_behavior_pb2.OUTPUT_ONLY, field_behavior_pb2.IDENTIFIER}


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
        *parts: Conversion[Any, Any],
        names: Mapping[str, str] | None = None,
        otherwise: Mapping[str, Any] | None = None,
        defaults: Collection[str] = (),
        elsewhere: Collection[str] = (),
        unread: Collection[str] = (),
    ) -> None:
        super().__init__(frozenset({value}), message)
        self.value: Any = value
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
            raise TypeError(
                f"{self.value.__name__} and {self.message.DESCRIPTOR.full_name} differ in {sorted(different)}"
            )
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

    def __init__(self, message: type[M], hint: str = "", **kinds: Conversion[Any, Any]) -> None:
        super().__init__(frozenset().union(*(kind.classes for kind in kinds.values())), message)
        self._hint = hint
        self._kinds = kinds

    def _derive_reader(self, *, request: bool) -> Convert:
        (oneof,) = self.message.DESCRIPTOR.oneofs
        if different := {field.name for field in self.message.DESCRIPTOR.fields} ^ self._kinds.keys():
            raise TypeError(f"the kinds of {self.message.DESCRIPTOR.full_name} differ in {sorted(different)}")
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
