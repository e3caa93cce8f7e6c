"""What a module's forms cost: kept with the module, measured anew, refused when it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.api.registry.v1 import module_pb2
from modelfoundry.api.types.v1 import compute_pb2, forms_pb2, metrics_pb2

NAME = "projects/default/modules/horse"


def _forms(**changes: Any) -> forms_pb2.FormComparison:
    latency = metrics_pb2.Latency(batch_size=16, median_ms=2.5, p95_ms=3.0, passes=100)
    figures = {
        "original": forms_pb2.FormCost(stored_bytes=2**40, parameters=100, macs_dense=1000, latencies=[latency]),
        "masked": forms_pb2.FormCost(stored_bytes=10, parameters=100, macs_dense=1000),
        "compacted": forms_pb2.FormCost(stored_bytes=50, parameters=40, macs_dense=300),
    }
    return forms_pb2.FormComparison(
        **{
            **figures,
            "max_difference": 1e-6,
            "held_layers": ["conv"],
            "environment": compute_pb2.Environment(python="3.11", device="cpu"),
            "operation": "projects/default/operations/op-1",
            **changes,
        }
    )


@pytest.fixture
def module(registry: Any) -> Any:
    return registry.create_module(registry.create_model("net"), registry.create_dataset("digits"), "horse")


def _set(registry: Any, forms: forms_pb2.FormComparison, name: str = NAME) -> Any:
    return registry.call("SetModuleForms", module_pb2.SetModuleFormsRequest(name=name, forms=forms))


def test_forms_are_kept_with_the_module(registry: Any, module: Any) -> None:
    assert not module.HasField("forms")
    changed = _set(registry, _forms())
    assert changed.forms == _forms()
    assert changed.etag != module.etag
    assert registry.call("GetModule", module_pb2.GetModuleRequest(name=NAME)) == changed


def test_a_new_measurement_takes_the_place_of_the_old_one(registry: Any, module: Any) -> None:
    _set(registry, _forms())
    again = _forms(compacted=forms_pb2.FormCost(stored_bytes=51), held_layers=[])
    assert _set(registry, again).forms == again


def test_forms_are_no_part_of_what_people_change(registry: Any, module: Any) -> None:
    _set(registry, _forms())
    message = module_pb2.Module(name=NAME, display_name="A horse")
    changed = registry.call("UpdateModule", module_pb2.UpdateModuleRequest(module=message))
    assert (changed.display_name, changed.forms) == ("A horse", _forms())


@pytest.mark.parametrize(
    ("forms", "field"),
    [
        (forms_pb2.FormComparison(original=forms_pb2.FormCost(), masked=forms_pb2.FormCost()), "forms.compacted"),
        (_forms(masked=forms_pb2.FormCost(macs_dense=-1)), "forms.masked.macs_dense"),
        (_forms(max_difference=-0.5), "forms.max_difference"),
        (_forms(operation="somewhere"), "forms.operation"),
        (_forms(max_difference=float("nan")), "forms.max_difference"),
    ],
    ids=["a form is missing", "negative work", "a negative difference", "no operation", "no number"],
)
def test_forms_that_cannot_be_are_refused(registry: Any, module: Any, forms: Any, field: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        _set(registry, forms)
    assert caught.value.field == field
    assert not registry.call("GetModule", module_pb2.GetModuleRequest(name=NAME)).HasField("forms")


def test_forms_of_no_module_are_refused(registry: Any) -> None:
    with pytest.raises(errors.NotFound):
        _set(registry, _forms(), "projects/default/modules/nobody")
