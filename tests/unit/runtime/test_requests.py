from __future__ import annotations

import pytest
from google.protobuf import any_pb2

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as decomposer_pb2
from modelfoundry.api.operations.v1 import job_queue_service_pb2 as queue_pb2
from modelfoundry.api.registry.v1 import (
    module_pb2,
    registry_service_pb2,  # noqa: F401 - registers what modules refer to
)
from modelfoundry.api.reuser.v1 import reuser_service_pb2 as reuser_pb2
from modelfoundry.api.types.v1 import architecture_pb2
from modelfoundry.runtime.requests import VIOLATION_LIMIT, violations_of


def fields(request) -> list[str]:
    return [violation.field for violation in violations_of(request)]


def test_a_whole_request_is_fine() -> None:
    assert fields(module_pb2.GetModuleRequest(name="projects/default/modules/cow")) == []


def test_an_empty_request_lacks_all_that_is_required() -> None:
    assert fields(decomposer_pb2.DecomposeRequest()) == ["parent", "model", "dataset"]


def test_a_required_message_that_is_there_is_looked_into() -> None:
    request = module_pb2.CreateModuleRequest(parent="p", module=module_pb2.Module(base_model="m"))
    assert fields(request) == ["module.problem", "module.artifact", "module.dataset", "module.record"]


def test_elements_of_lists_are_named_by_their_place() -> None:
    good = reuser_pb2.ImageInput(encoded=b"png")
    bad = reuser_pb2.ImageInput(pixels=reuser_pb2.PixelTensor(shape=[1, 8, 8]))
    assert fields(reuser_pb2.PredictRequest(subject="s", images=[good, bad])) == ["images[1].pixels.values"]


def test_zero_of_a_required_number_is_missing() -> None:
    assert fields(architecture_pb2.InputSpec(channels=3, height=8)) == ["width"]


def test_a_missing_choice_names_the_choices() -> None:
    (violation,) = violations_of(reuser_pb2.ExportRequest(parent="p", subject="s"))
    assert violation.field == "format"
    assert "EXPORT_FORMAT_ONNX" in violation.remedy
    assert "UNSPECIFIED" not in violation.remedy


def test_an_update_may_be_partial() -> None:
    request = module_pb2.UpdateModuleRequest(module=module_pb2.Module(name="n", display_name="d"))
    assert fields(request) == []
    assert fields(module_pb2.UpdateModuleRequest()) == ["module"]


@pytest.mark.parametrize("length", [65_536, 65_537])
def test_strings_have_a_longest_length(length) -> None:
    assert bool(fields(module_pb2.GetModuleRequest(name="ü" * length))) is (length > 65_536)


def test_long_keys_and_values_of_maps_are_named() -> None:
    long = "x" * 70_000
    module = module_pb2.Module(name="n", tags={"team": long, long: "v"})
    found = fields(module_pb2.UpdateModuleRequest(module=module))
    assert sorted(found) == ["module.tags (a key)", 'module.tags["team"]']


def test_bytes_may_be_long() -> None:
    images = [reuser_pb2.ImageInput(encoded=bytes(200_000))]
    assert fields(reuser_pb2.PredictRequest(subject="s", images=images)) == []


def test_what_is_packed_is_the_business_of_who_unpacks_it() -> None:
    packed = any_pb2.Any(type_url="type.googleapis.com/no.such.Type", value=b"?")
    request = queue_pb2.EnqueueOperationRequest(parent="p", kind="k", request=packed)
    assert fields(request) == []


def test_a_negative_page_size_is_refused_with_the_range() -> None:
    (violation,) = violations_of(module_pb2.ListModulesRequest(parent="p", page_size=-1))
    assert violation.field == "page_size"
    assert "between 0" in violation.remedy


def test_not_more_is_told_than_a_person_reads() -> None:
    images = [reuser_pb2.ImageInput(pixels={}) for _ in range(500)]
    assert len(violations_of(reuser_pb2.PredictRequest(subject="s", images=images))) == VIOLATION_LIMIT
