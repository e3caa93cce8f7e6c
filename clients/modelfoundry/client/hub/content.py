"""What a folder of the Hub says about the classifier in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.resources import ModelOrigin

CONFIG_FILE: Final = "config.json"
WEIGHTS_FILE: Final = "model.safetensors"
ONNX_FILE: Final = "model.onnx"
README_FILE: Final = "README.md"
EXAMPLE_FILE: Final = "example.py"
PICTURE_FILE: Final = "picture.py"
"""A copy of `modelfoundry.pictures.decoding`, with which `example.py` decodes what it is given."""
DESCRIPTION_FILE: Final = "module.json"
"""What an export calls its description; in a folder of the Hub it is a part of `config.json`."""
EXPORT_FORMAT: Final = "modelfoundry.export"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What people wrote about it."""

    display_name: str = ""
    description: str = ""
    intended_use: str = ""
    license: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubModel:
    """A classifier as a folder describes it, before anything of it was compared with the weights."""

    weights: Path
    architecture: Architecture
    input: InputSpec
    labels: tuple[str, ...]
    origin: ModelOrigin
    about: Described
