"""Modules and what is known about them, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from modelfoundry.cli.rendering.discrimination_table import beside_base
from modelfoundry.cli.rendering.doubts import print_doubts
from modelfoundry.cli.rendering.evaluation_table import accuracy_text, in_int8, modularity_text
from modelfoundry.cli.rendering.form_table import form_facts
from modelfoundry.cli.rendering.problem_text import problem_text
from modelfoundry.cli.rendering.quantities import OPTIMISTIC, byte_count, chosen_figure, moment, percent
from modelfoundry.cli.rendering.search_table import areas
from modelfoundry.cli.rendering.tables import Column, print_remark, print_table
from modelfoundry.cli.resource_names import short_name

if TYPE_CHECKING:
    from modelfoundry.client import (
        CardLimit,
        DecompositionRecord,
        Evaluation,
        Frontier,
        FrontierPoint,
        MeasuredSummary,
        Module,
    )

Cell = TypeVar("Cell")
COLUMNS = (
    Column("MODULE"),
    Column("PROBLEM"),
    Column("OF"),
    Column("WEIGHTS KEPT", "right"),
    Column("VALIDATION", "right"),
    Column("SIZE", "right"),
    Column("CREATED"),
)
MEASURED_COLUMNS = (Column("TEST ACCURACY", "right"), Column("BALANCED, ALL", "right"), Column("AUC, ALL", "right"))
"""Before size and date, where modules are listed with what was measured of them."""
_MEASURED_AT: Final = 5


def print_modules(
    modules: Iterable[Module], parent: str, measured: Mapping[str, MeasuredSummary] | None = None
) -> None:
    """Prints a row for every module; `VALIDATION` is on the samples that it was chosen on.

    Args:
        modules: The modules.
        parent: Their project.
        measured: By name, what the test split says of them; None: there is nothing to say yet.
    """
    listed = list(modules)
    if measured is None:
        columns: tuple[Column, ...] = COLUMNS
        rows = [_row(module, parent) for module in listed]
    else:
        columns = _with(COLUMNS, MEASURED_COLUMNS)
        rows = [_with(_row(module, parent), _measured_cells(measured.get(module.name))) for module in listed]
    print_table(columns, rows, empty="no modules")
    if rows:
        print_remark(OPTIMISTIC)
    print_doubts((short_name(module.name, parent), module.doubts) for module in listed)


def module_facts(
    module: Module, evaluations: Sequence[Evaluation], parent: str, limits: Sequence[CardLimit] = ()
) -> list[tuple[str, str]]:
    """Everything about one module, what was measured of it, and what its card warns of."""
    record, retention = module.record, module.retention
    kept = (
        f"{percent(retention.weight_retention)} ({retention.kept_weights:,} of {retention.total_weights:,})"
        if retention
        else ""
    )
    kernels = (
        f"{percent(retention.kernel_retention)} ({retention.kept_kernels:,} of {retention.total_kernels:,})"
        if retention
        else ""
    )
    return [
        ("name", module.name),
        ("display name", module.display_name),
        ("problem", problem_text(module.problem)),
        ("outputs", ", ".join(module.outputs)),
        ("module of", f"{short_name(module.base_model, parent)}  {module.base_digest}"),
        ("weights kept", kept),
        ("kernels kept", kernels),
        *([("emptied layers", _emptied(record))] if record.empty_layers else []),
        ("artifact", f"{byte_count(module.artifact.size_bytes)}  {module.artifact.digest}"),
        *form_facts(module.forms),
        *[fact for e in evaluations for fact in _measured(e)],
        ("modularity", next((text for e in evaluations if (text := modularity_text(e))), "")),
        *[("limit", limit.text) for limit in limits],
        *[("doubt", doubt.text) for doubt in module.doubts],
        *_record_facts(record, short_name(module.dataset, parent), parent),
        *_frontier_facts(record.frontier),
        ("licence", module.license),
        ("tags", ", ".join(f"{key}={value}" for key, value in sorted(module.tags.items()))),
        ("created", moment(module.create_time)),
        ("description", module.description),
        ("intended use", module.intended_use),
    ]


def _with(row: tuple[Cell, ...], cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    return (*row[:_MEASURED_AT], *cells, *row[_MEASURED_AT:])


def _measured_cells(measured: MeasuredSummary | None) -> tuple[str, ...]:
    if measured is None or measured.accuracy is None:
        return ("",) * len(MEASURED_COLUMNS)
    return (percent(measured.accuracy), *areas(measured))


def _measured(evaluation: Evaluation) -> list[tuple[str, str]]:
    """What one evaluation found, on two lines."""
    return [
        (f"measured on {evaluation.split}{in_int8(evaluation)}", accuracy_text(evaluation)),
        ("", beside_base(evaluation)),
    ]


def _emptied(record: DecompositionRecord) -> str:
    return f"{', '.join(record.empty_layers)}: no kernel was left, so one was kept in each"


def _row(module: Module, parent: str) -> tuple[str, ...]:
    return (
        short_name(module.name, parent),
        problem_text(module.problem),
        short_name(module.base_model, parent),
        percent(module.retention.weight_retention) if module.retention else "",
        validation_text(module),
        byte_count(module.artifact.size_bytes),
        moment(module.create_time),
    )


def _training_samples(record: DecompositionRecord) -> str:
    """Empty for a module of before these were counted."""
    if not record.training_samples:
        return ""
    part = ", the imbalanced part that the base model was trained on" if record.subset else ""
    return f", {record.training_samples} training samples{part}"


def _settings(record: DecompositionRecord) -> str:
    """Settings in a line: without lists, such as the labels of all modules of a joint search."""
    plain = sorted((key, value) for key, value in record.settings.items() if not isinstance(value, list))
    return ", ".join(f"{key}={value}" for key, value in plain)


def validation_text(module: Module) -> str:
    """The module's accuracy on its own problem; records of before may know that of all modules together alone."""
    record = module.record
    figure = chosen_figure(record.validation_accuracy, record.validation_samples, doubted=bool(module.doubts))
    return f"{figure}{_joint_alone(record)}"


def _joint_alone(record: DecompositionRecord) -> str:
    return " joint" if record.holds_joint else ""


def _joint_facts(record: DecompositionRecord) -> list[tuple[str, str]]:
    """All modules of the search together, where it found several."""
    if (joint := record.joint) is None:
        return []
    base = f" (base {percent(joint.accuracy_base)})" if record.compares else ""
    return [("joint validation", f"{percent(joint.accuracy)} of {joint.samples} samples, all modules together{base}")]


def _base_figure(record: DecompositionRecord) -> str:
    """The base on the same samples, where that says anything."""
    if not record.compares:
        return ""
    doubt = "" if record.calibration_split else ", optimistic where it was trained on them"
    return f" (base {percent(record.validation_accuracy_base)}{doubt})"


def _point_text(point: FrontierPoint) -> str:
    costs = f"{percent(point.macs)} of the base's MACs, {byte_count(point.bytes)}, {percent(point.latency)} of its time"
    accuracy = "" if point.accuracy is None else f", validation {percent(point.accuracy, 2)}"
    return f"{point.structure}: {costs}{accuracy}{' <- taken' if point.taken else ''}"


def _frontier_facts(frontier: Frontier | None) -> list[tuple[str, str]]:
    """A line for every network that the search had to choose from, and why it took one of them."""
    if frontier is None:
        return []
    lines = map(_point_text, frontier.points)
    named = [("chosen from" if not place else "", line) for place, line in enumerate(lines)]
    return [*named, ("", f"files {frontier.form}; {frontier.reason}")]


def _record_facts(record: DecompositionRecord, dataset: str, parent: str) -> list[tuple[str, str]]:
    chosen = f"epoch {record.chosen_epoch} of {record.epochs_run}" if record.epochs_run else "the last step"
    fallback = ", the best trade-off: none reached the base model's accuracy" if record.fell_back else ""
    return [
        (
            "searched on",
            f"{dataset}{_training_samples(record)}, validation on {record.validation_samples} samples of "
            f"{record.calibration_split or record.validation.source_split}",
        ),
        (
            "validation",
            f"{percent(record.validation_accuracy)}{_joint_alone(record)}, optimistic: chosen on these samples"
            f"{_base_figure(record)}",
        ),
        *_joint_facts(record),
        ("chosen", chosen + fallback),
        ("algorithm", record.algorithm),
        ("settings", _settings(record)),
        ("seed", str(record.seed)),
        ("device", record.environment.device),
        ("libraries", ", ".join(f"{name} {version}" for name, version in sorted(record.environment.libraries.items()))),
        ("made by", short_name(record.operation, parent)),
    ]
