"""States of long work in one safetensors file each, from which the work goes on bit by bit as if never stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from modelfoundry.errors import MalformedFile

_FORMAT: Final = "modelfoundry.checkpoint"
_HINT: Final = "start the work from the beginning"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint file holds."""

    work: str
    """Fingerprint of what is being done, from `fingerprint`."""
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]
    """Everything else, as JSON."""


def fingerprint(**facts: object) -> str:
    """A digest of everything that decides how work goes, so that no other work is taken up by mistake."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str, allow_nan=False).encode()).hexdigest()


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint into a new file."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in checkpoint.tensors.items()}
    metadata = {"format": _FORMAT, "work": checkpoint.work, "facts": json.dumps(checkpoint.facts, allow_nan=False)}
    safetensors.torch.save_file(tensors, path, metadata=metadata)


def read_checkpoint(path: Path, work: str) -> Checkpoint:
    """Reads a checkpoint.

    Raises:
        MalformedFile: it is damaged, or of other work than `work`.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
    except (safetensors.SafetensorError, OSError) as error:
        raise MalformedFile(f"checkpoint: cannot be read: {error}", hint=_HINT) from error
    if metadata.get("format") != _FORMAT or metadata.get("work") != work:
        raise MalformedFile("checkpoint: it is of other work, data or settings", hint=_HINT)
    return Checkpoint(work, tensors, json.loads(metadata["facts"]))


def optimiser_tensors(optimiser: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """All state tensors of an optimiser, named `prefix.place.key`; learning rates are not among them."""
    return {
        f"{prefix}.{place}.{key}": value
        for place, parameter in enumerate(_parameters(optimiser))
        for key, value in optimiser.state[parameter].items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, prefix: str, tensors: Mapping[str, Tensor]) -> None:
    """Puts back what `optimiser_tensors` took, into an optimiser over equal parameters."""
    parameters = _parameters(optimiser)
    for name, value in tensors.items():
        if name.startswith(f"{prefix}."):
            place, key = name.removeprefix(f"{prefix}.").split(".")
            parameter = parameters[int(place)]
            # Fused optimisers walk raw memory: the state must lie in memory exactly as its parameter does.
            like = parameter.detach() if value.shape == parameter.shape else value.to(parameter.device)
            optimiser.state[parameter][key] = torch.empty_like(like).copy_(value)


def _parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]
