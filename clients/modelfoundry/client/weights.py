"""Weights on this machine: reading a safetensors header, and converting a PyTorch file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open

from modelfoundry.errors import FieldViolation, InvalidField, MalformedFile
from modelfoundry.values.architectures import TensorSpec

SAFETENSORS_MEDIA_TYPE: Final = "application/vnd.safetensors"
PYTORCH_SUFFIXES: Final = (".th", ".pth", ".pt")
WRAPPER_PREFIX: Final = "module."
_PICKLE_BEGINNINGS: Final = (b"PK\x03\x04", b"\x80")


def as_safetensors(weights: Path, folder: Path) -> Path:
    """The file itself, or, when its suffix is PyTorch's, a safetensors file made from it in `folder`.

    Raises:
        MalformedFile: it is no file, or holds no state dict.
        InvalidField: it is PyTorch's and torch is not installed.
    """
    if not weights.is_file():
        raise MalformedFile(f"{weights} is not a file", field="weights", hint="check the path")
    if weights.suffix.lower() not in PYTORCH_SUFFIXES:
        return weights
    converted = folder / f"{weights.stem}.safetensors"
    convert_pytorch(weights, converted)
    return converted


def convert_pytorch(source: Path, target: Path) -> None:
    """Writes the state dict of a PyTorch file as safetensors, without running code that the file may hold.

    The state dict may lie under the key `state_dict`. A prefix `module.` that all names have, which
    `DataParallel` leaves, is taken off. Equal state dicts give equal bytes.

    Raises:
        MalformedFile: the file holds anything but tensors by name.
        InvalidField: torch is not installed.
    """
    try:
        import torch
        from safetensors.torch import save_file
    except ImportError as error:
        raise InvalidField(
            f"reading {source.name} needs torch, which is not installed",
            field="weights",
            hint="`pip install torch`, or pass a .safetensors file",
        ) from error
    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever the bytes lead it to
        raise MalformedFile(
            f"{source} cannot be read as weights alone: {str(error).partition(chr(10))[0]}",
            field="weights",
            hint="save `model.state_dict()` with torch.save and pass that file",
        ) from error
    state = _state_dict(content, source)
    foreign = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if foreign or not state:
        raise MalformedFile(
            f"{source} holds no state dict" + (f": {foreign[0]!r} is no tensor" if foreign else ""),
            field="weights",
            hint="save `model.state_dict()` with torch.save and pass that file",
            violations=tuple(FieldViolation(f"weights.{name}", "is no tensor") for name in foreign[:100]),
        )
    save_file({name: tensor.contiguous().clone() for name, tensor in _without_prefix(state).items()}, target)


def read_tensor_specs(weights: Path) -> tuple[TensorSpec, ...]:
    """Names, types and shapes of the tensors in a safetensors file, sorted by name; only its header is read.

    Raises:
        MalformedFile: it is no safetensors file, or truncated.
    """
    try:
        with safe_open(weights, framework="np") as file:
            slices = {name: file.get_slice(name) for name in sorted(file.keys())}
            return tuple(TensorSpec(name, str(one.get_dtype()), tuple(one.get_shape())) for name, one in slices.items())
    except (SafetensorError, OSError) as error:
        raise MalformedFile(
            f"{weights} is not a whole safetensors file: {error}", field="weights", hint=_advice(weights)
        ) from error


def _state_dict(content: Any, source: Path) -> Mapping[str, Any]:
    state = content.get("state_dict", content) if isinstance(content, Mapping) else content
    if isinstance(state, Mapping) and all(isinstance(name, str) for name in state):
        return state
    raise MalformedFile(
        f"{source} holds no state dict but a {type(state).__name__}",
        field="weights",
        hint="save `model.state_dict()` with torch.save and pass that file",
    )


def _without_prefix(state: Mapping[str, Any]) -> Mapping[str, Any]:
    if not all(name.startswith(WRAPPER_PREFIX) for name in state):
        return state
    return {name.removeprefix(WRAPPER_PREFIX): tensor for name, tensor in state.items()}


def _advice(weights: Path) -> str:
    try:
        with weights.open("rb") as file:
            beginning = file.read(4)
    except OSError:
        return "check the path"
    if beginning.startswith(_PICKLE_BEGINNINGS):
        return f"it looks like a PyTorch file: name it {weights.stem}.pth and it will be converted"
    return "copy the file again, or save the weights with safetensors"
