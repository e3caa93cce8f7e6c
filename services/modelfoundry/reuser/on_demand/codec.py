"""Requests for modules by label as domain values, and answers as messages."""

from __future__ import annotations

import math
from typing import Final

from modelfoundry.api.registry.v1 import search_pb2
from modelfoundry.api.reuser.v1 import on_demand_service_pb2 as pb
from modelfoundry.api.reuser.v1 import reuser_service_pb2
from modelfoundry.api.types.v1 import blob_pb2
from modelfoundry.client import (
    ChoiceFigures,
    Export,
    ExportFormat,
    GradSplitterRecipe,
    Match,
    RequestedModule,
    SeamRecipe,
)
from modelfoundry.errors import InvalidField
from modelfoundry.names import parse_name, parse_parent, shortened
from modelfoundry.reuser.exporting.formats import format_from_proto
from modelfoundry.reuser.on_demand.offers import Constraints
from modelfoundry.reuser.on_demand.wanted import WantedModules
from modelfoundry.wire.enums import enum_to_proto
from modelfoundry.wire.jobs import export_format_to_proto
from modelfoundry.wire.recipes import gradsplitter_recipe_from_proto, seam_recipe_from_proto
from modelfoundry.workbench.requests import device_from_proto

MOST_LABELS: Final = 100
LONGEST_LABEL: Final = 200


def wanted_from_proto(request: pb.RequestModulesRequest) -> WantedModules:
    """A request with its defaults filled in; everything in it is well-formed and goes together.

    Raises:
        InvalidField: a field is missing, malformed or contradicts another.
    """
    parse_parent(request.parent)
    _check_labels(request)
    format_ = None
    if request.format != reuser_service_pb2.EXPORT_FORMAT_UNSPECIFIED:
        format_ = ExportFormat(format_from_proto(request.format))
    elif request.compact:
        raise InvalidField(
            "compact: there is no format to write without dead channels",
            field="compact",
            hint="set `format` too, or leave `compact` out",
        )
    return WantedModules(
        parent=request.parent,
        labels=tuple(request.labels),
        constraints=_constraints_from_proto(request.constraints),
        compose=request.compose,
        format=format_,
        compact=request.compact,
        recipe=_recipe_from_proto(request),
        device=device_from_proto(request.device),
    )


def requested_module_to_proto(answer: RequestedModule) -> pb.RequestedModule:
    """The answer for one label."""
    return pb.RequestedModule(
        label=answer.label,
        match=_match_to_proto(answer.match),
        origin=enum_to_proto(pb.ModuleOrigin, "MODULE_ORIGIN", answer.origin),
        module=answer.module,
        reason=answer.reason,
        figures=_figures_to_proto(answer.figures),
        model=answer.model,
        dataset=answer.dataset,
        algorithm=answer.algorithm,
        to_be_measured=answer.to_be_measured,
        alternatives=answer.alternatives,
    )


def export_to_proto(export: Export) -> reuser_service_pb2.ExportResponse:
    """Files that were written."""
    return reuser_service_pb2.ExportResponse(
        subject=export.subject,
        format=export_format_to_proto(export.format),
        files=[
            reuser_service_pb2.ExportedFile(
                path=file.path,
                content=blob_pb2.BlobRef(
                    digest=file.content.digest,
                    size_bytes=file.content.size_bytes,
                    media_type=file.content.media_type,
                ),
            )
            for file in export.files
        ],
        max_difference=export.max_difference,
        compact=export.compact,
    )


def _check_labels(request: pb.RequestModulesRequest) -> None:
    if not 1 <= len(request.labels) <= MOST_LABELS:
        raise InvalidField(
            f"labels: {len(request.labels)} are given", field="labels", hint=f"give 1 to {MOST_LABELS} labels"
        )
    if request.compose and len(request.labels) < 2:
        raise InvalidField(
            "compose: a classifier needs two labels or more, got one",
            field="compose",
            hint="name another label, or ask for the module alone",
        )
    for place, label in enumerate(request.labels):
        field = f"labels[{place}]"
        if not 1 <= len(label.strip()) <= LONGEST_LABEL:
            raise InvalidField(
                f"{field}: it has {len(label)} characters", field=field, hint=f"name a label in 1 to {LONGEST_LABEL}"
            )
        if label in request.labels[:place]:
            raise InvalidField(
                f"{field}: {shortened(label)!r} is there twice", field=field, hint="name every label once"
            )


def _constraints_from_proto(constraints: pb.ModuleConstraints) -> Constraints:
    _check("min_accuracy", constraints.min_accuracy, 0 <= constraints.min_accuracy <= 1, "a share from 0 to 1")
    _check("max_bytes", constraints.max_bytes, constraints.max_bytes >= 0, "a number of bytes above 0")
    latency = constraints.max_latency_ms
    _check("max_latency_ms", latency, 0 <= latency < math.inf, "a number of milliseconds above 0")
    if constraints.dataset:
        parse_name(constraints.dataset, "datasets", field="constraints.dataset")
    return Constraints(
        min_accuracy=constraints.min_accuracy,
        max_bytes=constraints.max_bytes,
        max_latency_ms=latency,
        license=constraints.license,
        dataset=constraints.dataset,
        architecture=constraints.architecture,
        algorithm=constraints.algorithm,
    )


def _check(name: str, value: float, fits: bool, remedy: str) -> None:
    if not fits:
        field = f"constraints.{name}"
        raise InvalidField(f"{field}: {value} is out of range", field=field, hint=f"give {remedy}, or leave it out")


def _recipe_from_proto(request: pb.RequestModulesRequest) -> SeamRecipe | GradSplitterRecipe:
    search, algorithm = request.WhichOneof("search"), request.constraints.algorithm
    if search and algorithm not in {"", search}:
        raise InvalidField(
            f"{search}: the constraints ask for the algorithm {shortened(algorithm)!r}",
            field=search,
            hint=f"leave `{search}` out, or set `constraints.algorithm` to {search!r}",
        )
    if search == "gradsplitter":
        return gradsplitter_recipe_from_proto(request.gradsplitter)
    if search == "seam":
        return seam_recipe_from_proto(request.seam)
    return GradSplitterRecipe() if algorithm == "gradsplitter" else SeamRecipe()


def _match_to_proto(match: Match) -> search_pb2.Match:
    return search_pb2.Match(
        kind=enum_to_proto(search_pb2.MatchKind, "MATCH_KIND", match.kind),
        label=match.label,
        term=match.term,
        vocabulary=match.vocabulary,
        distance=match.distance,
    )


def _figures_to_proto(figures: ChoiceFigures) -> pb.ChoiceFigures:
    return pb.ChoiceFigures(
        validation_accuracy=figures.validation_accuracy,
        validation_samples=figures.validation_samples,
        accuracy_lower_bound=figures.accuracy_lower_bound,
        size_bytes=figures.size_bytes,
        latency_ms=figures.latency_ms,
    )
