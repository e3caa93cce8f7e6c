"""Messages from protobuf's JSON as the database keeps it: what lists spend their time on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from modelfoundry.api.registry.v1 import module_pb2
from modelfoundry.api.types.v1 import metrics_pb2

M = TypeVar("M", bound=Message)
# Protobuf's JSON writes 64-bit numbers as strings: JSON's own are doubles, which lose digits above 2^53.
_LONG: Final = {
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT64,
}


def stored_message(message: type[M], content: Mapping[str, Any]) -> M:
    """A message from its JSON with the field names of the contract; fields that are not known are passed over.

    Gives what `ParseDict` gives, several times as quickly: it is meant for JSON that `MessageToDict` made.
    """
    descriptor: Any = message.DESCRIPTOR  # typed differently for each implementation of protobuf
    return message(**_arguments(descriptor, content))


def packed_module(record: Mapping[str, Any], retention: Mapping[str, Any] | None) -> bytes:
    """What never changes of a module, as a Module message that has nothing else: the quickest form to read."""
    message = module_pb2.Module(record=stored_message(module_pb2.DecompositionRecord, record))
    if retention is not None:
        message.retention.CopyFrom(stored_message(metrics_pb2.RetentionMetrics, retention))
    return message.SerializeToString()


def _arguments(descriptor: Any, content: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a message's constructor."""
    converters = _converters(descriptor)
    return {name: converters[name](value) for name, value in content.items() if name in converters}


@cache
def _converters(descriptor: Any) -> Mapping[str, Callable[[Any], Any]]:
    return {field.name: _converter(field) for field in descriptor.fields}


def _converter(field: FieldDescriptor) -> Callable[[Any], Any]:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        of_values = _of_one(kind.fields_by_name["value"])
        return lambda values: {key: of_values(value) for key, value in values.items()}
    one = _of_one(field)
    return (lambda values: [one(value) for value in values]) if field.is_repeated else one


def _of_one(field: FieldDescriptor) -> Callable[[Any], Any]:
    kind = field.message_type
    if kind is None:
        convert: Callable[[Any], Any] = int if field.cpp_type in _LONG else float if _is_real(field) else _same
        return convert
    if kind.file.package.startswith("google."):
        return _well_known(kind)
    return lambda value: _arguments(kind, value)


def _well_known(kind: Descriptor) -> Callable[[Any], Any]:
    """Google's own messages have JSON of their own."""
    return lambda value: ParseDict(value, GetMessageClass(kind)())


def _is_real(field: FieldDescriptor) -> bool:
    return field.cpp_type in {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}


def _same(value: Any) -> Any:
    return value
