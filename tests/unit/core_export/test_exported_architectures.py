"""What an export describes as an architecture of its own: built, checked and loaded like every other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors
import torch
from torch import nn

from modelfoundry.core.channels import plan_channels
from modelfoundry.core.composing import Calibration, Member, Readout, compose_network
from modelfoundry.core.export import CompositionSubject, Exportable, ExportSubject, export_safetensors
from modelfoundry.core.modules import LogOdds, MaterialisedModule, compact_module, head_network
from modelfoundry.core.networks import check_weights, load_network
from modelfoundry.errors import InvalidField, WeightsMismatch
from modelfoundry.values.architectures import Architecture, InputSpec, TensorSpec

SPEC = InputSpec(1, 8, 8, (0.3,), (0.5,))
IMAGES = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
PARTS = ("problem", "base", "head", "widths", "sources", "members", "shared_tensors")

Make = Callable[[str, InputSpec], ExportSubject]


def _compacted(module: ExportSubject) -> ExportSubject:
    assert isinstance(module.network, MaterialisedModule)
    with torch.no_grad():
        module.network.network.get_parameter("features.3.weight")[:, :20] = 0  # nothing reads 20 channels
    found = compact_module(module.network, plan_channels(module.network.network, SPEC))
    return replace(module, network=found.module)


def _of_two_layers(module: ExportSubject) -> ExportSubject:
    assert isinstance(module.network, MaterialisedModule)
    head = head_network(10, (7, 2), "cpu")
    assert isinstance(head, nn.Sequential)
    return replace(module, network=MaterialisedModule(module.network.network, head, ("3", "rest")).eval())


def _of_log_odds(module: ExportSubject) -> ExportSubject:
    assert isinstance(module.network, MaterialisedModule)
    return replace(
        module, network=MaterialisedModule(module.network.network, LogOdds(10, (3,), rest=True), ("3", "rest"))
    )


def _joined(model: ExportSubject, module: ExportSubject) -> CompositionSubject:
    """A model and two modules of it, one of them without its dead channels."""
    sources = (model, module, _compacted(replace(module, input_spec=replace(SPEC, mean=(0.1,)))))
    members = (Member(0, Readout(4)), Member(1, Readout(0, rest=1), Calibration(1.5, -0.25)), Member(2, Readout(0, 1)))
    network, spec = compose_network([(s.network, s.input_spec) for s in sources], members, ("a", "b", "c"))
    return CompositionSubject(network, network.labels, spec, sources, members)


@pytest.fixture(params=["masked", "compacted", "head of two layers", "log-odds", "composition"])
def subject(request: pytest.FixtureRequest, model_subject: Make, module_subject: Make) -> Exportable:
    module = module_subject("zoo:digits_cnn", SPEC)
    match request.param:
        case "compacted":
            return _compacted(module)
        case "head of two layers":
            return _of_two_layers(module)
        case "log-odds":
            return _of_log_odds(module)
        case "composition":
            return _joined(model_subject("zoo:digits_cnn", SPEC), module)
    return module


def _exported(subject: Exportable, folder: Path) -> tuple[Architecture, dict[str, Any]]:
    """As the registry hands it back: numbers are doubles there."""
    export_safetensors(subject, folder)
    described = json.loads((folder / "module.json").read_text(), parse_int=float)
    parameters = {part: described[part] for part in PARTS if part in described}
    return Architecture(f"exported:{described['kind']}", parameters), described


def _specs(path: Path) -> list[TensorSpec]:
    with safetensors.safe_open(path, framework="pt") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
    return [TensorSpec(name, one.get_dtype(), tuple(one.get_shape())) for name, one in slices.items()]


def test_weights_of_an_export_fit_and_compute_the_same(subject: Exportable, tmp_path: Path) -> None:
    architecture, _ = _exported(subject, tmp_path)
    path = tmp_path / "model.safetensors"
    count = len(subject.outputs)

    check_weights(architecture, count, subject.input_spec, _specs(path))
    loaded = load_network(architecture, count, subject.input_spec, path)

    with torch.inference_mode():
        torch.testing.assert_close(loaded(IMAGES), subject.network(IMAGES))


def test_an_exported_architecture_is_exported_again(module_subject: Make, tmp_path: Path) -> None:
    module = module_subject("zoo:digits_cnn", SPEC)
    architecture, _ = _exported(module, tmp_path)
    network = load_network(architecture, 2, SPEC, tmp_path / "model.safetensors")
    again = ExportSubject(network, ("3", "rest"), architecture, 2, SPEC, module.weights_digest)
    (tmp_path / "again").mkdir()

    assert export_safetensors(again, tmp_path / "again").max_difference == 0


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        pytest.param(lambda d: d.update(head=[3]), InvalidField, id="a head of other outputs"),
        pytest.param(lambda d: d.update(head=[7, 2]), WeightsMismatch, id="a head of other layers"),
        pytest.param(lambda d: d.update(head=[]), InvalidField, id="no head"),
        pytest.param(lambda d: d.pop("base"), InvalidField, id="no base"),
        pytest.param(lambda d: d["base"].update(label_count=9), WeightsMismatch, id="a base of other labels"),
        pytest.param(lambda d: d.update(widths={"x": {"inputs": 1, "outputs": 1}}), InvalidField, id="no such layer"),
    ],
)
def test_what_does_not_describe_the_weights_is_refused(
    module_subject: Make, tmp_path: Path, damage: Callable[[dict[str, Any]], object], error: type[Exception]
) -> None:
    architecture, described = _exported(module_subject("zoo:digits_cnn", SPEC), tmp_path)
    described = {part: described[part] for part in PARTS if part in described}
    damage(described)

    with pytest.raises(error):
        check_weights(Architecture(architecture.builder, described), 2, SPEC, _specs(tmp_path / "model.safetensors"))
