"""Modules that benchmarks/recipes searched with the default recipe: the same as a row here, searched once."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tables.figures import label_figures
from tables.rows import PUBLIC

STUDY = Path(__file__).resolve().parent.parent / "recipes" / "study.py"


def default_modules(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Label to figures of its module of ResNet20 by the default recipe, seed 0, where it was searched."""
    study = _study()
    found = {}
    for row in study.rows():
        path, base = folder / f"{row.key}.npz", folder / f"base-{row.base.model}.npz"
        wanted = row.base.model == PUBLIC and row.variant == study.WINNER and len(row.labels) == 1 and not row.seed
        if wanted and path.exists() and base.exists():
            found[row.labels[0]] = _figures(row.labels[0], np.load(path), np.load(base))
    return found


def _study() -> Any:
    spec = importlib.util.spec_from_file_location("recipes_study", STUDY)
    if spec is None or spec.loader is None:
        raise ImportError(STUDY)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def _figures(label: str, row: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    facts = json.loads(str(row["facts"]))
    outputs, logits = (torch.from_numpy(one["test"].astype("f4")) for one in (row, base))
    figures = label_figures(label, outputs, logits, torch.from_numpy(base["test_labels"]))
    sizes = {"weight_retention": facts["retention"], "bytes": facts["bytes"]}
    sizes["weights"] = round(facts["retention"] * RESNET20_WEIGHTS)
    return figures | sizes | {"cpu_seconds": facts["cpu_seconds"]}


RESNET20_WEIGHTS = 268_346
"""Weights and biases of its convolutions and its linear layer; the paper's has 2,560 more in its shortcuts."""
