"""Exports of modules without their dead channels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import Tensor

from modelfoundry.core.channels import ChannelMasks, kernel_weight_masks, plan_channels
from modelfoundry.core.export import (
    ExportSubject,
    classifier_of,
    export_onnx,
    export_safetensors,
    export_torch,
    load_exported,
    max_difference,
)
from modelfoundry.core.masking import masked_state
from modelfoundry.core.modules import compact_module
from modelfoundry.errors import MalformedFile, WeightsMismatch
from modelfoundry.values.architectures import InputSpec

Make = Callable[[str, InputSpec], ExportSubject]
SPEC = InputSpec(3, 32, 32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.2))


@dataclass(frozen=True)
class _Forms:
    masked: ExportSubject
    compacted: ExportSubject


@pytest.fixture(
    scope="module", params=["zoo:resnet20", pytest.param("torchvision:mobilenet_v2", marks=pytest.mark.slow)]
)
def forms(request: pytest.FixtureRequest, module_subject: Make) -> _Forms:
    """A module whose every second kernel was dropped, masked and compacted."""
    masked = module_subject(request.param, SPEC)
    network = masked.network.network
    plan = plan_channels(network, SPEC)
    masks = ChannelMasks({group.name: torch.arange(group.units) % 2 == 0 for group in plan.kernel_groups})
    network.load_state_dict(masked_state(network, kernel_weight_masks(network, plan, masks)), strict=False)
    found = compact_module(masked.network, plan)
    return _Forms(masked, replace(masked, network=found.module))


def _loaded(name: str, folder: Path) -> Callable[[Tensor], Tensor]:
    if name == "torch":
        return torch.export.load(folder / "model.pt2").module()
    if name == "onnx":
        session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
        return lambda images: torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])
    return load_exported(folder)


@pytest.mark.parametrize(
    ("name", "export"),
    [("safetensors", export_safetensors), ("torch", export_torch), ("onnx", export_onnx)],
    ids=["safetensors", "torch", "onnx"],
)
def test_a_compacted_export_gives_the_logits_of_the_masked_module_from_a_smaller_file(
    forms: _Forms, tmp_path: Path, name: str, export: Callable[[ExportSubject, Path], object]
) -> None:
    for form, subject in (("masked", forms.masked), ("compacted", forms.compacted)):
        (tmp_path / form).mkdir()
        export(subject, tmp_path / form)
    assert max_difference(_loaded(name, tmp_path / "compacted"), classifier_of(forms.masked)) <= 1e-5
    sizes = {form: max(path.stat().st_size for path in (tmp_path / form).iterdir()) for form in ("masked", "compacted")}
    assert sizes["compacted"] < 0.8 * sizes["masked"]


def test_widths_that_do_not_fit_the_weights_are_refused(forms: _Forms, tmp_path: Path) -> None:
    export_safetensors(forms.compacted, tmp_path)
    described = json.loads((tmp_path / "module.json").read_text())
    layer = next(name for name, widths in described["widths"].items() if widths["outputs"] is not None)
    for widths, error in (
        ({}, WeightsMismatch),
        ({**described["widths"], layer: {"inputs": None, "outputs": 1}}, WeightsMismatch),
        ({**described["widths"], layer: {"inputs": None, "outputs": 10**9}}, MalformedFile),
        ({**described["widths"], "nowhere": {"inputs": 1, "outputs": 1}}, MalformedFile),
        ({layer: {"inputs": "1", "outputs": 1}}, MalformedFile),
        ([], MalformedFile),
    ):
        (tmp_path / "module.json").write_text(json.dumps({**described, "widths": widths}))
        with pytest.raises(error):
            load_exported(tmp_path)


def test_descriptions_of_former_versions_have_no_widths(forms: _Forms, tmp_path: Path) -> None:
    export_safetensors(forms.masked, tmp_path)
    described = json.loads((tmp_path / "module.json").read_text())
    del described["widths"]
    (tmp_path / "module.json").write_text(json.dumps(described))
    assert max_difference(load_exported(tmp_path), classifier_of(forms.masked)) == 0
