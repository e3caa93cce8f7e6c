"""One row: a module searched by the product's own code, and what it answers on validation and test images."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from study import Base, Row
from torch import Tensor

from modelfoundry.client import Client, ValidationSplit
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.inference import predict_logits
from modelfoundry.core.metrics import retention
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, kept_of_base, materialise, write_module
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.shelf import Shelf
from modelfoundry.decomposer.algorithms import find_algorithm
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchTask
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, Problem
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.networks import LoadedModel, load_model
from modelfoundry.workbench.shelf import CacheShelf
from modelfoundry.workbench.splits import load_split, training_parts

CPU = torch.device("cpu")
VALIDATION = ValidationSplit(source_split="train", fraction=0.1, seed=0)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A base and its images. The test images are predicted on, and never looked at while anything is chosen."""

    base: LoadedModel
    train: ImageSet
    validation: ImageSet
    test: ImageSet
    shelf: Shelf
    """What searches on this base share."""


class Bases:
    """What rows are searched with, read from a registry, the base of the last row kept."""

    def __init__(self, client: Client, cache: Path) -> None:
        self._client, self._cache = client, BlobCache(cache, 2**32)
        self._last: tuple[Base, Material] | None = None

    def of(self, base: Base) -> Material:
        """A base with its images, label numbers as in the model."""
        if self._last is None or self._last[0] != base:
            model, dataset = self._client.models.get(base.model), self._client.datasets.get(base.dataset)
            parts = [
                load_split(self._client, self._cache, dataset, split, model.labels, base.labels)
                for split in ("train", "test")
            ]
            loaded = load_model(self._client, self._cache, model)
            train, validation = training_parts(parts[0], VALIDATION, None)
            shelf = CacheShelf(self._cache, f"{model.weights.digest} {dataset.digest}")
            self._last = base, Material(loaded, train, validation, parts[1], shelf)
        return self._last[1]


def measure_base(material: Material, path: Path) -> None:
    """Keeps what a base answers: `validation` and `test` logits, float32 [n, labels], and the right labels."""
    found = {
        "validation": _logits(material, material.base.network, material.validation),
        "test": _logits(material, material.base.network, material.test),
        "validation_labels": material.validation.labels.numpy(),
        "test_labels": material.test.labels.numpy(),
    }
    _keep(path, found)


def measure_row(row: Row, material: Material, path: Path) -> None:
    """Searches a module and keeps its answers, outputs [n, outputs] in float16, with what it cost."""
    algorithm = find_algorithm(row.variant.algorithm)
    if algorithm is None:
        raise SystemExit(f"there is no algorithm {row.variant.algorithm}")
    problem: Problem = BinaryProblem(row.labels[0]) if len(row.labels) == 1 else MultiClassProblem(row.labels)
    model = material.base.resource
    began, clock = time.process_time(), time.perf_counter()
    result = algorithm.search(
        SearchTask(
            network=material.base.network,
            architecture=model.architecture,
            labels=model.labels,
            problems=(problem,),
            train=material.train,
            validation=material.validation,
            input_spec=material.base.input_spec,
            settings=algorithm.resolve(row.variant.recipe, row.variant.settings),
            seed=row.seed,
            device=CPU,
            monitor=Unwatched(),
            shelf=material.shelf,
        )
    )
    spent = {"cpu_seconds": time.process_time() - began, "seconds": time.perf_counter() - clock}
    (found,) = result.modules
    artifact = _artifact(row, material, problem, found)
    module = materialise(material.base.network, artifact)
    kept = kept_of_base(material.base.network, artifact)
    facts = {
        **spent,
        "bytes": _written_bytes(artifact),
        "retention": retention(material.base.network, kept.masks, kept.rewritten).weight_retention,
        "outputs": problem.outputs,
        "validation_accuracy": result.validation_accuracy,
        "commit": _commit(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    answers = {part: _logits(material, module, getattr(material, part)).astype("f2") for part in ("validation", "test")}
    _keep(path, {**answers, "facts": np.array(json.dumps(facts))})


def _artifact(row: Row, material: Material, problem: Problem, found: FoundModule) -> ModuleArtifact:
    return ModuleArtifact(
        base_digest=material.base.resource.weights.digest,
        problem=problem,
        masks=found.masks,
        head=found.head,
        algorithm=row.variant.algorithm,
        rewritten=RewrittenTensors(found.rewritten),
    )


def _logits(material: Material, network: torch.nn.Module, images: ImageSet) -> Any:
    found: Tensor = predict_logits(network, images.images, material.base.input_spec, batch_size=256, device=CPU)
    return found.numpy()


def _commit() -> str:
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()


def _written_bytes(artifact: ModuleArtifact) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "module.safetensors"
        write_module(path, artifact)
        return path.stat().st_size


def _keep(path: Path, arrays: Mapping[str, Any]) -> None:
    """Writes a file as a whole: a run that is stopped leaves none."""
    unfinished = path.with_suffix(".part.npz")
    np.savez_compressed(unfinished, **arrays)
    unfinished.replace(path)
