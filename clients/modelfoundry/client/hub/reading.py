"""Reads a folder of the Hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from modelfoundry.client.hub.content import HubModel
from modelfoundry.client.hub.exported import exported_model, is_exported
from modelfoundry.client.hub.files import read_config, weights_in
from modelfoundry.client.hub.readme import read_readme
from modelfoundry.client.hub.timm_folder import timm_model


def read_folder(folder: Path, labels: Sequence[str] = ()) -> HubModel:
    """What a folder that ModelFoundry or timm wrote says about the classifier in it. No weights are read.

    Args:
        folder: Has `config.json` and `model.safetensors`.
        labels: Meaning of the outputs; empty: as the folder says.

    Raises:
        MalformedFile: a file is missing, no plain file of the folder, or not as it should be; file or field are named.
        InvalidField: the library that reads the README is not installed.
    """
    config = read_config(folder)
    weights = weights_in(folder)
    if not is_exported(config):
        return timm_model(config, weights, read_readme(folder), labels)
    found = exported_model(config, weights)
    return replace(found, labels=tuple(labels)) if labels else found
