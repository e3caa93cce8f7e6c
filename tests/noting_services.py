"""Services that note what they are asked, for tests of what a client sends."""

# ruff: noqa: N802 - servicers have the methods of the contract

from __future__ import annotations

from typing import Any

import grpc
from google.longrunning import operations_pb2
from google.protobuf.empty_pb2 import Empty

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
from modelfoundry.client import Architecture, BlobRef, InputSpec, Model

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


def some_model(**fields: Any) -> Model:
    given = {
        "architecture": Architecture("zoo:x"),
        "input": InputSpec(1, 8, 8),
        "labels": ("a", "b"),
        "weights": BlobRef(f"sha256:{'0' * 64}"),
    }
    return Model(**{**given, **fields})
