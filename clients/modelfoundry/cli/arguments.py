"""Texts on the command line that stand for values: lists, extents, parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from modelfoundry.errors import InvalidField

if TYPE_CHECKING:
    from modelfoundry.client import InputSpec

WORDS_OF_TRUTH: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class NewLabelText:
    """One label of a new task as it was typed; what was left out is empty."""

    label: str
    sources: tuple[str, ...]
    source_label: str = ""
    dataset: str = ""


def new_label_text(text: str) -> NewLabelText:
    """A label of a new task from `LABEL=SOURCE[,SOURCE][:ITS-LABEL][@DATASET]`.

    Sources that are aliases need ITS-LABEL: `cat=cat@champion:cat`. An `@` behind it, or without it, begins DATASET.

    Raises:
        InvalidField: a label or source is missing.
    """
    label, _, rest = text.partition("=")
    sources, colon, rest = rest.partition(":")
    if colon:
        source_label, _, dataset = rest.partition("@")
    else:
        (sources, _, dataset), source_label = sources.partition("@"), ""
    if not label or not split_list([sources]):
        raise InvalidField(
            f"--label: {text!r} is not LABEL=SOURCE[,SOURCE][:ITS-LABEL][@DATASET]",
            field="--label",
            hint="pass for example cat=models/a,models/b, or seven=models/svhn:7@svhn",
        )
    return NewLabelText(label, split_list([sources]), source_label, dataset)


def split_list(texts: Sequence[str]) -> tuple[str, ...]:
    """Comma-separated items, given once or several times."""
    return tuple(item.strip() for text in texts for item in text.split(",") if item.strip())


def split_numbers(text: str, option: str) -> tuple[float, ...]:
    """Comma-separated numbers.

    Raises:
        InvalidField: an item is no number.
    """
    try:
        return tuple(float(item) for item in split_list([text]))
    except ValueError as error:
        raise InvalidField(f"{option}: {error}", field=option, hint="pass numbers like 0.485,0.456,0.406") from None


def split_counts(text: str, option: str) -> tuple[int, ...]:
    """Comma-separated whole numbers.

    Raises:
        InvalidField: an item is no whole number.
    """
    try:
        return tuple(int(item) for item in split_list([text]))
    except ValueError:
        raise InvalidField(f"{option}: {text!r} is no list of whole numbers", field=option, hint="pass 1,16") from None


def byte_size(text: str, option: str) -> int:
    """A number of bytes: `500000`, `64K` and `64KiB` (of 1024), `64kB` (of 1000), and so on with M and G.

    Raises:
        InvalidField: it is none, or less than one byte.
    """
    found = re.fullmatch(r"(\d{1,15}(?:\.\d+)?)\s*(?:([kmg])(i?b)?|b)?", text.strip().lower())
    number, prefix, unit = found.groups() if found else ("0", None, None)
    step = 1000 if unit == "b" else 1024
    size = round(float(number) * math.pow(step, 1 + "kmg".index(prefix) if prefix else 0))
    if size < 1:
        raise InvalidField(f"{option}: {text!r} is no size", field=option, hint="pass for example 500000, 64K or 1.5M")
    return size


def extents(text: str, number: int, option: str) -> tuple[int, ...]:
    """Whole numbers joined by `x`, for example `3x32x32`.

    Raises:
        InvalidField: it is not so many whole numbers.
    """
    parts = text.lower().split("x")
    if len(parts) != number or not all(part.isdecimal() for part in parts):
        example = "x".join(["3", "32", "32"][-number:])
        raise InvalidField(
            f"{option}: {text!r} is not like {example}", field=option, hint=f"pass for example {example}"
        )
    return tuple(int(part) for part in parts)


def input_spec(shape: tuple[int, ...], mean: str, std: str) -> InputSpec:
    """What an image looks like to a network, from its extents and comma-separated means and deviations."""
    from modelfoundry.client import InputSpec

    channels, height, width = shape
    return InputSpec(channels, height, width, split_numbers(mean, "--mean"), split_numbers(std, "--std"))


def builder_parameters(texts: Sequence[str]) -> dict[str, str | int | float | bool]:
    """Arguments of an architecture's builder from `KEY=VALUE`: numbers and `true` or `false` are taken as such.

    Raises:
        InvalidField: a text has no `=`.
    """
    parameters: dict[str, str | int | float | bool] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise InvalidField(f"--parameter: {text!r} is not KEY=VALUE", field="--parameter", hint="pass width=2")
        if key in parameters:
            raise _twice("--parameter", key)
        parameters[key] = _scalar(value)
    return parameters


def tag_map(texts: Sequence[str]) -> dict[str, str]:
    """Free keys from `KEY=VALUE`.

    Raises:
        InvalidField: a text has no `=`.
    """
    pairs = [text.partition("=") for text in texts]
    for place, (key, separator, _) in enumerate(pairs):
        if not separator or not key:
            raise InvalidField(f"--tag: {key!r} is not KEY=VALUE", field="--tag", hint="pass team=vision")
        if key in {other for other, _, _ in pairs[:place]}:
            raise _twice("--tag", key)
    return {key: value for key, _, value in pairs}


def _twice(option: str, key: str) -> InvalidField:
    return InvalidField(f"{option}: {key!r} is given twice", field=option, hint="give it once")


def _scalar(text: str) -> str | int | float | bool:
    if text in WORDS_OF_TRUTH:
        return WORDS_OF_TRUTH[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
