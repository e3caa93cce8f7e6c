"""What the decomposer's workers run. Named by import path in `app.py`, imported in the worker process."""

from __future__ import annotations

import torch._dynamo  # noqa: F401 - checking a network and training one import it, which takes seconds

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2, rebuild_service_pb2, training_service_pb2
from modelfoundry.decomposer.decompose import decompose
from modelfoundry.decomposer.plan import plan_checked
from modelfoundry.decomposer.rebuild import rebuild
from modelfoundry.decomposer.rebuild_plan import plan_rebuild
from modelfoundry.decomposer.requests import decomposition_from_proto
from modelfoundry.decomposer.settings import DecomposerSettings
from modelfoundry.decomposer.training import plan_training, train_model
from modelfoundry.decomposer.training_requests import training_from_proto
from modelfoundry.runtime.jobs import JobContext
from modelfoundry.wire.known import known_from_proto
from modelfoundry.wire.statements import rebuild_to_proto
from modelfoundry.workbench.jobs import workbench


def run_decompose(
    request: decomposer_service_pb2.DecomposeRequest, context: JobContext
) -> decomposer_service_pb2.DecomposeResponse:
    """Carries a queued Decompose out."""
    with workbench(context, DecomposerSettings(), known_from_proto(request.known)) as bench:
        wanted = decomposition_from_proto(request)
        model, dataset = bench.resources.model(wanted.model), bench.resources.dataset(wanted.dataset)
        modules = decompose(plan_checked(wanted, model, dataset), context.name, bench)
    return decomposer_service_pb2.DecomposeResponse(modules=modules)


def run_rebuild(
    request: rebuild_service_pb2.RebuildRequest, context: JobContext
) -> rebuild_service_pb2.RebuildResponse:
    """Carries a queued Rebuild out."""
    with workbench(context, DecomposerSettings()) as bench:
        module = bench.client.modules.get(request.module)
        model, dataset = bench.client.models.get(module.base_model), bench.client.datasets.get(module.dataset)
        return rebuild_to_proto(rebuild(module, plan_rebuild(module, model, dataset), bench))


def run_train(
    request: training_service_pb2.TrainModelRequest, context: JobContext
) -> training_service_pb2.TrainModelResponse:
    """Carries a queued TrainModel out."""
    with workbench(context, DecomposerSettings()) as bench:
        wanted = training_from_proto(request)
        plan = plan_training(wanted, bench.client.datasets.get(wanted.dataset))
        trained = train_model(plan, context.name, bench)
    return training_service_pb2.TrainModelResponse(model=trained.name, validation_accuracy=trained.validation_accuracy)
