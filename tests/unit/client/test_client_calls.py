"""What goes over the wire: retries, request ids, names, masks, pages, batches."""

# ruff: noqa: N802 - servicers have the methods of the contract

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.longrunning import operations_pb2
from google.protobuf import descriptor_pool
from google.protobuf.empty_pb2 import Empty
from safetensors.numpy import save_file

from modelfoundry import errors
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2, recipe_pb2, training_service_pb2
from modelfoundry.api.decomposer.v1.decomposer_service_pb2_grpc import DecomposerServiceServicer
from modelfoundry.api.decomposer.v1.training_service_pb2_grpc import TrainingServiceServicer
from modelfoundry.api.evaluator.v1 import evaluator_service_pb2
from modelfoundry.api.evaluator.v1.evaluator_service_pb2_grpc import EvaluatorServiceServicer
from modelfoundry.api.registry.v1 import (
    evaluation_pb2,
    model_pb2,
    module_pb2,
    provenance_pb2,
    registry_service_pb2,  # noqa: F401 - makes the service known to the descriptor pool
    search_service_pb2,  # noqa: F401
)
from modelfoundry.api.registry.v1.registry_service_pb2_grpc import RegistryServiceServicer
from modelfoundry.api.reuser.v1 import reuser_service_pb2
from modelfoundry.api.reuser.v1.reuser_service_pb2_grpc import ReuserServiceServicer
from modelfoundry.client import (
    Architecture,
    Augmentation,
    BlobRef,
    Client,
    Device,
    Evaluation,
    InputSpec,
    MaskableLayer,
    Model,
    Relation,
    SeamRecipe,
    TensorSpec,
    TrainingRecipe,
    ValidationSplit,
)
from modelfoundry.client.channels import REPEATABLE_METHODS, channel_options, service_config
from modelfoundry.client.images import MAX_BATCH_BYTES

PARENT = "projects/default"
MEASURED = {
    "subject": f"{PARENT}/models/m",
    "subject_digest": "s",
    "dataset": f"{PARENT}/datasets/d",
    "dataset_digest": "d",
    "split": "test",
}


class Services(
    RegistryServiceServicer,
    DecomposerServiceServicer,
    TrainingServiceServicer,
    EvaluatorServiceServicer,
    ReuserServiceServicer,
):
    """Notes requests; is away for the first `away` of them."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.requests: list[Any] = []
        self.wrong_weights: errors.WeightsMismatch | None = None
        self.refuse: Any = None

    def noted(self, request: Any, context: grpc.ServicerContext) -> None:
        self.requests.append(request)
        if len(self.requests) <= self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")

    def GetModel(self, request: model_pb2.GetModelRequest, context: grpc.ServicerContext) -> model_pb2.Model:
        self.noted(request, context)
        return model_pb2.Model(name=request.name)

    def CreateModel(self, request: model_pb2.CreateModelRequest, context: grpc.ServicerContext) -> model_pb2.Model:
        self.noted(request, context)
        return model_pb2.Model(name=f"{request.parent}/models/{request.model_id}")

    def UpdateModel(self, request: model_pb2.UpdateModelRequest, context: grpc.ServicerContext) -> model_pb2.Model:
        self.noted(request, context)
        return request.model

    def DeleteModel(self, request: model_pb2.DeleteModelRequest, context: grpc.ServicerContext) -> Empty:
        self.noted(request, context)
        return Empty()

    def ListModels(
        self, request: model_pb2.ListModelsRequest, context: grpc.ServicerContext
    ) -> model_pb2.ListModelsResponse:
        self.noted(model_pb2.ListModelsRequest.FromString(request.SerializeToString()), context)
        page = int(request.page_token or 0)
        models = [model_pb2.Model(name=f"projects/default/models/m{page}")] if page != 1 else []
        return model_pb2.ListModelsResponse(models=models, next_page_token=str(page + 1) if page < 2 else "")

    def GetModule(self, request: module_pb2.GetModuleRequest, context: grpc.ServicerContext) -> module_pb2.Module:
        self.noted(request, context)
        return module_pb2.Module(name=request.name)

    def ListEvaluations(
        self, request: evaluation_pb2.ListEvaluationsRequest, context: grpc.ServicerContext
    ) -> evaluation_pb2.ListEvaluationsResponse:
        self.noted(request, context)
        return evaluation_pb2.ListEvaluationsResponse(evaluations=[evaluation_pb2.Evaluation(name="e")])

    def DeleteEvaluation(self, request: evaluation_pb2.DeleteEvaluationRequest, context: grpc.ServicerContext) -> Empty:
        self.noted(request, context)
        return Empty()

    def ListProvenanceEdges(
        self, request: provenance_pb2.ListProvenanceEdgesRequest, context: grpc.ServicerContext
    ) -> provenance_pb2.ListProvenanceEdgesResponse:
        self.noted(request, context)
        known = provenance_pb2.ProvenanceEdge(subject="a", relation=provenance_pb2.RELATION_MODULE_OF, object="b")
        newer = provenance_pb2.ProvenanceEdge(subject="a", relation=99, object="c")  # type: ignore[arg-type]
        return provenance_pb2.ListProvenanceEdgesResponse(edges=[known, newer])

    def Decompose(self, request: decomposer_service_pb2.DecomposeRequest, context: grpc.ServicerContext) -> Any:
        self.noted(request, context)
        return operations_pb2.Operation(name="projects/default/operations/o")

    def ListRecipes(
        self, request: decomposer_service_pb2.ListRecipesRequest, context: grpc.ServicerContext
    ) -> decomposer_service_pb2.ListRecipesResponse:
        recipe = recipe_pb2.SeamRecipe(recipe="paper", epochs=300, head_epoch_every=0, patience=0)
        described = decomposer_service_pb2.RecipeDescription(recipe=recipe, description="as published")
        return decomposer_service_pb2.ListRecipesResponse(recipes=[described])

    def TrainModel(self, request: training_service_pb2.TrainModelRequest, context: grpc.ServicerContext) -> Any:
        return self.Decompose(request, context)  # type: ignore[arg-type]

    def Evaluate(self, request: evaluator_service_pb2.EvaluateRequest, context: grpc.ServicerContext) -> Any:
        return self.Decompose(request, context)  # type: ignore[arg-type]

    def Export(self, request: reuser_service_pb2.ExportRequest, context: grpc.ServicerContext) -> Any:
        return self.Decompose(request, context)  # type: ignore[arg-type]

    def CheckModel(
        self, request: evaluator_service_pb2.CheckModelRequest, context: grpc.ServicerContext
    ) -> evaluator_service_pb2.CheckModelResponse:
        self.noted(request, context)
        if self.wrong_weights is not None:
            self.refuse(context, self.wrong_weights)
        layer = evaluator_service_pb2.MaskableLayer(layer="conv", type="Conv2d", weight_shape=[2, 1, 3, 3])
        return evaluator_service_pb2.CheckModelResponse(parameter_count=20, mask_count=18, layers=[layer])

    def Predict(
        self, request: reuser_service_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> reuser_service_pb2.PredictResponse:
        self.noted(request, context)
        answers = [
            reuser_service_pb2.Prediction(
                labels=[reuser_service_pb2.LabelProbability(label=str(len(image.encoded)), probability=1.0)]
            )
            for image in request.images
        ]
        return reuser_service_pb2.PredictResponse(subject=request.subject, subject_digest="d", predictions=answers)


def test_reads_are_repeated_while_the_service_is_away(serve: Any, call: Any) -> None:
    services = Services(away=3)
    assert call(serve(services), "models.get", "m").id == "m"
    assert len(services.requests) == 4


def test_a_service_that_stays_away_is_given_up_after_four_attempts(serve: Any, call: Any) -> None:
    services = Services(away=99)
    with pytest.raises(errors.Unavailable, match="away"):
        call(serve(services), "models.get", "m")
    assert len(services.requests) == 4


def test_creating_is_repeated_with_one_request_id(serve: Any, call: Any) -> None:
    services = Services(away=2)
    endpoints = serve(services)
    call(endpoints, "models.create", _model(), model_id="m")
    assert len(services.requests) == 3
    (request_id,) = {request.request_id for request in services.requests}
    assert uuid.UUID(request_id).version == 4


def test_two_creations_have_two_request_ids(serve: Any, call: Any) -> None:
    services = Services()
    endpoints = serve(services)
    for _ in range(2):
        call(endpoints, "models.create", _model(), model_id="m")
    assert len({request.request_id for request in services.requests}) == 2


@pytest.mark.parametrize("method", ["models.delete", "models.update", "evaluations.delete"])
def test_what_is_not_safe_to_repeat_is_not_repeated(serve: Any, call: Any, method: str) -> None:
    services = Services(away=1)
    changes = {"description": "x"} if method == "models.update" else {}
    with pytest.raises(errors.Unavailable):
        call(serve(services), method, "m", **changes)
    assert len(services.requests) == 1


def test_all_methods_that_are_repeated_exist() -> None:
    pool = descriptor_pool.Default()
    for service, methods in REPEATABLE_METHODS.items():
        known = {method.name for method in pool.FindServiceByName(service).methods}
        assert set(methods) <= known, service


def test_all_methods_that_only_read_are_repeated() -> None:
    """Streams that are followed are opened again where they broke off, by the SDK itself."""
    followed = {"WatchEvents", "WatchOperation", "ReadBlob"}
    read = re.compile("Get|List|Find|Search|Check|Read|Watch")
    pool = descriptor_pool.Default()
    for service in filter(re.compile("modelfoundry").match, REPEATABLE_METHODS):
        methods = {method.name for method in pool.FindServiceByName(service).methods if read.match(method.name)}
        assert methods - followed <= set(REPEATABLE_METHODS[service]), service


def test_a_service_that_listens_again_is_found_before_the_last_attempt() -> None:
    (config,) = json.loads(service_config())["methodConfig"]
    policy = config["retryPolicy"]
    first, factor = float(policy["initialBackoff"].rstrip("s")), policy["backoffMultiplier"]
    waited = sum(first * factor**attempt for attempt in range(policy["maxAttempts"] - 1))
    reconnected = dict(channel_options("registry:1"))["grpc.max_reconnect_backoff_ms"] / 1000
    jitter = 0.2  # of both
    assert waited * (1 - jitter) > reconnected * (1 + jitter)


def test_only_unavailable_is_repeated() -> None:
    (config,) = json.loads(service_config())["methodConfig"]
    assert config["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert config["retryPolicy"]["maxAttempts"] == 4
    assert "retryThrottling" in json.loads(service_config())


@pytest.mark.parametrize(
    ("address", "direct"),
    [("127.0.0.1:1", True), ("localhost:1", True), ("[::1]:1", True), ("registry:1", False), ("10.0.0.1:1", False)],
)
def test_loopback_is_reached_without_a_proxy(address: str, direct: bool) -> None:
    assert (("grpc.enable_http_proxy", 0) in channel_options(address)) is direct


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
    model = _model(name="projects/default/models/m", etag='"7"')
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
        recipe=SeamRecipe(epochs=3, alpha=0.0, augmentation=Augmentation.CROP_FLIP),
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


def test_many_images_go_in_several_calls_and_come_back_in_order(serve: Any, call: Any) -> None:
    services = Services()
    images = [bytes(1 + number) for number in range(1500)]
    predictions = call(serve(services), "predict", "horse", images, top_k=1)
    assert [prediction.label for prediction in predictions] == [str(1 + number) for number in range(1500)]
    assert [len(request.images) for request in services.requests] == [1024, 476]
    assert {request.top_k for request in services.requests} == {1}
    assert predictions[0].subject == "projects/default/modules/horse"


def test_large_images_go_in_as_many_calls_as_messages_need(serve: Any, call: Any) -> None:
    services = Services()
    call(serve(services), "predict", "horse", [bytes(1024 * 1024)] * 7)
    assert [len(request.images) for request in services.requests] == [3, 3, 1]


def test_an_image_above_the_limit_is_named(serve: Any, call: Any) -> None:
    with pytest.raises(errors.TooLarge) as caught:
        call(serve(Services()), "predict", "horse", [b"x", bytes(MAX_BATCH_BYTES)])
    assert caught.value.field == "images[1]"


def test_arrays_and_files_are_images(serve: Any, call: Any, tmp_path: Path) -> None:
    services = Services()
    (tmp_path / "a.png").write_bytes(b"png")
    batch = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
    call(serve(services), "predict", "horse", batch)
    call(serve(services), "predict", "horse", batch[0])
    call(serve(services), "predict", "horse", tmp_path / "a.png")
    call(serve(services), "predict", "horse", str(tmp_path / "a.png"))
    several, single, path, text = services.requests
    assert len(several.images) == 2
    assert [list(image.pixels.shape) for image in (*several.images, *single.images)] == [[3, 2, 2]] * 3
    assert several.images[1].pixels.values == bytes(range(12, 24))
    assert path.images[0].encoded == text.images[0].encoded == b"png"


@pytest.mark.parametrize(
    "image",
    [np.zeros((3, 2, 2), np.float32), np.zeros((2, 2), np.uint8), 7, "no-such-file.png"],
    ids=["floats", "flat", "number", "missing"],
)
def test_what_is_no_image_is_named(serve: Any, call: Any, image: Any) -> None:
    with pytest.raises(errors.InvalidImage) as caught:
        call(serve(Services()), "predict", "horse", [b"x", image])
    assert caught.value.field == "images[1]"


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


def _model(**fields: Any) -> Model:
    given = {
        "architecture": Architecture("zoo:x"),
        "input": InputSpec(1, 8, 8),
        "labels": ("a", "b"),
        "weights": BlobRef(f"sha256:{'0' * 64}"),
    }
    return Model(**{**given, **fields})
