"""Stored evaluations by commands: found, looked at, and removed so that what was measured can go too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from service_stack import running_stack

from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.main import run
from modelfoundry.client import (
    Architecture,
    ClassificationMetrics,
    Client,
    Dataset,
    DatasetSplit,
    Endpoints,
    Evaluation,
    InputSpec,
    Interval,
    Model,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    out: str
    err: str


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """A registry with nobody else: none of these commands needs another service."""
    with running_stack(tmp_path_factory.mktemp("registry"), names=("registry",)) as stack:
        yield stack.endpoints


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


@pytest.fixture
def measured(endpoints: Endpoints, tmp_path: Any) -> Iterator[list[Evaluation]]:
    """Two evaluations of model `net` on data set `pets`, older first; whatever is left is removed."""
    images = np.zeros((4, 1, 8, 8), np.uint8)
    save_file({"images": images, "labels": np.array([0, 1, 0, 1])}, tmp_path / "split.safetensors")
    save_file({"fc.weight": np.ones((2, 64), np.float32)}, tmp_path / "weights.safetensors")
    with Client(endpoints) as client:
        split = DatasetSplit(split="test", content=client.blobs.upload(tmp_path / "split.safetensors"))
        dataset = client.datasets.create(Dataset(labels=("cat", "dog"), splits=(split,)), dataset_id="pets")
        model = client.models.create(
            Model(
                architecture=Architecture("zoo:digits_cnn"),
                input=InputSpec(1, 8, 8, (0.5,), (0.5,)),
                labels=("cat", "dog"),
                weights=client.blobs.upload(tmp_path / "weights.safetensors"),
            ),
            model_id="net",
        )
        yield [client.evaluations.create(_evaluation(model, dataset, accuracy)) for accuracy in (0.5, 0.75)]
        for evaluation in list(client.evaluations.list()):
            client.evaluations.delete(evaluation)
        for left in list(client.models.list()):
            client.models.delete(left)
        for data in list(client.datasets.list()):
            client.datasets.delete(data)


def _evaluation(model: Model, dataset: Dataset, accuracy: float) -> Evaluation:
    return Evaluation(
        subject=model.name,
        subject_digest=model.weights.digest,
        dataset=dataset.name,
        dataset_digest=dataset.digest,
        split="test",
        sample_count=4,
        classification=ClassificationMetrics(
            accuracy=accuracy,
            accuracy_interval=Interval(0.25, 0.95, 0.95),
            precision=accuracy,
            recall=accuracy,
            f1=accuracy,
            per_label=(),
            confusion=None,
        ),
    )


def test_evaluations_are_listed_with_what_was_measured(cli: Any, measured: list[Evaluation]) -> None:
    header, _, *rows = cli("evaluation", "list", "--order-by", "accuracy").out.splitlines()
    assert "ACCURACY" in header
    assert [row.split()[:2] for row in rows] == [[evaluation.id, "models/net"] for evaluation in measured]
    assert "50.00 % [25.0, 95.0] on 4 samples" in rows[0]
    assert all("pets" in row for row in rows)

    best = ("evaluation", "list", "--filter", 'subject:"models/net" AND accuracy > 0.6', "--json")
    assert [found["name"] for found in json.loads(cli(*best).out)] == [measured[1].name]


def test_an_evaluation_is_shown_whole(cli: Any, measured: list[Evaluation]) -> None:
    shown = cli("evaluation", "show", measured[1].id).out
    facts = dict(line.strip().split(maxsplit=1) for line in shown.splitlines())
    assert facts["name"] == measured[1].name
    assert facts["subject"].split() == ["models/net", measured[1].subject_digest]
    assert facts["recall"] == "75.0 %"
    assert json.loads(cli("evaluation", "show", measured[1].id, "--json").out)["dataset_digest"].startswith("sha256:")
    cli("evaluation", "show", "nothing", status=ExitCode.NOT_FOUND)


def test_what_was_measured_can_be_removed_as_the_refusal_says(cli: Any, measured: list[Evaluation]) -> None:
    for command, name in (("model", "net"), ("dataset", "pets")):
        what, hint = cli(command, "rm", name, status=ExitCode.CONFLICT).err.splitlines()
        assert all(evaluation.name in what for evaluation in measured)
        assert "`modelfoundry evaluation rm`" in hint
        assert "client.evaluations.delete" in hint

    assert cli("evaluation", "rm", measured[0].id, measured[1].name).out.splitlines() == [
        f"removed {measured[0].id}",
        f"removed {measured[1].name}",
    ]
    assert cli("evaluation", "list").out == "no evaluations\n"
    cli("model", "rm", "net")
    cli("dataset", "rm", "pets")
    cli("evaluation", "rm", measured[0].id, status=ExitCode.NOT_FOUND)
