"""Modules without their dead channels: measured, stored and exported through the running services."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest
import torch
from foundry import QUICK, Foundry

from modelfoundry import errors
from modelfoundry.cli.main import run
from modelfoundry.client import ExportFormat, Module
from modelfoundry.core.channels import ChannelMasks, ChannelPlan, kernel_weight_masks, plan_channels
from modelfoundry.core.export import load_exported
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import read_module, write_module
from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec

SPEC = InputSpec(1, 8, 8)
NETWORK = build_network(Architecture("zoo:digits_cnn"), 10, SPEC)


@pytest.fixture(scope="module")
def seam_module(foundry: Foundry) -> Module:
    return foundry.client.decompose("digits-cnn", "digits", label="3", recipe=QUICK).wait(timeout=240)[0]


@pytest.fixture(scope="module")
def plan() -> ChannelPlan:
    return plan_channels(NETWORK, SPEC)


def _registered(foundry: Foundry, like: Module, masks: WeightMasks, module_id: str, folder: Path) -> Module:
    """A module with the head of another and these masks."""
    path = foundry.client.blobs.download(like.artifact, folder / "like.safetensors")
    write_module(folder / "module.safetensors", replace(read_module(path), masks=masks))
    artifact = foundry.client.blobs.upload(folder / "module.safetensors")
    record = replace(like.record, cache_key="", operation="")
    module = replace(like, artifact=artifact, record=record, retention=None)
    return foundry.client.modules.create(module, module_id=module_id)


@pytest.fixture(scope="module")
def kernels(
    foundry: Foundry, seam_module: Module, plan: ChannelPlan, tmp_path_factory: pytest.TempPathFactory
) -> Module:
    """A module that keeps every third kernel."""
    masks = ChannelMasks({group.name: torch.arange(group.units) % 3 == 0 for group in plan.groups})
    bits = kernel_weight_masks(NETWORK, plan, masks)
    return _registered(foundry, seam_module, bits, "kernels", tmp_path_factory.mktemp("kernels"))


def test_the_three_forms_of_a_module_stand_side_by_side_on_it(foundry: Foundry, kernels: Module) -> None:
    foundry.client.aliases.set("kernels@champion", kernels)
    found = foundry.client.compact("kernels@champion", latency_batch_sizes=[1, 4]).wait(timeout=240)
    forms = found.forms
    assert foundry.client.modules.get(kernels).forms == forms
    assert found.module == kernels.name
    assert forms.max_difference <= 1e-5
    assert forms.held_layers == ()
    assert forms.original.parameters == sum(parameter.numel() for parameter in NETWORK.parameters())
    assert forms.masked.parameters == forms.original.parameters + 22  # the head: 10 x 2 weights, 2 biases
    assert forms.compacted.parameters < 0.2 * forms.masked.parameters
    assert forms.compacted.macs_dense < 0.2 * forms.masked.macs_dense
    assert forms.masked.stored_bytes == kernels.artifact.size_bytes
    assert 4 * forms.compacted.parameters < forms.compacted.stored_bytes < 0.3 * forms.original.stored_bytes
    for form in (forms.original, forms.masked, forms.compacted):
        assert [time.batch_size for time in form.latencies] == [1, 4]
        assert all(0 < time.median_ms <= time.p95_ms for time in form.latencies)
    assert forms.environment.device == "cpu"
    assert forms.operation.startswith(f"{foundry.project}/operations/")


def test_the_same_measurement_is_not_made_twice(foundry: Foundry, kernels: Module) -> None:
    first = foundry.client.compact(kernels, latency_batch_sizes=[2])
    first.wait(timeout=240)
    assert foundry.client.compact(kernels, latency_batch_sizes=[2]).name == first.name


@pytest.mark.parametrize("export_format", list(ExportFormat), ids=str)
def test_a_compacted_download_gives_the_logits_of_the_masked_one(
    foundry: Foundry, kernels: Module, tmp_path: Path, export_format: ExportFormat
) -> None:
    files = foundry.client.modules.download(kernels, tmp_path / "compacted", export_format, compact=True)
    masked = foundry.client.modules.download(kernels, tmp_path / "masked", ExportFormat.SAFETENSORS)
    assert max(path.stat().st_size for path in files) < 0.5 * max(path.stat().st_size for path in masked)
    images = torch.rand(9, *SPEC.shape)
    with torch.inference_mode():
        expected = load_exported(tmp_path / "masked")(images)
        actual = _run(tmp_path / "compacted", export_format, images)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def _run(folder: Path, export_format: ExportFormat, images: torch.Tensor) -> torch.Tensor:
    if export_format is ExportFormat.ONNX:
        session = onnxruntime.InferenceSession(folder / "model.onnx")
        return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
    if export_format is ExportFormat.TORCH_EXPORT:
        return torch.export.load(folder / "model.pt2").module()(images)
    return load_exported(folder)(images)


def test_a_module_of_single_weights_compacts_wherever_a_whole_channel_died(
    foundry: Foundry, seam_module: Module
) -> None:
    forms = foundry.client.compact(seam_module, latency_batch_sizes=[1]).wait(timeout=240).forms
    assert forms.compacted.parameters <= forms.masked.parameters
    assert forms.max_difference <= 1e-5


def test_a_layer_that_would_be_empty_is_named_on_the_module(
    foundry: Foundry, seam_module: Module, plan: ChannelPlan, tmp_path: Path
) -> None:
    bits = dict(kernel_weight_masks(NETWORK, plan, ChannelMasks({})).bits)
    bits["features.7.weight"] = torch.zeros_like(bits["features.7.weight"])
    _registered(foundry, seam_module, WeightMasks(bits), "empty", tmp_path)
    forms = foundry.client.compact("empty", latency_batch_sizes=[1]).wait(timeout=240).forms
    assert forms.held_layers == ("features.0", "features.3")
    assert forms.max_difference <= 1e-5


def test_a_model_cannot_be_compacted(foundry: Foundry) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        foundry.client.export("models/digits-cnn", compact=True)
    assert caught.value.field == "compact"
    with pytest.raises(errors.InvalidField) as caught:
        foundry.client.compact(foundry.model.name)
    assert caught.value.field == "module"


@pytest.mark.parametrize("sizes", [[0], [1025], list(range(1, 10))], ids=["none", "too many images", "too many sizes"])
def test_batch_sizes_out_of_range_are_refused(foundry: Foundry, kernels: Module, sizes: list[int]) -> None:
    with pytest.raises(errors.InvalidField, match="latency_batch_sizes"):
        foundry.client.compact(kernels, latency_batch_sizes=sizes)


def test_commands_compact_show_and_download(
    foundry: Foundry,
    kernels: Module,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MODELFOUNDRY_REGISTRY", foundry.stack.endpoints.registry)
    monkeypatch.setenv("MODELFOUNDRY_REUSER", foundry.stack.endpoints.reuser)
    assert run(["compact", "kernels", "--latency", "1,4"]) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["original", "masked", "compacted"]
    assert "BATCH 4: MEDIAN MS (P95)" in printed
    assert run(["module", "show", "kernels"]) == 0
    shown = capsys.readouterr().out
    assert all(any(line.startswith(f"{form}  ") for line in shown.splitlines()) for form in ("masked", "compacted"))
    assert run(["module", "download", "kernels", "--compact", "--output", str(tmp_path)]) == 0
    assert '"features.0"' in (tmp_path / "module.json").read_text()
