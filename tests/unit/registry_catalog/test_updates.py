"""Updates: masks, etags, and what cannot be changed."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from modelfoundry import errors
from modelfoundry.api.registry.v1 import dataset_pb2, model_pb2, module_pb2

NAME = "projects/default/models/net"


@pytest.fixture
def net(registry: Any) -> Any:
    return registry.create_model("net", display_name="Net", description="old", license="MIT", tags={"team": "vision"})


def _update(registry: Any, *paths: str, **fields: Any) -> Any:
    mask = FieldMask(paths=paths) if paths else None
    message = model_pb2.Model(**{"name": NAME, **fields})
    return registry.call("UpdateModel", model_pb2.UpdateModelRequest(model=message, update_mask=mask))


def _get(registry: Any) -> Any:
    return registry.call("GetModel", model_pb2.GetModelRequest(name=NAME))


def test_a_mask_changes_what_it_names_and_nothing_else(registry: Any, net: Any) -> None:
    updated = _update(registry, "description", "tags", display_name="ignored", description="new", tags={"year": "2026"})

    assert (updated.description, updated.display_name, updated.license) == ("new", "Net", "MIT")
    assert dict(updated.tags) == {"year": "2026"}
    assert updated == _get(registry)
    assert updated.etag != net.etag
    assert updated.update_time.ToNanoseconds() >= net.update_time.ToNanoseconds()
    assert updated.create_time == net.create_time
    assert updated.uid == net.uid


def test_a_mask_empties_what_it_names(registry: Any, net: Any) -> None:
    updated = _update(registry, "description", "tags")

    assert updated.description == ""
    assert dict(updated.tags) == {}


def test_without_a_mask_fields_that_are_not_empty_are_changed(registry: Any, net: Any) -> None:
    updated = _update(registry, license="Apache-2.0")

    assert (updated.license, updated.display_name, updated.description) == ("Apache-2.0", "Net", "old")
    assert dict(updated.tags) == {"team": "vision"}


def test_a_star_changes_everything_that_people_write(registry: Any, net: Any) -> None:
    updated = _update(registry, "*", display_name="Only this")

    assert (updated.display_name, updated.description, updated.license) == ("Only this", "", "")
    assert dict(updated.tags) == {}
    assert list(updated.labels) == list(net.labels)


def test_output_only_fields_in_a_mask_are_ignored(registry: Any, net: Any) -> None:
    updated = _update(registry, "uid", "create_time", "etag", "name", "tensors", "license", uid="mine", license="X")

    assert updated.license == "X"
    assert updated.uid == net.uid
    assert updated.tensors == net.tensors


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("displayname", "did you mean display_name?"),
        ("model.license", "did you mean license?"),
        ("tags.team", "did you mean tags?"),
        ("", "name some of"),
        ("labels", "register a new resource instead"),
        ("weights", "register a new resource instead"),
        ("; DROP TABLE models", "name some of"),
        ("x" * 10_000_000, "name some of"),
    ],
)
def test_a_path_that_cannot_be_changed_is_refused(registry: Any, net: Any, path: str, hint: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        _update(registry, "license", path, license="X")

    assert caught.value.field == "update_mask"
    assert caught.value.hint.startswith(hint)
    assert _get(registry) == net


def test_a_star_stands_alone(registry: Any, net: Any) -> None:
    with pytest.raises(errors.InvalidField):
        _update(registry, "*", "license")


def test_the_current_etag_is_taken_and_an_old_one_refused(registry: Any, net: Any) -> None:
    first = _update(registry, license="A", etag=net.etag)

    with pytest.raises(errors.EtagMismatch) as caught:
        _update(registry, license="B", etag=net.etag)

    assert caught.value.metadata == {"etag": first.etag}
    assert _get(registry) == first


def test_an_update_that_changes_nothing_leaves_the_etag(registry: Any, net: Any) -> None:
    assert _update(registry, license="MIT") == net


def test_new_values_keep_the_rules(registry: Any, net: Any) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        _update(registry, "license", license="x" * 101)

    assert caught.value.field == "model.license"
    assert _get(registry) == net


def test_an_unknown_resource_is_answered_with_near_names(registry: Any, net: Any) -> None:
    with pytest.raises(errors.NotFound) as caught:
        _update(registry, name="projects/default/models/nett", license="X")

    assert caught.value.field == "model.name"
    assert caught.value.metadata["near"] == "net"


def test_lists_find_new_tags_and_no_old_ones(registry: Any, net: Any) -> None:
    _update(registry, "tags", tags={"team": "speech"})

    assert registry.models('tags.team = "speech"') == ["net"]
    assert registry.models('tags.team = "vision"') == []


def test_data_sets_and_modules_are_updated_alike(registry: Any, net: Any) -> None:
    dataset = registry.create_dataset("digits")
    module = registry.create_module(net, dataset, "horse")

    dataset_message = dataset_pb2.Dataset(name=dataset.name, license="CC0-1.0", etag=dataset.etag)
    new_dataset = registry.call("UpdateDataset", dataset_pb2.UpdateDatasetRequest(dataset=dataset_message))
    module_message = module_pb2.Module(name=module.name, description="good", etag=module.etag)
    new_module = registry.call("UpdateModule", module_pb2.UpdateModuleRequest(module=module_message))

    assert new_dataset.license == "CC0-1.0"
    assert new_dataset.etag != dataset.etag
    assert new_module.description == "good"
    assert new_module.record == module.record
    with pytest.raises(errors.InvalidField, match="'base_model' cannot be changed"):
        registry.call(
            "UpdateModule",
            module_pb2.UpdateModuleRequest(module=module_message, update_mask=FieldMask(paths=["base_model"])),
        )
