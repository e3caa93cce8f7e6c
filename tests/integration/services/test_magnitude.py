"""The baseline by the command line: pruned, registered, rebuilt bit by bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from composing_stock import push_digits
from service_stack import ServiceStack, running_stack

from modelfoundry import errors
from modelfoundry.client import Client, TrainingRecipe

NUMBERS = (3, 5, 8)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceStack]:
    settings = {
        "MODELFOUNDRY_DECOMPOSER_EXECUTOR": "inline",  # saves every job the start of a process
        "MODELFOUNDRY_DECOMPOSER_LEASE_SECONDS": "120",  # a busy machine is no lost worker
    }
    folder = tmp_path_factory.mktemp("magnitude")
    with running_stack(folder, settings, names=("registry", "decomposer")) as running:
        yield running


@pytest.fixture(scope="module")
def client(stack: ServiceStack) -> Iterator[Client]:
    """With a small data set and a barely trained network."""
    with Client(stack.endpoints) as client:
        push_digits(client, stack.folder, "digits", NUMBERS, dict.fromkeys(NUMBERS, 40))
        client.train("zoo:digits_cnn", "digits", recipe=TrainingRecipe(epochs=1), model_id="net").wait(timeout=240)
        yield client


def answer(stack: ServiceStack, *arguments: str) -> Any:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MODELFOUNDRY_")}
    addresses = {f"MODELFOUNDRY_{name.upper()}": f"127.0.0.1:{port}" for name, port in stack.ports.items()}
    done = subprocess.run(
        [sys.executable, "-m", "modelfoundry.cli", *arguments, "--json"],
        env={**inherited, **addresses, "MODELFOUNDRY_HOME": str(stack.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_tenth_of_the_weights_stays_and_the_record_gives_the_module_again(
    client: Client, stack: ServiceStack
) -> None:
    asked = ("decompose", "net", "--dataset", "digits", "--label", "3", "--algorithm", "magnitude")
    (made,) = answer(stack, *asked, "--retention", "0.1", "--epochs", "4")
    module = client.modules.get(made["name"])
    assert module.record.algorithm == "magnitude"
    assert (module.record.settings["retention"], module.record.settings["epochs"]) == (0.1, 4)
    assert module.retention is not None
    assert module.retention.kept_weights == round(0.1 * module.retention.total_weights)
    checks = {check["name"]: check for check in answer(stack, "verify", module.id, "--rebuild")["checks"]}
    assert checks["rebuild"]["ok"], checks
    assert "equal bit by bit" in checks["rebuild"]["detail"]


def test_several_labels_are_told_apart_too(client: Client) -> None:
    settings = {"epochs": 2, "retention": 0.5}
    job = client.decompose("net", "digits", labels=["8", "3"], algorithm="magnitude", settings=settings)
    (module,) = job.wait(timeout=240)
    assert module.outputs == ("8", "3")


def test_it_is_listed_and_its_limits_are_kept(client: Client) -> None:
    described = {one.name: one for one in client.algorithms()}["magnitude"]
    assert [setting.name for setting in described.settings][:2] == ["retention", "epochs"]
    with pytest.raises(errors.InvalidField) as caught:
        client.decompose("net", "digits", label="3", algorithm="magnitude", settings={"retention": 0.0})
    assert caught.value.field == "magnitude.recipe.retention"
    assert caught.value.hint == f"give {described.settings[0].allowed}"
