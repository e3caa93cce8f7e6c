"""`verify --rebuild`: the recorded decomposition gives the module's bits once more, or says which differ."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from composing_stock import push_digits, some_digits
from service_stack import INLINE, ServiceStack, running_stack
from warm_python import finished

from modelfoundry import errors
from modelfoundry.client import (
    Client,
    GradSplitterRecipe,
    Module,
    Rebuild,
    SeamRecipe,
    TrainingRecipe,
    Verification,
)
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import read_module, write_module

SEAM = SeamRecipe(recipe="paper", epochs=3, lr_mask=0.2, alpha=2.0)
JOINT = GradSplitterRecipe(
    warmup_epochs=1, cycles=1, mask_epochs=1, head_epochs=0, lr_warmup=0.05, lr_mask=0.05, accuracy_loss=1.0
)
GROUPS = (("3", "8"),)
NUMBERS = (3, 5, 8)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceStack]:
    """What decomposing needs."""
    settings = {
        **INLINE,
        "MODELFOUNDRY_DECOMPOSER_LEASE_SECONDS": "120",  # a busy machine is no lost worker
    }
    folder = tmp_path_factory.mktemp("rebuilding")
    with running_stack(folder, settings, names=("registry", "decomposer")) as running:
        yield running


@pytest.fixture(scope="module")
def client(stack: ServiceStack) -> Iterator[Client]:
    """With a small data set and a barely trained network."""
    with Client(stack.endpoints) as client:
        whole = some_digits("train", NUMBERS)
        fresh = whole.subset(torch.cat([torch.nonzero(whole.labels == place).flatten()[40:] for place in range(3)]))
        push_digits(client, stack.folder, "digits", NUMBERS, dict.fromkeys(NUMBERS, 40), fresh)
        client.train("zoo:digits_cnn", "digits", recipe=TrainingRecipe(epochs=1), model_id="net").wait(timeout=240)
        yield client


@pytest.fixture(scope="module")
def seam(client: Client) -> Module:
    (module,) = client.decompose("net", "digits", label="3", recipe=SEAM, seed=5).wait(timeout=240)
    return module


@pytest.fixture(scope="module")
def joint(client: Client) -> Sequence[Module]:
    job = client.decompose_all("net", "digits", label_groups=GROUPS, recipe=JOINT, seed=5)
    return job.wait(timeout=280)


def the_check(verification: Verification) -> tuple[bool, str]:
    (check,) = (check for check in verification.checks if check.name == "rebuild")
    return check.ok, check.detail


def altered(client: Client, module: Module, folder: Path) -> Module:
    """The same module with three mask bits turned, correctly hashed and registered under another name."""
    path = client.blobs.download(module.artifact, folder / "module.safetensors")
    artifact = read_module(path)
    bits = {name: mask.clone() for name, mask in artifact.masks.bits.items()}
    first = next(iter(bits))
    bits[first].view(-1)[:3] ^= True
    write_module(path, replace(artifact, masks=WeightMasks(bits)))
    blob = client.blobs.upload(path)
    return client.modules.create(replace(module, name="", artifact=blob), module_id="altered")


def test_a_seam_module_is_what_its_record_gives_bit_by_bit(client: Client, seam: Module) -> None:
    modules = {module.name for module in client.modules.list()}
    assert seam.retention is not None
    entries = seam.retention.total_weights
    found = client.statements.verify(seam, rebuild=True)
    assert found.ok, found
    assert the_check(found) == (True, f"masks ({entries:,} entries) and head are equal bit by bit")
    assert {module.name for module in client.modules.list()} == modules


def test_a_module_fitted_on_a_split_that_was_named_says_so_and_is_repeated_on_it(
    client: Client, stack: ServiceStack, tmp_path: Path
) -> None:
    environment = {**os.environ, **{f"MODELFOUNDRY_{n.upper()}": f"127.0.0.1:{p}" for n, p in stack.ports.items()}}
    asked = ("decompose", "net", "--dataset", "digits", "--label", "3", "--recipe", "distilled", "--steps", "20")
    more = ("--retention", "0.5", "--batch-size", "16", "--calibration", "fresh", "--name", "calibrated", "--json")
    done = finished("modelfoundry.cli", *asked, *more, env={**environment, "MODELFOUNDRY_HOME": str(stack.folder)})
    assert done.returncode == 0, done.stderr
    module = client.modules.get("calibrated")
    assert module.record.calibration_split == "fresh"
    assert module.record.training_samples == 108  # what the cut of a tenth left, as without the split
    (fresh,) = (split for split in client.datasets.get("digits").splits if split.split == "fresh")
    assert module.record.validation_samples == 2 * fresh.label_counts[0]
    signed = base64.b64decode(json.loads(client.statements.get(module).envelope)["payload"])
    assert b'"calibration_split":"fresh"' in signed.replace(b": ", b":")
    assert client.statements.verify(module, rebuild=True).ok


def test_a_gradsplitter_module_is_what_its_record_gives_bit_by_bit(client: Client, joint: Sequence[Module]) -> None:
    modules = {module.name for module in client.modules.list()}
    grouped = next(module for module in joint if module.outputs == ("3", "8", "rest"))
    result = client.statements.rebuild(grouped).wait(timeout=280)
    assert (result.equal, result.differences, result.changes) == (True, (), ())
    assert {module.name for module in client.modules.list()} == modules


def test_every_rebuild_is_a_job_of_its_own_and_a_repeated_call_is_not(client: Client, seam: Module) -> None:
    request_id = str(uuid.uuid4())
    first = client.statements.rebuild(seam, request_id=request_id)
    again = client.statements.rebuild(seam, request_id=request_id)
    other = client.statements.rebuild(seam)
    assert again.name == first.name
    assert other.name != first.name
    other.cancel()
    assert first.wait(timeout=240).equal
    shown = client.jobs.get(first.name)
    assert (shown.status.kind, shown.status.target) == ("rebuild", seam.name)
    assert isinstance(shown.wait(timeout=10), Rebuild)


def test_masks_that_the_recipe_does_not_give_are_found_by_rebuilding_alone(
    client: Client, seam: Module, stack: ServiceStack, tmp_path: Path
) -> None:
    false = altered(client, seam, tmp_path)
    assert client.statements.verify(false).ok
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MODELFOUNDRY_")}
    addresses = {f"MODELFOUNDRY_{name.upper()}": f"127.0.0.1:{port}" for name, port in stack.ports.items()}
    environment = {**inherited, **addresses, "MODELFOUNDRY_HOME": str(stack.folder)}
    done = finished("modelfoundry.cli", "verify", false.id, "--rebuild", "--json", env=environment)
    assert done.returncode == 1, done.stderr
    (failed,) = (check for check in json.loads(done.stdout)["checks"] if not check["ok"])
    assert failed["name"] == "rebuild"
    assert failed["detail"].startswith("not what the record gives: 3 of ")


def test_a_record_with_another_seed_does_not_give_the_module(client: Client, seam: Module) -> None:
    record = replace(seam.record, seed=6)
    client.modules.create(replace(seam, name="", record=record), module_id="false-seed")
    result = client.statements.rebuild("false-seed").wait(timeout=240)
    assert not result.equal
    differing = {one.tensor: one for one in result.differences}
    assert 0 < differing["head.0.weight"].differing <= differing["head.0.weight"].entries


def test_threads_are_those_of_the_record_and_other_versions_are_named(client: Client, seam: Module) -> None:
    recorded = seam.record.environment
    libraries = {**recorded.libraries, "torch": "0.0.1"}
    environment = replace(recorded, libraries=libraries, threads=recorded.threads + 1)
    client.modules.create(replace(seam, name="", record=replace(seam.record, environment=environment)), module_id="old")
    result = client.statements.rebuild("old").wait(timeout=240)
    assert result.environment.threads == environment.threads
    assert [(change.what, change.recorded) for change in result.changes] == [("torch", "0.0.1")]


def test_a_record_that_does_not_say_enough_is_refused_with_the_reason(client: Client, joint: Sequence[Module]) -> None:
    settings = {key: value for key, value in joint[0].record.settings.items() if key != "label_groups"}
    record = replace(joint[0].record, settings=settings)
    client.modules.create(replace(joint[0], name="", record=record), module_id="of-before")
    with pytest.raises(errors.UnsupportedModel, match="before the label groups of a joint search were recorded"):
        client.statements.rebuild("of-before")
    ok, detail = the_check(client.statements.verify("of-before", rebuild=True))
    assert (ok, "cannot be repeated" in detail) == (False, True)
    record = replace(joint[0].record, algorithm="guessing")
    client.modules.create(replace(joint[0], name="", record=record), module_id="guessed")
    with pytest.raises(errors.UnsupportedModel, match="'guessing', which this version does not know"):
        client.statements.rebuild("guessed")
