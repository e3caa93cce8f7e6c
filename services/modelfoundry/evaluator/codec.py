"""Requests of the evaluator as domain values."""

from __future__ import annotations

from modelfoundry.api.evaluator.v1 import evaluator_service_pb2 as pb
from modelfoundry.core.masking import MaskableLayer
from modelfoundry.evaluator.plan import DEFAULT_SPLIT, EvaluationRequest
from modelfoundry.names import parse_name, parse_parent
from modelfoundry.values.architectures import TensorSpec
from modelfoundry.workbench.requests import device_from_proto, problem_from_proto


def evaluation_from_proto(request: pb.EvaluateRequest) -> EvaluationRequest:
    """A request with its defaults filled in.

    Raises:
        InvalidField: a name or the device is malformed.
    """
    parse_parent(request.parent)
    parse_name(request.dataset, "datasets", field="dataset")
    for place, name in enumerate(request.other_datasets):
        parse_name(name, "datasets", field=f"other_datasets[{place}]")
    return EvaluationRequest(
        parent=request.parent,
        subjects=tuple(request.subjects),
        dataset=request.dataset,
        other_datasets=tuple(request.other_datasets),
        split=request.split or DEFAULT_SPLIT,
        baselines=request.baselines or request.modularity,
        modularity=request.modularity,
        problem=problem_from_proto(request.problem, field="problem") if request.HasField("problem") else None,
        latency_batch_sizes=tuple(request.latency_batch_sizes),
        device=device_from_proto(request.device),
    )


def tensors_from_proto(request: pb.CheckModelRequest) -> tuple[TensorSpec, ...]:
    """The tensors of a weights file."""
    return tuple(TensorSpec(tensor.name, tensor.dtype, tuple(tensor.shape)) for tensor in request.tensors)


def layer_to_proto(layer: MaskableLayer) -> pb.MaskableLayer:
    """A layer that can be masked."""
    return pb.MaskableLayer(
        layer=layer.name, type=layer.layer_type, weight_shape=layer.weight_shape, has_bias=layer.has_bias
    )
