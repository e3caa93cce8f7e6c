"""Compositions: what they are made of, and what they keep from being deleted."""

from __future__ import annotations

from typing import Any

import pytest
from composition_zoo import NAME, PARENT, Task, Zoo
from google.protobuf import struct_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from modelfoundry import errors
from modelfoundry.api.registry.v1 import composition_pb2, dataset_pb2, evaluation_pb2, model_pb2, module_pb2
from modelfoundry.api.types.v1 import architecture_pb2, compute_pb2, problem_pb2

OPERATION = f"{PARENT}/operations/op-1"
OTHER_DIGEST = "sha256:" + "0" * 64
REQUEST_ID = "6d1a6c7e-5d36-4a5c-9d0b-1f7f6d2b8a11"


def _get(registry: Any, name: str = NAME) -> Any:
    return registry.call("GetComposition", composition_pb2.GetCompositionRequest(name=name))


def _delete(registry: Any, name: str = NAME, etag: str = "") -> None:
    registry.call("DeleteComposition", composition_pb2.DeleteCompositionRequest(name=name, etag=etag))


def test_a_composition_is_stored_with_everything_that_was_said_about_it(registry: Any, zoo: Zoo) -> None:
    settings = struct_pb2.Struct()
    settings.update({"beam_width": 4})
    record = composition_pb2.CompositionRecord(
        strategy="beam",
        score="f1",
        settings=settings,
        calibrated=True,
        validation=compute_pb2.ValidationSplit(source_split="train", fraction=0.1, seed=3),
        seed=2**53 + 1,
        validation_samples=100,
        validation_accuracy=0.9765625,
        strategies=[
            composition_pb2.StrategyReport(
                strategy="beam", validation_accuracy=0.9765625, sources=[zoo.horse.name, zoo.twin.name]
            )
        ],
        baselines=[
            composition_pb2.Baseline(name=zoo.net.name, validation_accuracy=0.5, parameters=10, macs=100),
            composition_pb2.Baseline(name="ensemble", validation_accuracy=0.6, parameters=20, macs=200),
        ],
        parameters=15,
        macs=2**40,
        operation=OPERATION,
        environment=compute_pb2.Environment(device="cpu", threads=2),
        cache_key="key-1",
    )
    asked = zoo.pets(record=record, display_name="Pets", tags={"team": "vision"})
    asked.members[0].scale, asked.members[0].bias, asked.members[0].validation_score = 1.5, -0.25, 0.875
    made = registry.create_composition(asked, "pets")

    got = _get(registry)

    assert got == made
    assert list(got.labels) == ["horse", "cat"]
    asked.members[0].source_digest = zoo.horse.artifact.digest
    asked.members[1].source_digest = zoo.twin.weights.digest
    asked.record.dataset_digests.append(zoo.dataset.digest)
    assert (list(got.members), got.record, got.input) == (list(asked.members), asked.record, asked.input)
    assert (got.task, got.display_name, dict(got.tags)) == (Task.TASK_NEW_TASK, "Pets", {"team": "vision"})
    assert registry.edges(f'subject = "{NAME}"') == [
        (NAME, "RELATION_COMPOSED_OF", zoo.horse.name, zoo.horse.artifact.digest),
        (NAME, "RELATION_COMPOSED_OF", zoo.twin.name, zoo.twin.weights.digest),
        (NAME, "RELATION_SELECTED_ON", zoo.dataset.name, zoo.dataset.digest),
        (NAME, "RELATION_PRODUCED_BY", OPERATION, ""),
    ]


def test_the_digest_names_what_is_computed_and_nothing_else(registry: Any, zoo: Zoo) -> None:
    digests = {}
    for name, change in {
        "same": {"display_name": "Another", "tags": {"a": "b"}},
        "again": {"record": composition_pb2.CompositionRecord(strategy="beam", seed=9)},
        "input": {"input": architecture_pb2.InputSpec(channels=1, height=8, width=8, mean=[0.5], std=[1])},
    }.items():
        digests[name] = registry.create_composition(zoo.pets(**change)).digest
    calibrated, swapped = zoo.pets(), zoo.pets()
    calibrated.members[1].bias = 0.5
    swapped.members.reverse()
    digests["bias"] = registry.create_composition(calibrated).digest
    digests["order"] = registry.create_composition(swapped).digest

    assert digests["same"] == digests["again"]
    assert len(set(digests.values())) == 4
    assert all(digest.startswith("sha256:") and len(digest) == 71 for digest in digests.values())


def test_a_patch_has_the_labels_of_its_base_and_says_where_they_come_from(registry: Any, zoo: Zoo) -> None:
    made = registry.create_composition(zoo.patch("cat", "dog", "horse"), "pets")

    assert made.base_model == zoo.net.name
    assert list(made.labels) == ["cat", "dog", "horse"]
    assert [edge[1:3] for edge in registry.edges(f'subject = "{NAME}"')] == [
        ("RELATION_COMPOSED_OF", zoo.net.name),
        ("RELATION_COMPOSED_OF", zoo.horse.name),
        ("RELATION_PATCH_OF", zoo.net.name),
        ("RELATION_SELECTED_ON", zoo.dataset.name),
    ]


@pytest.mark.parametrize(
    ("twins", "given", "expected"),
    [
        ("MIT", "", "MIT"),
        ("Apache-2.0", "", "Apache-2.0 AND MIT"),
        ("GPL-2.0-only OR BSD-2-Clause", "", "(GPL-2.0-only OR BSD-2-Clause) AND MIT"),
        ("", "", ""),
        ("Apache-2.0", "GPL-3.0-only", "GPL-3.0-only"),
    ],
    ids=["the same", "different", "a choice", "one has none", "given"],
)
def test_the_licence_is_that_of_the_sources(registry: Any, zoo: Zoo, twins: str, given: str, expected: str) -> None:
    change = model_pb2.Model(name=zoo.twin.name, license=twins)
    mask = FieldMask(paths=["license"])
    registry.call("UpdateModel", model_pb2.UpdateModelRequest(model=change, update_mask=mask))

    assert registry.create_composition(zoo.pets(license=given)).license == expected


def test_a_module_of_several_labels_gives_each_of_them(registry: Any, zoo: Zoo) -> None:
    posed = {"multi_class": {"labels": ["horse", "cat"]}}
    both = registry.create_module(
        zoo.net,
        zoo.dataset,
        artifact=registry.artifact(zoo.net, posed),
        problem=problem_pb2.TargetProblem(multi_class=problem_pb2.MultiClassProblem(labels=["horse", "cat"])),
    )
    message = registry.composition_message({"a": (both, "cat"), "b": (both, "horse")}, zoo.dataset)

    made = registry.create_composition(message, "pets")

    assert [member.source_digest for member in made.members] == [both.artifact.digest] * 2
    assert [edge[2] for edge in registry.edges("relation = COMPOSED_OF")] == [both.name]


def test_checking_alone_stores_nothing(registry: Any, zoo: Zoo) -> None:
    checked = registry.create_composition(zoo.pets(), "pets", validate_only=True)

    assert checked.name == NAME
    assert registry.compositions() == []


def test_a_repeated_call_gives_what_the_first_one_made(registry: Any, zoo: Zoo) -> None:
    first = registry.create_composition(zoo.pets(), request_id=REQUEST_ID)

    assert registry.create_composition(zoo.pets(), request_id=REQUEST_ID) == first
    with pytest.raises(errors.RequestIdReused):
        registry.create_composition(zoo.pets(display_name="x"), request_id=REQUEST_ID)
    assert len(registry.compositions()) == 1


def test_a_name_is_taken_once(registry: Any, zoo: Zoo) -> None:
    registry.create_composition(zoo.pets(), "pets")

    with pytest.raises(errors.AlreadyExists) as caught:
        registry.create_composition(zoo.pets(), "pets")
    assert caught.value.field == "composition_id"


def test_compositions_are_found_by_what_they_are_and_what_they_are_made_of(registry: Any, zoo: Zoo) -> None:
    registry.create_composition(zoo.pets(tags={"team": "vision"}), "pets")
    registry.create_composition(zoo.patch("cat", "dog", "horse"), "patch")

    for where, expected in {
        'task = "PATCH"': ["patch"],
        "task != PATCH": ["pets"],
        'labels:"dog"': ["patch"],
        'tags.team = "vision"': ["pets"],
        f'module:"{zoo.horse.name}"': ["patch", "pets"],
        f'model:"{zoo.twin.name}"': ["pets"],
        f'base_model = "{zoo.net.name}"': ["patch"],
        f'dataset:"{zoo.dataset.name}"': ["patch", "pets"],
        'dataset:"other"': [],
        'strategy = "per_label_best" name:"pet"': ["pets"],
        'create_time > "2020-01-01T00:00:00Z"': ["patch", "pets"],
    }.items():
        assert registry.compositions(where) == expected, where
    assert registry.compositions(order_by="name desc") == ["pets", "patch"]


def test_pages_are_the_whole_in_order(registry: Any, zoo: Zoo) -> None:
    names = [registry.create_composition(zoo.pets(), f"c{index}").name for index in range(5)]
    found: list[str] = []
    token = ""
    while True:
        response = registry.call(
            "ListCompositions", composition_pb2.ListCompositionsRequest(parent=PARENT, page_size=2, page_token=token)
        )
        found += [composition.name for composition in response.compositions]
        token = response.next_page_token
        if not token:
            break

    assert found == names[::-1]


def test_what_people_wrote_is_changed_and_an_old_etag_is_refused(registry: Any, zoo: Zoo) -> None:
    made = registry.create_composition(zoo.pets(), "pets")
    change = composition_pb2.Composition(name=NAME, display_name="Pets", etag=made.etag)
    request = composition_pb2.UpdateCompositionRequest(
        composition=change, update_mask=FieldMask(paths=["display_name"])
    )

    changed = registry.call("UpdateComposition", request)

    assert (changed.display_name, changed.digest) == ("Pets", made.digest)
    assert changed.etag != made.etag
    with pytest.raises(errors.EtagMismatch):
        registry.call("UpdateComposition", request)
    with pytest.raises(errors.EtagMismatch):
        _delete(registry, etag=made.etag)
    request.update_mask.paths[:] = ["members"]
    with pytest.raises(errors.InvalidField, match="cannot be changed"):
        registry.call("UpdateComposition", request)


def _removals(zoo: Zoo) -> dict[str, tuple[str, Any]]:
    return {
        "module": ("DeleteModule", module_pb2.DeleteModuleRequest(name=zoo.horse.name)),
        "model": ("DeleteModel", model_pb2.DeleteModelRequest(name=zoo.twin.name)),
        "data set": ("DeleteDataset", dataset_pb2.DeleteDatasetRequest(name=zoo.dataset.name)),
    }


@pytest.mark.parametrize("kind", ["module", "model", "data set"])
def test_what_a_composition_needs_stays_as_long_as_it_is_there(registry: Any, zoo: Zoo, kind: str) -> None:
    registry.create_composition(zoo.pets(), "pets")
    registry.create_evaluation(zoo.horse, zoo.dataset)

    with pytest.raises(errors.InUse) as caught:
        registry.call(*_removals(zoo)[kind])

    assert NAME in caught.value.metadata["dependents"].split(",")
    assert "`modelfoundry composition rm`" in caught.value.hint
    assert "`client.compositions.delete`" in caught.value.hint
    listed = registry.call("ListEvaluations", evaluation_pb2.ListEvaluationsRequest(parent=PARENT))
    assert len(listed.evaluations) == 1

    _delete(registry)
    for method, request in list(_removals(zoo).values())[:2]:
        registry.call(method, request)
    assert registry.models() == ["net"]


def test_a_patched_model_stays_and_its_patch_is_named_once(registry: Any, zoo: Zoo) -> None:
    registry.create_composition(zoo.patch("cat", "dog", "horse"), "pets")
    replaced = zoo.patch("cat", "dog", "horse")
    for member in replaced.members:
        member.source = zoo.twin.name
    whole = registry.create_composition(replaced, "whole")

    with pytest.raises(errors.InUse) as caught:
        registry.call("DeleteModel", model_pb2.DeleteModelRequest(name=zoo.net.name))

    assert caught.value.metadata["dependents"].split(",") == [zoo.horse.name, NAME, whole.name]


def test_a_composition_that_is_deleted_is_gone_with_its_evaluations(registry: Any, zoo: Zoo) -> None:
    made = registry.create_composition(zoo.pets(), "pets")
    registry.create_evaluation(made, zoo.dataset)
    of_the_net = registry.create_evaluation(zoo.net, zoo.dataset)

    _delete(registry)

    with pytest.raises(errors.NotFound):
        _get(registry)
    listed = registry.call("ListEvaluations", evaluation_pb2.ListEvaluationsRequest(parent=PARENT))
    assert [evaluation.name for evaluation in listed.evaluations] == [of_the_net.name]
    assert registry.edges(f'subject = "{NAME}" OR object = "{NAME}"') == []
    assert registry.compositions('labels:"horse" OR tags:*') == []
    assert registry.create_composition(zoo.pets(), "pets").uid != made.uid


def test_a_composition_is_measured_as_it_is_stored(registry: Any, zoo: Zoo) -> None:
    made = registry.create_composition(zoo.pets(), "pets")

    evaluation = registry.create_evaluation(made, zoo.dataset)

    assert (evaluation.subject, evaluation.subject_digest, evaluation.module) == (NAME, made.digest, "")
    assert (evaluation.name, "RELATION_EVALUATES", NAME, made.digest) in registry.edges()
    unknown = problem_pb2.TargetProblem(binary=problem_pb2.BinaryProblem(label="dog"))
    for fields, field in [
        ({"subject_digest": OTHER_DIGEST}, "evaluation.subject_digest"),
        ({"module": zoo.horse.name}, "evaluation.module"),
        ({"problem": unknown}, "evaluation.problem.binary.label"),
    ]:
        with pytest.raises((errors.InvalidField, errors.UnknownLabel)) as caught:
            registry.create_evaluation(made, zoo.dataset, **fields)
        assert caught.value.field == field
