"""What the README of a folder says of what is computed, step by step, from the description of an export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def shown_computation(description: Mapping[str, Any]) -> str:
    """A section of Markdown; empty for descriptions of former versions, which do not say it.

    Args:
        description: What stands in `module.json`.
    """
    computation = description.get("computation")
    if not computation:
        return ""
    before, labels = computation["preprocessing"], description["output"]["labels"]
    size = before["resize"]
    lines = [
        f"the picture, {before['orientation']}; {before['colours']}",
        f"resized to {size['height']} x {size['width']} (height x width; {size['filter']}, antialiased, the aspect "
        f"ratio is not kept), {before['scale']}, as {before['layout']}",
        *_steps(computation["steps"]),
        f"the answer is {computation['answer']}",
    ]
    listed = "\n".join(f"{place}. {line}" for place, line in enumerate(lines, start=1))
    where = (
        " Every operation of the network, with its arguments, stands in `config.json` (`computation.program`)."
        if "lines" in computation.get("program", {})
        else ""
    )
    return (
        f"## What it computes\n\n{listed}\n\nOutputs, in order: {_outputs(labels)}. ONNX files do the steps from the "
        f"normalisation to the logits themselves.{where}\n\n"
    )


def _outputs(labels: Sequence[str]) -> str:
    shown = ", ".join(f"`{label}`" for label in labels[:20])
    return f"{shown} and {len(labels) - 20} more (`output.labels`)" if len(labels) > 20 else shown


def _steps(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for step in steps:
        match step:
            case {"step": "normalise", "mean": mean, "std": std}:
                yield f"(pixels - mean) / std, channel by channel, with mean {mean} and std {std}"
            case {"step": "network", "builder": builder, "tensors": tensors, "gives": gives}:
                yield f"the network `{builder}` with the tensors `{tensors}*` of `model.safetensors` gives {gives}"
            case {"step": "head", "operations": [*operations]}:
                yield f"the head: {', then '.join(map(_operation, operations))}"
            case {"step": "sources", "sources": [*sources]}:
                for place, source in enumerate(sources):
                    yield f"source {place}, on the same pixels: {'; '.join(_steps(source['steps']))}"
            case {"step": "members", "formula": formula, "members": [*members]}:
                read = (
                    f"`{each['label']}` from output {each['output']} of source {each['source']}" for each in members
                )
                yield f"log-odds of every label, {formula}: {', '.join(read)}"
            case {"step": "softmax"}:
                yield "softmax of these logits gives the probabilities"


def _operation(operation: Mapping[str, Any]) -> str:
    match operation:
        case {"operation": "linear", "weight": weight, "bias": bias}:
            return f"Linear (`{weight}`, `{bias}`)"
        case {"operation": "relu"}:
            return "ReLU"
        case {"operation": "log_odds", "formula": formula, "columns": columns, "scale": scale, "bias": bias}:
            return f"log-odds, {formula}, of the columns {columns} with `{scale}` and `{bias}`"
        case {"operation": "append", "value": value}:
            return f"one more output of {value:g} for the rest"
    return str(operation["operation"])
