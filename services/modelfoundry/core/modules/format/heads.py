"""Heads in the file: their numbers as tensors; from version 3 on the metadata says which kind it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from torch import Tensor

from modelfoundry.core.heads import Head, HeadLayer, LinearHead, LogOddsHead
from modelfoundry.core.modules.format.refusals import malformed, text_of

MOST_LAYERS: Final = 64


def head_tensors(head: Head) -> dict[str, Tensor]:
    """Its numbers under the names that they have in the file."""
    if isinstance(head, LinearHead) and len(head.layers) == 1:
        return {"head.weight": head.layers[0].weight, "head.bias": head.layers[0].bias}
    return {f"head.{name}": value for name, value in head.tensors.items()}


def head_text(head: Head) -> str:
    """What the metadata says of it."""
    if isinstance(head, LinearHead):
        return text_of({"linear": {"layers": len(head.layers)}})
    return text_of({"log_odds": {"labels": head.labels, "columns": list(head.columns), "rest": head.rest}})


def linear_names(depth: int) -> set[str]:
    """Names of the tensors of a head of so many linear layers."""
    if depth == 1:
        return {"head.weight", "head.bias"}
    return {f"head.{place}.{part}" for place in range(depth) for part in ("weight", "bias")}


def names_of(text: str) -> set[str]:
    """Names of the tensors of the head that the metadata describes.

    Raises:
        MalformedFile: it describes none.
        ValueError, RecursionError: it is no JSON.
    """
    match json.loads(text):
        case {"linear": {"layers": int(depth)}} if 1 <= depth <= MOST_LAYERS:
            return linear_names(depth)
        case {"log_odds": {}}:
            return {"head.scale", "head.bias"}
        case _:
            raise malformed("its head is neither linear nor log-odds")


def linear_from_file(tensors: Mapping[str, Tensor]) -> LinearHead:
    """A head of linear layers.

    Raises:
        ValueError: they do not belong together.
    """
    if "head.weight" in tensors:
        return LinearHead.of(tensors["head.weight"], tensors["head.bias"])
    depth = sum(name.startswith("head.") for name in tensors) // 2
    return LinearHead(
        tuple(HeadLayer(tensors[f"head.{place}.weight"], tensors[f"head.{place}.bias"]) for place in range(depth))
    )


def head_from_file(tensors: Mapping[str, Tensor], text: str) -> Head:
    """The head that the metadata describes, which has the tensors of `names_of`.

    Raises:
        MalformedFile: it describes none, or in another way than `head_text` does.
        ValueError: the tensors are none of such a head.
    """
    match json.loads(text):
        case {"linear": {}}:
            head: Head = linear_from_file(tensors)
        case {"log_odds": {"labels": int(labels), "columns": [*columns], "rest": bool(rest)}} if all(
            type(column) is int for column in columns
        ):
            head = LogOddsHead(labels, tuple(columns), rest, tensors["head.scale"], tensors["head.bias"])
        case _:
            raise malformed("its head lacks labels, columns or rest")
    if head_text(head) != text:
        raise malformed("its head is not described in the canonical form")
    return head
