"""A small network by the command line: registered, rebuilt bit by bit, measured, predicted with, exported, composed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from composing_stock import push_digits, some_digits
from handwritten_digits import digits
from safetensors.torch import save_file
from service_stack import ServiceStack, running_stack
from torch import nn
from torch.nn import functional

from modelfoundry import errors
from modelfoundry.client import Client, Model, NewLabel
from modelfoundry.core.export import load_exported
from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec

NUMBERS = (3, 5, 8)
SPEC = InputSpec(1, 8, 8)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceStack]:
    settings = {
        **{f"MODELFOUNDRY_{name}_EXECUTOR": "inline" for name in ("DECOMPOSER", "EVALUATOR", "REUSER")},
        "MODELFOUNDRY_DECOMPOSER_LEASE_SECONDS": "120",  # a busy machine is no lost worker
    }
    with running_stack(tmp_path_factory.mktemp("specialise"), settings) as running:
        yield running


@pytest.fixture(scope="module")
def client(stack: ServiceStack) -> Iterator[Client]:
    """With a small data set and a residual network that knows it, whose shortcuts pad channels."""
    with Client(stack.endpoints) as client:
        whole = some_digits("train", NUMBERS)
        fresh = whole.subset(torch.cat([torch.nonzero(whole.labels == place).flatten()[60:] for place in range(3)]))
        push_digits(client, stack.folder, "digits", NUMBERS, dict.fromkeys(NUMBERS, 60), fresh)
        path = stack.folder / "net.safetensors"
        save_file(knowing().state_dict(), path)
        weights = client.blobs.upload(path, "application/vnd.safetensors")
        labels = tuple(map(str, NUMBERS))
        client.models.create(
            Model(architecture=Architecture("zoo:resnet20"), input=SPEC, labels=labels, weights=weights), model_id="net"
        )
        yield client


def knowing() -> nn.Module:
    """A ResNet20 that tells the digits apart."""
    content = digits().splits["train"]
    wanted = torch.isin(content.labels, torch.tensor(NUMBERS))
    images, numbers = content.images[wanted].float() / 255, content.labels[wanted]
    answers = (numbers[:, None] == torch.tensor(NUMBERS)).int().argmax(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network(Architecture("zoo:resnet20"), len(NUMBERS), SPEC)
        optimiser = torch.optim.Adam(network.parameters(), 0.003)
        for _ in range(25):
            chosen = torch.randint(0, len(answers), (64,))
            optimiser.zero_grad()
            functional.cross_entropy(network(images[chosen]), answers[chosen]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return network.eval()


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


def test_a_small_network_is_a_module_like_any_other(client: Client, stack: ServiceStack, tmp_path: Path) -> None:
    asked = ("specialise", "net", "--dataset", "digits", "--labels", "3", "--widths", "8-16-16", "--left-out", "1")
    (made,) = answer(stack, *asked, "--steps", "3", "--views", "64", "--name", "three")
    module = client.modules.get(made["name"])
    settings = module.record.settings
    assert (module.record.algorithm, settings["widths"], settings["left_out"]) == ("specialise", "8-16-16", 1)
    assert module.retention is not None
    assert 0 < module.retention.weight_retention < 0.3
    checks = {check["name"]: check for check in answer(stack, "verify", module.id, "--rebuild")["checks"]}
    assert "equal bit by bit" in checks["rebuild"]["detail"]
    (evaluation, *_) = client.evaluate([module], "digits").wait(timeout=240)
    assert evaluation.cost is not None
    assert evaluation.cost.macs_dense < 12_000_000
    for folder, format_ in ((tmp_path / "onnx", "onnx"), (tmp_path / "tensors", "safetensors")):
        folder.mkdir()
        for file in client.export(module, format=format_).wait(timeout=240).files:
            client.blobs.download(file.content.digest, folder / file.path)
    images = torch.rand(3, 1, 8, 8)
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "model.onnx")
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    torch.testing.assert_close(
        torch.from_numpy(logits), load_exported(tmp_path / "tensors")(images), atol=1e-3, rtol=1e-3
    )


def test_a_threshold_is_fitted_on_a_split_that_is_named(client: Client, stack: ServiceStack) -> None:
    asked = ("specialise", "net", "--dataset", "digits", "--labels", "3", "--widths", "8-16-16", "--steps", "2")
    (made,) = answer(stack, *asked, "--views", "64", "--calibration", "fresh", "--name", "calibrated")
    module = client.modules.get(made["name"])
    (fresh,) = (split for split in client.datasets.get("digits").splits if split.split == "fresh")
    assert module.record.calibration_split == "fresh"
    assert module.record.validation_samples == 2 * fresh.label_counts[0]
    assert client.statements.verify(module, rebuild=True).ok


def test_small_networks_are_composed(client: Client) -> None:
    settings = {"recipe": "preview", "widths": "8-16-16"}
    jobs = [client.decompose("net", "digits", label=label, algorithm="specialise", settings=settings) for label in "58"]
    made = [NewLabel(label=label, sources=list(job.wait(timeout=240))) for label, job in zip("58", jobs, strict=True)]
    composed = client.compose_labels(made, "digits").wait(timeout=240)
    assert composed.composition.labels == ("5", "8")


def test_widths_that_the_model_does_not_have_fail_and_leave_nothing(client: Client) -> None:
    before = {module.name for module in client.modules.list()}
    job = client.decompose("net", "digits", label="3", algorithm="specialise", settings={"widths": "8-16"})
    with pytest.raises(errors.InvalidField, match="within 16-32-64"):
        job.wait(timeout=240)
    assert {module.name for module in client.modules.list()} == before
