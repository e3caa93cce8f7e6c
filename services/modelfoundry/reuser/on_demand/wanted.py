"""A request for modules by label, read with every default filled in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from modelfoundry.api.reuser.v1 import on_demand_service_pb2 as pb
from modelfoundry.errors import InvalidField
from modelfoundry.names import label_text, label_texts, parse_name, parse_parent, shortened
from modelfoundry.reuser.on_demand.budgets import SMALLER, budget_algorithm, budget_settings
from modelfoundry.reuser.on_demand.offers import Constraints
from modelfoundry.values.algorithms import Search
from modelfoundry.values.computing import Device
from modelfoundry.values.exports import ExportFormat, form_of
from modelfoundry.values.file_forms import Compute, ExportForm
from modelfoundry.values.kinds import Kind
from modelfoundry.values.on_demand import RequestedModule
from modelfoundry.wire.computing import DEVICE
from modelfoundry.wire.decomposing import ALGORITHM_NAMES, default_algorithm, finds_all_labels, recipe_class
from modelfoundry.wire.exports import COMPUTE, EXPORT_FORMAT, WEIGHT_FORMAT
from modelfoundry.wire.recipes import given_settings, recipe_to_proto
from modelfoundry.wire.well_known import struct_from_proto

MOST_LABELS: Final = 100
LONGEST_LABEL: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedModules:
    """What the caller asked for."""

    parent: str
    labels: tuple[str, ...]
    constraints: Constraints
    compose: bool
    format: ExportFormat | None
    """None: no files."""
    form: ExportForm
    """Of the files."""
    compact: bool
    search: Search
    """How missing modules are searched; what for is not said."""
    settings_field: str
    """Field of the request that says its settings."""
    device: Device
    calibration_split: str = ""
    """Where what is missing is judged; empty: on a share of the training data."""

    @property
    def file_form(self) -> ExportForm | None:
        """Of the files that are asked for; None: none are."""
        return self.form if self.format else None

    @property
    def jointly(self) -> bool:
        """One search makes the modules of all labels of a model."""
        return finds_all_labels(self.search.algorithm)


Answers = tuple[RequestedModule, ...]
"""One for every label, in the order of the request."""


def wanted_from_proto(request: pb.RequestModulesRequest) -> WantedModules:
    """A request with its defaults filled in; everything in it is well-formed and goes together.

    Raises:
        InvalidField: a field is missing, malformed or contradicts another.
    """
    parse_parent(request.parent)
    _check_labels(request)
    format_, form = None, ExportForm()
    if request.format:
        format_ = EXPORT_FORMAT.from_request(request.format, field="format")
        form = _form_from_proto(request, format_)
    elif request.weights or request.compute:
        field = "weights" if request.weights else "compute"
        raise InvalidField(
            f"{field}: there is no format to write files of such a form in",
            field=field,
            hint=f"set `format` too, or leave `{field}` out",
        )
    elif request.compact:
        raise InvalidField(
            "compact: there is no format to write without dead channels",
            field="compact",
            hint="set `format` too, or leave `compact` out",
        )
    constraints = _constraints_from_proto(request.constraints)
    return WantedModules(
        parent=request.parent,
        labels=label_texts(request.labels),
        constraints=constraints,
        compose=request.compose,
        format=format_,
        form=form,
        compact=request.compact,
        search=_search_from_proto(request, constraints, form if format_ else None),
        settings_field=request.WhichOneof("search") or "settings",
        device=DEVICE.from_request(request.device, field="device", default=Device.AUTO),
        calibration_split=request.calibration_split,
    )


def _form_from_proto(request: pb.RequestModulesRequest, export_format: ExportFormat) -> ExportForm:
    weights = WEIGHT_FORMAT.from_request(request.weights, field="weights") if request.weights else None
    return form_of(export_format, weights, COMPUTE.from_request(request.compute, field="compute", default=Compute.FP32))


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
        if label_text(label) in label_texts(request.labels[:place]):
            raise InvalidField(
                f"{field}: {shortened(label)!r} is there twice", field=field, hint="name every label once"
            )


def _constraints_from_proto(constraints: pb.ModuleConstraints) -> Constraints:
    _check("min_accuracy", constraints.min_accuracy, 0 <= constraints.min_accuracy <= 1, "a share from 0 to 1")
    _check("max_bytes", constraints.max_bytes, constraints.max_bytes >= 0, "a number of bytes above 0")
    latency = constraints.max_latency_ms
    _check("max_latency_ms", latency, 0 <= latency < math.inf, "a number of milliseconds above 0")
    for name in SMALLER:
        value = getattr(constraints, name)
        _check(name, value, 0 <= value <= 1, "a share of the base model's above 0 and at most 1")
    if constraints.min_accuracy and constraints.min_accuracy_of_base:
        field = "constraints.min_accuracy"
        raise InvalidField(
            f"{field}: the accuracy of the base is asked for too", field=field, hint="ask for one of the two"
        )
    if constraints.dataset:
        parse_name(constraints.dataset, Kind.DATASET, field="constraints.dataset")
    return Constraints(
        min_accuracy=constraints.min_accuracy,
        max_bytes=constraints.max_bytes,
        max_latency_ms=latency,
        license=constraints.license,
        dataset=constraints.dataset,
        architecture=constraints.architecture,
        algorithm=constraints.algorithm,
        min_accuracy_of_base=constraints.min_accuracy_of_base,
        max_macs=constraints.max_macs,
        max_latency=constraints.max_latency,
    )


def _check(name: str, value: float, fits: bool, remedy: str) -> None:
    if not fits:
        field = f"constraints.{name}"
        raise InvalidField(f"{field}: {value} is out of range", field=field, hint=f"give {remedy}, or leave it out")


def _search_from_proto(request: pb.RequestModulesRequest, constraints: Constraints, form: ExportForm | None) -> Search:
    search, algorithm = request.WhichOneof("search") or "", request.constraints.algorithm
    if search and algorithm not in {"", search}:
        raise InvalidField(
            f"{search}: the constraints ask for the algorithm {shortened(algorithm)!r}",
            field=search,
            hint=f"leave `{search}` out, or set `constraints.algorithm` to {search!r}",
        )
    if search and request.HasField("settings"):
        raise InvalidField(
            f"settings: `{search}` says them already", field="settings", hint=f"leave `{search}` or `settings` out"
        )
    if search:
        recipe = getattr(request, search)
        return Search(algorithm=search, settings={"recipe": recipe.recipe, **given_settings(recipe, field=search)})
    if request.HasField("settings") and algorithm not in {"", *ALGORITHM_NAMES}:
        raise InvalidField(
            f"settings: no module can be made by {shortened(algorithm)!r}",
            field="settings",
            hint=f"leave them out, or set `constraints.algorithm` to one of {', '.join(ALGORITHM_NAMES)}",
        )
    # Of an algorithm that can make none, modules are only looked for.
    usual = budget_algorithm(constraints) or default_algorithm(joint=False)
    name = algorithm if algorithm in ALGORITHM_NAMES else usual
    settings = struct_from_proto(request.settings)
    settings |= budget_settings(name, constraints, form, settings)
    recipe_to_proto(recipe_class(name), settings, field="settings")
    return Search(algorithm=name, settings=settings)
