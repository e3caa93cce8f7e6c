"""Lineage, cascading deletion, events and webhooks as people use them: by commands."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save
from warm_python import finished

from modelfoundry.client import Architecture, Client, Dataset, DatasetSplit, InputSpec, Model

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(registry: Any) -> Run:
    """Runs a command; `stdin` may be a terminal."""

    def run(*arguments: str, status: int = 0, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "MODELFOUNDRY_REGISTRY": registry.address}
        outcome = finished("modelfoundry.cli", *arguments, stdin=stdin, env=environment)
        assert outcome.returncode == status, outcome.stdout + outcome.stderr
        return outcome

    return run


@pytest.fixture
def digits(client: Client) -> str:
    """A data set with a model that was trained on it."""
    images = np.zeros((2, 1, 4, 4), dtype=np.uint8)
    blob = client.blobs.upload(save({"images": images, "labels": np.array([0, 1], dtype=np.int64)}))
    splits = (DatasetSplit(split="train", content=blob),)
    dataset = client.datasets.create(Dataset(labels=("cat", "dog"), splits=splits), dataset_id="digits")
    model = Model(
        architecture=Architecture("zoo:simcnn"),
        input=InputSpec(1, 4, 4),
        labels=("cat", "dog"),
        weights=client.blobs.upload(save({"fc.weight": np.ones((2, 16), dtype=np.float32)})),
        display_name="the net",
        training_dataset=dataset.name,
    )
    client.models.create(model, model_id="net")
    return dataset.name


def test_a_family_is_shown_told_and_removed(run: Run, client: Client, digits: str) -> None:
    tree = run("lineage", "models/net").stdout
    assert "models/net  the net  cat, dog" in tree
    assert "trained on datasets/digits" in tree
    found = json.loads(run("lineage", "datasets/digits", "--down", "--json").stdout)
    assert [node["name"].rpartition("/")[2] for node in found["nodes"]] == ["digits", "net"]
    run("lineage", "models/net", "--up", "--down", status=2)

    refused = run("dataset", "rm", "digits", status=4)
    assert "--cascade" in refused.stderr

    controller, terminal = pty.openpty()
    os.write(controller, b"n\n")
    asked = run("dataset", "rm", "digits", "--cascade", status=130, stdin=terminal)
    os.close(controller)
    os.close(terminal)
    assert "models/net" in asked.stderr
    assert client.datasets.get("digits").name == digits

    run("dataset", "rm", "digits", "--cascade", "--yes")
    assert list(client.datasets.list()) == []
    told = [json.loads(line) for line in run("events", "--json").stdout.splitlines()]
    assert [(event["kind"], event["resource"].rpartition("/")[2]) for event in told] == [
        ("created", "digits"),
        ("created", "net"),
        ("deleted", "net"),
        ("deleted", "digits"),
    ]
    assert run("events", "--after", "3", "--kind", "deleted").stdout.split()[-1] == "datasets/digits"


def test_webhooks_are_added_listed_and_removed(run: Run) -> None:
    url = "https://93.184.215.14/hook"
    added = json.loads(run("webhook", "add", url, "--name", "hub", "--kind", "created,deleted", "--json").stdout)
    assert added["secret"].startswith("whsec_")
    listed = run("webhook", "list").stdout
    assert url in listed
    assert "created, deleted" in listed
    assert added["secret"] not in listed
    assert "private" in run("webhook", "add", "http://127.0.0.1/hook", status=2).stderr.lower()
    run("webhook", "rm", "hub")
    assert json.loads(run("webhook", "list", "--json").stdout) == []
