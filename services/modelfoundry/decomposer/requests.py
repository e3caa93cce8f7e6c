"""Requests of the contract as requests that can be planned, every setting filled in."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as pb
from modelfoundry.decomposer.algorithms import ALGORITHMS, find_algorithm
from modelfoundry.decomposer.algorithms.problems import LabelGroups
from modelfoundry.decomposer.plan import DecompositionRequest
from modelfoundry.errors import InvalidField
from modelfoundry.names import check_id, parse_name, parse_parent
from modelfoundry.values.computing import Device
from modelfoundry.values.kinds import Kind
from modelfoundry.wire.computing import DEVICE, VALIDATION
from modelfoundry.wire.decomposing import search_from_proto
from modelfoundry.wire.recipes import recipe_to_proto


def decomposition_from_proto(request: pb.DecomposeRequest) -> DecompositionRequest:
    """A request with every setting filled in from its recipe.

    Raises:
        InvalidField: a name, a setting or the algorithm is malformed or missing.
    """
    parse_parent(request.parent)
    parse_name(request.model, Kind.MODEL, field="model")
    parse_name(request.dataset, Kind.DATASET, field="dataset")
    if request.module_id:
        check_id(request.module_id, field="module_id")
    search = search_from_proto(request)
    algorithm = find_algorithm(search.algorithm)
    if algorithm is None:
        known = ", ".join(one.name for one in ALGORITHMS)
        raise InvalidField(
            f"algorithm: this version cannot search with {search.algorithm}",
            field=search.algorithm,
            hint=f"use one of {known}",
        )
    settings = dict(search.settings)
    return DecompositionRequest(
        parent=request.parent,
        model=request.model,
        dataset=request.dataset,
        algorithm=algorithm,
        wanted=LabelGroups(search.label_groups) if search.problem is None else search.problem,
        settings=algorithm.resolve(settings.pop("recipe"), settings),
        validation=VALIDATION.from_request(request.validation, field="validation"),
        calibration_split=request.calibration_split,
        seed=request.seed,
        device=DEVICE.from_request(request.device, field="device", default=Device.AUTO),
        module_id=request.module_id,
        force=request.force,
    )


def write_settings(request: pb.DecomposeRequest, wanted: DecompositionRequest) -> None:
    """Makes a request that is to be queued complete: a later version with other defaults repeats it as it was asked."""
    asked: Any = getattr(request, wanted.algorithm.name)
    recipe: Message = recipe_to_proto(type(asked.recipe), wanted.settings.record(), field=wanted.settings.path)
    asked.recipe.CopyFrom(recipe)
