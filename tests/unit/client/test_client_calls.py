"""What goes over the wire: names, masks, pages, settings."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from noting_services import MEASURED, PARENT, Services, some_model
from safetensors.numpy import save_file

from modelfoundry import errors
from modelfoundry.api.decomposer.v1 import recipe_pb2
from modelfoundry.api.registry.v1 import (
    evaluation_pb2,
    registry_service_pb2,  # noqa: F401 - makes the service known to the descriptor pool
    search_service_pb2,  # noqa: F401
)
from modelfoundry.client import (
    Architecture,
    Augmentation,
    Client,
    Device,
    Evaluation,
    GradSplitterRecipe,
    InputSpec,
    MaskableLayer,
    Relation,
    SeamRecipe,
    TensorSpec,
    TrainingRecipe,
    ValidationSplit,
)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("m", "projects/default/models/m"),
        ("models/m", "projects/default/models/m"),
        ("projects/p/models/m", "projects/p/models/m"),
        ("../m", "projects/default/models/../m"),
        ("", ""),
    ],
)
def test_ids_and_names_are_taken(serve: Any, call: Any, given: str, name: str) -> None:
    services = Services()
    call(serve(services), "models.get", given)
    assert services.requests[0].name == name


@pytest.mark.parametrize("given", ["e", "evaluations/e", Evaluation(**MEASURED, name=f"{PARENT}/evaluations/e")])
def test_an_evaluation_is_deleted_by_id_name_or_itself(serve: Any, call: Any, given: Any) -> None:
    services = Services()
    assert call(serve(services), "evaluations.delete", given) is None
    assert services.requests == [evaluation_pb2.DeleteEvaluationRequest(name=f"{PARENT}/evaluations/e")]


def test_an_update_names_the_fields_that_change_and_guards_with_the_etag(serve: Any, call: Any) -> None:
    services = Services()
    model = some_model(name="projects/default/models/m", etag='"7"')
    call(serve(services), "models.update", model, description="", tags={"a": "b"})
    (request,) = services.requests
    assert list(request.update_mask.paths) == ["description", "tags"]
    assert request.model.etag == '"7"'
    assert dict(request.model.tags) == {"a": "b"}


def test_an_update_of_nothing_is_refused_here(serve: Any, call: Any) -> None:
    services = Services()
    with pytest.raises(errors.InvalidField, match="nothing to change"):
        call(serve(services), "models.update", "m")
    assert services.requests == []


def test_a_list_goes_over_short_and_empty_pages(serve: Any, call: Any) -> None:
    services = Services()
    models = call(serve(services), "models.list", 'labels:"horse"', order_by="display_name")
    assert [model.id for model in models] == ["m0", "m2"]
    assert [request.page_token for request in services.requests] == ["", "1", "2"]
    assert {(request.filter, request.order_by) for request in services.requests} == {('labels:"horse"', "display_name")}


def test_a_list_asks_for_no_page_that_is_not_needed(serve: Any) -> None:
    services = Services()
    with Client(serve(services)) as client:
        next(iter(client.models.list()))
    assert len(services.requests) == 1


def test_provenance_leaves_out_what_it_does_not_know(serve: Any, call: Any) -> None:
    (edge,) = call(serve(Services()), "provenance")
    assert (edge.subject, edge.relation, edge.object) == ("a", Relation.MODULE_OF, "b")


def test_a_module_of_an_unknown_kind_asks_for_a_newer_client(serve: Any, call: Any) -> None:
    with pytest.raises(errors.Internal) as caught:
        call(serve(Services()), "modules.get", "m")
    assert "upgrade" in caught.value.hint


def test_a_decomposition_says_all_that_was_asked(serve: Any, call: Any) -> None:
    services = Services()
    job = call(
        serve(services),
        "decompose",
        "resnet20",
        "cifar10",
        labels=["cat", "dog"],
        recipe=SeamRecipe(recipe="paper", epochs=3, alpha=0.0, augmentation=Augmentation.CROP_FLIP),
        validation=ValidationSplit(fraction=0.25, seed=4),
        seed=5,
        device="cuda",
        module_id="pets",
        force=True,
    )
    assert job.id == "o"
    (request,) = services.requests
    assert request.model == "projects/default/models/resnet20"
    assert request.dataset == "projects/default/datasets/cifar10"
    assert list(request.seam.problem.multi_class.labels) == ["cat", "dog"]
    recipe = request.seam.recipe
    assert (recipe.recipe, recipe.epochs, recipe.alpha, recipe.augmentation) == (
        "paper",
        3,
        0.0,
        recipe_pb2.AUGMENTATION_CROP_FLIP,
    )
    assert recipe.HasField("alpha")
    assert not recipe.HasField("patience")
    assert (request.validation.source_split, request.validation.fraction, request.validation.seed) == ("train", 0.25, 4)
    assert (request.seed, request.device, request.module_id, request.force) == (5, 3, "pets", True)
    assert uuid.UUID(request.request_id).version == 4


def test_any_algorithm_of_the_contract_is_asked_by_name(serve: Any, call: Any) -> None:
    services = Services()
    settings = {"recipe": "paper", "epochs": 3, "augmentation": "crop"}
    call(serve(services), "decompose", "m", "d", label="a", algorithm="seam", settings=settings)
    call(serve(services), "decompose_all", "m", "d", label_groups=[["a", "b"]], algorithm="gradsplitter")
    one, all_labels = services.requests
    assert (one.seam.recipe.recipe, one.seam.recipe.epochs) == ("paper", 3)
    assert one.seam.recipe.augmentation == recipe_pb2.AUGMENTATION_CROP
    assert not one.seam.recipe.HasField("alpha")
    assert one.seam.problem.binary.label == "a"
    assert list(all_labels.gradsplitter.label_groups[0].labels) == ["a", "b"]


@pytest.mark.parametrize(
    ("call_name", "arguments", "field"),
    [
        ("decompose", {"algorithm": "saem"}, "algorithm"),
        ("decompose", {"algorithm": "gradsplitter"}, "algorithm"),
        ("decompose_all", {"algorithm": "seam"}, "algorithm"),
        ("decompose", {"settings": {"epoch": 3}}, "seam.recipe.epoch"),
        ("decompose", {"settings": {"epochs": "many"}}, "seam.recipe.epochs"),
        ("decompose", {"settings": {"augmentation": "turn"}}, "seam.recipe.augmentation"),
        ("decompose", {"settings": {}, "recipe": SeamRecipe()}, "settings"),
        ("decompose_all", {"algorithm": "seam", "recipe": GradSplitterRecipe()}, "recipe"),
    ],
)
def test_what_the_contract_does_not_know_is_refused_here(
    serve: Any, call: Any, call_name: str, arguments: dict[str, Any], field: str
) -> None:
    services = Services()
    with pytest.raises(errors.InvalidField) as caught:
        call(serve(services), call_name, "m", "d", **arguments)
    assert caught.value.field == field
    assert caught.value.hint
    assert services.requests == []


def test_a_problem_given_twice_is_refused_here(serve: Any, call: Any) -> None:
    with pytest.raises(errors.InvalidField, match="together"):
        call(serve(Services()), "decompose", "m", "d", label="a", labels=["a", "b"])
    with pytest.raises(errors.InvalidField, match="single string"):
        call(serve(Services()), "decompose", "m", "d", labels="ab")


def test_an_unknown_device_is_refused_here(serve: Any, call: Any) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        call(serve(Services()), "decompose", "m", "d", label="a", device="tpu")
    assert caught.value.field == "device"
    assert "cuda" in caught.value.hint


def test_a_training_says_all_that_was_asked(serve: Any, call: Any) -> None:
    services = Services()
    call(
        serve(services),
        "train",
        "zoo:simcnn",
        "cifar10",
        recipe=TrainingRecipe(epochs=2, milestones=(1,)),
        device=Device.CPU,
    )
    (request,) = services.requests
    assert request.architecture.builder == "zoo:simcnn"
    assert (request.recipe.epochs, list(request.recipe.milestones)) == (2, [1])
    assert not request.recipe.HasField("lr")


@pytest.mark.parametrize(
    ("subjects", "names"),
    [
        ("horse", ["projects/default/modules/horse"]),
        (["horse", "models/m"], ["projects/default/modules/horse", "projects/default/models/m"]),
    ],
)
def test_a_bare_subject_is_a_module(serve: Any, call: Any, subjects: Any, names: list[str]) -> None:
    services = Services()
    call(serve(services), "evaluate", subjects, "d", baselines=True, latency_batch_sizes=[1, 32])
    (request,) = services.requests
    assert list(request.subjects) == names
    assert (request.split, request.baselines, list(request.latency_batch_sizes)) == ("test", True, [1, 32])


def test_recipes_tell_zero_from_unset(serve: Any, call: Any) -> None:
    (described,) = call(serve(Services()), "recipes")
    assert described.description == "as published"
    assert (described.recipe.epochs, described.recipe.patience, described.recipe.alpha) == (300, 0, None)


def test_wrong_weights_are_named_before_anything_is_uploaded(
    serve: Any, call: Any, refuse: Any, tmp_path: Path
) -> None:
    save_file({"conv.weight": np.ones((2, 1, 3, 3), np.float32)}, tmp_path / "w.safetensors")
    services = Services()
    services.refuse = refuse
    services.wrong_weights = errors.WeightsMismatch(
        "1 tensor is missing", violations=(errors.FieldViolation("conv.bias", "missing"),)
    )
    with pytest.raises(errors.WeightsMismatch) as caught:
        call(
            serve(services),  # has no blob service: an upload would fail otherwise
            "models.push",
            tmp_path / "w.safetensors",
            architecture="zoo:digits_cnn",
            input=InputSpec(1, 8, 8),
            labels=["a", "b", "c"],
        )
    assert "conv.bias" in {violation.field for violation in caught.value.violations}
    (request,) = services.requests
    assert request.label_count == 3
    assert [(one.name, one.dtype, list(one.shape)) for one in request.tensors] == [("conv.weight", "F32", [2, 1, 3, 3])]


def test_a_check_tells_what_can_be_masked(serve: Any, call: Any) -> None:
    tensors = [TensorSpec("conv.weight", "F32", (2, 1, 3, 3))]
    check = call(serve(Services()), "models.check", Architecture("zoo:x"), InputSpec(1, 8, 8), 2, tensors)
    assert (check.parameter_count, check.mask_count) == (20, 18)
    assert check.layers == (MaskableLayer("conv", "Conv2d", (2, 1, 3, 3), False),)
