"""Stored compositions by commands: found, looked at, and removed so that what they are made of can go too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from service_stack import running_stack

from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.main import run
from modelfoundry.client import (
    Architecture,
    Baseline,
    Client,
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
    Dataset,
    DatasetSplit,
    Endpoints,
    InputSpec,
    LabelChange,
    Model,
    StrategyReport,
)

PARENT = "projects/default"
IMAGE = InputSpec(1, 8, 8)


@dataclass(frozen=True, slots=True)
class Outcome:
    out: str
    err: str


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """A registry with two models, `net` and `twin`, and a data set `pets`, and nobody else."""
    folder = tmp_path_factory.mktemp("registry")
    with running_stack(folder, names=("registry",)) as stack, Client(stack.endpoints) as client:
        images = np.zeros((4, 1, 8, 8), np.uint8)
        save_file({"images": images, "labels": np.array([0, 1, 0, 1])}, folder / "split.safetensors")
        split = DatasetSplit(split="train", content=client.blobs.upload(folder / "split.safetensors"))
        client.datasets.create(Dataset(labels=("cat", "dog"), splits=(split,)), dataset_id="pets")
        for number, name in enumerate(("net", "twin")):
            _register(client, folder, name, number)
        yield stack.endpoints


def _register(client: Client, folder: Path, name: str, number: int) -> None:
    path = folder / f"{name}.safetensors"
    save_file({"fc.weight": np.full((2, 64), number, np.float32)}, path)
    weights = client.blobs.upload(path)
    model = Model(architecture=Architecture("zoo:digits_cnn"), input=IMAGE, labels=("cat", "dog"), weights=weights)
    client.models.create(model, model_id=name)


@pytest.fixture
def patch(endpoints: Endpoints) -> Iterator[Composition]:
    """A patch of `net` with the dogs of `twin`; it is removed afterwards."""
    record = CompositionRecord(
        strategy="beam",
        score="f1",
        calibrated=True,
        validation_samples=40,
        validation_accuracy=0.925,
        strategies=(
            StrategyReport(strategy="per_label_best", validation_accuracy=0.9, sources=("a", "a")),
            StrategyReport(strategy="beam", validation_accuracy=0.925, sources=("a", "b")),
        ),
        baselines=(
            Baseline(name=f"{PARENT}/models/net", validation_accuracy=0.8, parameters=1500, macs=40_800_000),
            Baseline(name="ensemble", validation_accuracy=0.85, parameters=3000, macs=81_600_000),
        ),
        parameters=2500,
        macs=50_000_000,
        label_changes=(LabelChange("cat", 0.75, 0.8125), LabelChange("dog", 0.25, 0.625)),
    )
    composition = Composition(
        task=CompositionTask.PATCH,
        base_model=f"{PARENT}/models/net",
        members=(
            CompositionMember(label="cat", source=f"{PARENT}/models/net", source_label="cat", scale=1.5, bias=-0.25),
            CompositionMember(label="dog", source=f"{PARENT}/models/twin", source_label="dog", validation_score=0.875),
        ),
        input=IMAGE,
        datasets=(f"{PARENT}/datasets/pets",),
        record=record,
    )
    with Client(endpoints) as client:
        yield client.compositions.create(composition, composition_id="patched")
        for left in list(client.compositions.list()):
            client.compositions.delete(left)


@pytest.fixture
def cli(
    endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    monkeypatch.setenv("MODELFOUNDRY_REGISTRY", endpoints.registry)

    def call(*arguments: str, status: int = ExitCode.OK) -> Outcome:
        capsys.readouterr()
        found = run(arguments)
        captured = capsys.readouterr()
        assert found == status, captured.err
        return Outcome(captured.out, captured.err)

    return call


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_compositions_are_listed_beside_the_best_that_could_be_used_instead(cli: Any, patch: Composition) -> None:
    header, _, row = cli("composition", "list", "--filter", 'task = "PATCH"').out.splitlines()

    assert "BEST OTHER" in header
    assert _cells(row)[:9] == [
        "patched",
        "patch",
        "cat or dog",
        "2",
        "beam",
        "92.5 % [80.1, 97.4] of 40",
        "85.0 %",
        "2.5 k",
        "50.0 M",
    ]
    assert cli("composition", "list", "--filter", 'task = "NEW_TASK"').out == "no compositions\n"
    assert [found["name"] for found in json.loads(cli("composition", "list", "--json").out)] == [patch.name]


def test_a_composition_is_shown_with_its_labels_rivals_and_strategies(cli: Any, patch: Composition) -> None:
    lines = [_cells(line) for line in cli("composition", "show", "patched").out.splitlines()]

    assert ["patch of", "net"] in lines
    assert ["digest", patch.digest] in lines
    assert ["cat", "models/net", "cat", "0.0 %", "1.500 z -0.250", "75.0 %", "81.2 %"] in lines
    assert ["dog", "models/twin", "dog", "87.5 %", "25.0 %", "62.5 %"] in lines
    assert ["this composition", "92.5 % [80.1, 97.4] of 40", "2.5 k", "50.0 M"] in lines
    assert ["models/net", "80.0 % [65.2, 89.5] of 40", "1.5 k", "40.8 M"] in lines
    assert ["ensemble", "85.0 % [70.9, 92.9] of 40", "3.0 k", "81.6 M"] in lines
    assert ["per_label_best", "90.0 % [76.9, 96.0] of 40", "1"] in lines
    assert ["beam", "92.5 % [80.1, 97.4] of 40", "2", "in force"] in lines
    assert json.loads(cli("composition", "show", "patched", "--json").out)["digest"] == patch.digest
    assert "did you mean patched?" in cli("composition", "show", "patchd", status=ExitCode.NOT_FOUND).err


def test_what_a_composition_needs_goes_after_it(cli: Any, patch: Composition) -> None:
    refused = cli("model", "rm", "twin", status=ExitCode.CONFLICT)
    assert patch.name in refused.err
    assert "`modelfoundry composition rm`" in refused.err

    assert cli("composition", "rm", "patched").out == "removed patched\n"
    cli("composition", "show", "patched", status=ExitCode.NOT_FOUND)


def test_the_sdk_gives_back_what_was_registered(endpoints: Endpoints, patch: Composition) -> None:
    with Client(endpoints) as client:
        got = client.compositions.get("patched")
        assert got == patch
        assert client.compositions.get(patch) == patch
        assert list(client.compositions.list('labels:"dog"')) == [patch]
        changed = client.compositions.update(patch, display_name="Patched")
        assert changed.display_name == "Patched"
        assert replace(changed, display_name="", etag=patch.etag, update_time=patch.update_time) == patch
