"""Every value and its message: the fields of one are those of the other, and nothing is lost on the way."""

from __future__ import annotations

import importlib
import string
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_values import over_the_wire

from modelfoundry import api, values, wire
from modelfoundry.errors import ModelFoundryError
from modelfoundry.values.cards import LimitKind
from modelfoundry.wire.conversions import Conversion
from modelfoundry.wire.pairs import Pair


def rooms(package: Any) -> Iterator[ModuleType]:
    for folder in map(Path, package.__path__):
        for file in folder.rglob("*.py"):
            if not file.stem.endswith("_grpc") and file.stem != "__init__":
                inside = file.relative_to(folder).with_suffix("").parts
                yield importlib.import_module(".".join((package.__name__, *inside)))


def with_parts(conversion: Any) -> Iterator[Conversion[Any, Any]]:
    if not isinstance(conversion, Conversion):
        return
    yield conversion
    parts = [*getattr(conversion, "_parts", ()), *getattr(conversion, "_kinds", {}).values()]
    for part in parts:
        yield from with_parts(part)


CONVERSIONS = {
    id(part): part for room in rooms(wire) for each in vars(room).values() for part in with_parts(each)
}.values()
PAIRS = [pair for pair in CONVERSIONS if isinstance(pair, Pair)]

# Values that are converted by code of their own, and why.
WITHOUT_PAIR = {
    "Prediction": "its message says of what it is, once for all images",
    "Statement": "its envelope is text",
    "NewLabel": "its sources may be resources, of which the message has the names",
}

words = st.text(string.ascii_letters, min_size=1, max_size=8)
whole = st.integers(1, 2**31 - 1)
real = st.floats(0.001, 1e9)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
times = st.timedeltas(timedelta(0), timedelta(days=1000))
SCALARS = {str: words, int: whole, float: real, bool: st.booleans(), datetime: moments, timedelta: times}
content = st.one_of(words, whole, st.booleans(), st.floats(0.1, 0.9))


def drawn(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type without empty strings, zeros and empty mappings, which some fields read as unset."""
    inside = get_args(hint)
    match get_origin(hint) or hint:
        case scalar if scalar in SCALARS:
            return SCALARS[scalar]
        case union if union in {UnionType, Union}:
            return st.one_of(st.none() if member is NoneType else drawn(member) for member in inside)
        case collection if collection is tuple:
            return st.lists(drawn(inside[0]), max_size=2).map(tuple)
        case collection if collection is Mapping:
            return st.dictionaries(words, SCALARS.get(inside[1], content), min_size=1, max_size=2)
        case members if issubclass(members, StrEnum):
            return st.sampled_from([member for member in members if member is not LimitKind.OTHER])
        case error if issubclass(error, ModelFoundryError):
            return st.none()
        case dataclass:
            return st.builds(dataclass, **{name: drawn(field) for name, field in get_type_hints(dataclass).items()})


@pytest.mark.parametrize("conversion", CONVERSIONS, ids=lambda each: each.message.DESCRIPTOR.name)
def test_a_value_and_its_message_have_the_same_fields(conversion: Conversion[Any, Any]) -> None:
    for request in (True, False):
        conversion.reader(request=request)
        conversion.writer(request=request)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.value.__name__)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_nothing_is_lost_on_the_way(pair: Pair[Any, Any], data: st.DataObject) -> None:
    value = data.draw(drawn(pair.value))
    elsewhere = {name: getattr(value, name) for name in pair._elsewhere}
    assert pair.from_proto(over_the_wire(pair.to_proto(value)), **elsewhere) == value
    if not elsewhere:
        request = over_the_wire(pair.to_request(value))
        assert over_the_wire(pair.to_request(pair.from_request(request, field="it"))) == request


def test_every_value_that_has_a_message_of_its_name_is_converted_by_a_pair_or_says_why_not() -> None:
    messages = {name for room in rooms(api) for name, each in vars(room).items() if hasattr(each, "DESCRIPTOR")}
    converted = {cls for conversion in CONVERSIONS for cls in conversion.classes}
    missing = {
        name
        for room in rooms(values)
        for name, each in vars(room).items()
        if is_dataclass(each) and name in messages and each not in converted
    }
    assert missing == WITHOUT_PAIR.keys()
