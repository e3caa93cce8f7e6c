"""Compositions as files: rebuilt with what their sources share, and refused when their description is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from modelfoundry.core.channels import plan_channels
from modelfoundry.core.composing import Calibration, Member, Readout, compose_network
from modelfoundry.core.export import CompositionSubject, ExportSubject, export_safetensors, load_exported
from modelfoundry.core.metrics import cost
from modelfoundry.core.modules import MaterialisedModule, compact_module
from modelfoundry.errors import MalformedFile
from modelfoundry.values.architectures import InputSpec

SPEC = InputSpec(1, 8, 8, (0.3,), (0.5,))
OTHER = InputSpec(1, 8, 8, (0.1,), (0.2,))
IMAGES = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
MEMBERS = (
    Member(0, Readout(4)),
    Member(1, Readout(0, rest=1), Calibration(1.5, -0.25)),
    Member(2, Readout(0, rest=1)),
)

Make = Callable[[str, InputSpec], ExportSubject]


def joined(*sources: ExportSubject) -> CompositionSubject:
    network, spec = compose_network([(s.network, s.input_spec) for s in sources], MEMBERS, ("a", "b", "c"))
    return CompositionSubject(network, network.labels, spec, sources, MEMBERS)


@pytest.fixture
def subject(model_subject: Make, module_subject: Make) -> CompositionSubject:
    """A model, and a module of it twice, once with another normalisation."""
    return joined(
        model_subject("zoo:digits_cnn", SPEC),
        module_subject("zoo:digits_cnn", SPEC),
        module_subject("zoo:digits_cnn", OTHER),
    )


def test_a_composition_is_rebuilt_and_shares_again(subject: CompositionSubject, tmp_path: Path) -> None:
    export = export_safetensors(subject, tmp_path)
    assert export.max_difference == 0
    loaded = load_exported(tmp_path)
    assert loaded.outputs == ("a", "b", "c")
    with torch.inference_mode():
        torch.testing.assert_close(loaded(IMAGES), subject.network(IMAGES))
    assert cost(loaded.network, subject.input_spec) == cost(subject.network, subject.input_spec)
    weights = sum(p.numel() for p in subject.network.parameters()) * 4
    assert (tmp_path / "model.safetensors").stat().st_size < 1.2 * weights  # the module's weights once


def test_compacted_modules_are_rebuilt_at_their_widths(
    model_subject: Make, module_subject: Make, tmp_path: Path
) -> None:
    module = module_subject("zoo:digits_cnn", SPEC)
    assert isinstance(module.network, MaterialisedModule)
    with torch.no_grad():
        module.network.network.get_parameter("features.3.weight")[:, :20] = 0  # nothing reads 20 channels
    found = compact_module(module.network, plan_channels(module.network.network, SPEC))
    smaller = replace(module, network=found.module)
    subject = joined(model_subject("zoo:digits_cnn", SPEC), smaller, module_subject("zoo:digits_cnn", OTHER))
    export_safetensors(subject, tmp_path)
    loaded = load_exported(tmp_path)
    assert loaded.get_parameter("network.sources.1.network.network.features.0.weight").shape[0] == 12
    with torch.inference_mode():
        torch.testing.assert_close(loaded(IMAGES), subject.network(IMAGES))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda d: d["members"].pop(), id="a member less than labels"),
        pytest.param(lambda d: d["members"][0].update(source=7), id="a source that is not there"),
        pytest.param(lambda d: d["members"][1].update(scale=-1.0), id="a scale below 0"),
        pytest.param(lambda d: d["members"][1].update(output="0"), id="an output that is no number"),
        pytest.param(lambda d: d["members"][1].update(output=2), id="an output that is not there"),
        pytest.param(lambda d: d["members"][1].update(rest=-1), id="a rest that is not there"),
        pytest.param(lambda d: d.pop("shared_tensors"), id="no shared tensors"),
        pytest.param(lambda d: d["sources"][1].update(kind="program"), id="a source of another kind"),
        pytest.param(lambda d: d.update(kind="thing"), id="another kind"),
    ],
)
def test_a_damaged_description_is_refused(
    subject: CompositionSubject, tmp_path: Path, damage: Callable[[dict[str, Any]], object]
) -> None:
    export_safetensors(subject, tmp_path)
    path = tmp_path / "module.json"
    description = json.loads(path.read_text())
    damage(description)
    path.write_text(json.dumps(description))
    with pytest.raises(MalformedFile):
        load_exported(tmp_path)
