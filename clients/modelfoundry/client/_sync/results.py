# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""From what a finished job answers to what the caller wants: the resources themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2, rebuild_service_pb2, training_service_pb2
from modelfoundry.api.evaluator.v1 import evaluator_service_pb2
from modelfoundry.api.registry.v1 import composition_pb2, evaluation_pb2, model_pb2, module_pb2
from modelfoundry.api.reuser.v1 import composing_pb2, on_demand_service_pb2, reuser_service_pb2
from modelfoundry.client.endpoints import Service
from modelfoundry.client.transport import Transport
from modelfoundry.errors import Internal
from modelfoundry.values.compositions import Composition
from modelfoundry.values.resources import Evaluation, Model, Module
from modelfoundry.values.results import ComposedModel, JobResult, RequestedModules, TrainedModel
from modelfoundry.wire.composing import replacement_from_proto
from modelfoundry.wire.compositions import composition_from_proto
from modelfoundry.wire.exports import compaction_from_proto, export_from_proto
from modelfoundry.wire.modules import evaluation_from_proto, module_from_proto
from modelfoundry.wire.on_demand import requested_module_from_proto
from modelfoundry.wire.resources import model_from_proto
from modelfoundry.wire.statements import rebuild_from_proto

WHOLE_RESULTS: Final[tuple[tuple[type[Message], Callable[[Any], JobResult]], ...]] = (
    (reuser_service_pb2.ExportResponse, export_from_proto),
    (reuser_service_pb2.CompactResponse, compaction_from_proto),
    (rebuild_service_pb2.RebuildResponse, rebuild_from_proto),
)
"""Answers that say all themselves, in place of naming resources."""


def job_result(transport: Transport, response: AnyMessage) -> JobResult:
    """The typed result of a job, its resources fetched from the registry.

    Raises:
        Internal: a newer service answered with a kind of result that this SDK does not know.
    """
    decomposed = decomposer_service_pb2.DecomposeResponse()
    evaluated = evaluator_service_pb2.EvaluateResponse()
    trained = training_service_pb2.TrainModelResponse()
    composed = composing_pb2.ComposeModelResponse()
    requested = on_demand_service_pb2.RequestModulesResponse()
    if response.Unpack(decomposed):
        return tuple([_module(transport, name) for name in decomposed.modules])
    if response.Unpack(evaluated):
        return tuple([_evaluation(transport, name) for name in evaluated.evaluations])
    if response.Unpack(trained):
        return TrainedModel(_model(transport, trained.model), trained.validation_accuracy)
    if response.Unpack(composed):
        replacements = tuple(map(replacement_from_proto, composed.replacements))
        return ComposedModel(_composition(transport, composed.composition), replacements)
    if response.Unpack(requested):
        return requested_modules(transport, requested)
    for message, value_from_proto in WHOLE_RESULTS:
        answer = message()
        if response.Unpack(answer):
            return value_from_proto(answer)
    raise Internal(
        f"the job resulted in a {response.TypeName() or 'nothing'}, which this client does not know",
        hint="the services are newer than this client: `pip install --upgrade modelfoundry`",
    )


def requested_modules(transport: Transport, response: on_demand_service_pb2.RequestModulesResponse) -> RequestedModules:
    """Everything that a complete answer names, fetched from the registry."""
    return RequestedModules(
        answers=tuple(map(requested_module_from_proto, response.modules)),
        modules=tuple([_module(transport, requested.module) for requested in response.modules]),
        composition=_composition(transport, response.composition) if response.composition else None,
        exports=tuple(map(export_from_proto, response.exports)),
    )


def _module(transport: Transport, name: str) -> Module:
    request = module_pb2.GetModuleRequest(name=name)
    return module_from_proto(transport.unary(Service.REGISTRY, transport.stubs.registry.GetModule, request))


def _evaluation(transport: Transport, name: str) -> Evaluation:
    request = evaluation_pb2.GetEvaluationRequest(name=name)
    method = transport.stubs.registry.GetEvaluation
    return evaluation_from_proto(transport.unary(Service.REGISTRY, method, request))


def _model(transport: Transport, name: str) -> Model:
    request = model_pb2.GetModelRequest(name=name)
    return model_from_proto(transport.unary(Service.REGISTRY, transport.stubs.registry.GetModel, request))


def _composition(transport: Transport, name: str) -> Composition:
    request = composition_pb2.GetCompositionRequest(name=name)
    method = transport.stubs.registry.GetComposition
    return composition_from_proto(transport.unary(Service.REGISTRY, method, request))
