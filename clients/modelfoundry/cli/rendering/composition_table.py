"""Compositions for people: a row for each, and everything about one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from modelfoundry.cli.rendering.doubts import print_doubts
from modelfoundry.cli.rendering.evaluation_table import accuracy_text, chosen_from, datasets_text
from modelfoundry.cli.rendering.problem_text import labels_text
from modelfoundry.cli.rendering.quantities import OPTIMISTIC, chosen_figure, count, moment, percent
from modelfoundry.cli.rendering.tables import Column, print_facts, print_line, print_remark, print_table
from modelfoundry.cli.resource_names import short_name

if TYPE_CHECKING:
    from modelfoundry.client import (
        ComposedModel,
        Composition,
        CompositionMember,
        CompositionRecord,
        Evaluation,
        LabelChange,
    )

COLUMNS = (
    Column("COMPOSITION"),
    Column("TASK"),
    Column("LABELS"),
    Column("SOURCES", "right"),
    Column("STRATEGY"),
    Column("VALIDATION", "right"),
    Column("BEST OTHER", "right"),
    Column("PARAMETERS", "right"),
    Column("MACS, DENSE", "right"),
    Column("CREATED"),
)
MEMBER_COLUMNS = (
    Column("LABEL"),
    Column("SOURCE"),
    Column("ITS LABEL"),
    Column("SCORE", "right"),
    Column("CALIBRATION", "right"),
)
CHANGE_COLUMNS = (Column("F1 BEFORE", "right"), Column("F1 AFTER", "right"))
COMPARISON_COLUMNS = (
    Column("COMPARED WITH"),
    Column("VALIDATION", "right"),
    Column("PARAMETERS", "right"),
    Column("MACS, DENSE", "right"),
)
REFUSAL_COLUMNS = (Column("NOT REPLACED"), Column("BY"), Column("BECAUSE"))
STRATEGY_COLUMNS = (Column("STRATEGY"), Column("VALIDATION", "right"), Column("SOURCES", "right"), Column(""))


def print_compositions(compositions: Iterable[Composition], parent: str) -> None:
    """Prints a row for every composition; accuracies are those on the validation samples it was chosen on."""
    shown = list(compositions)
    print_table(COLUMNS, [_row(composition, parent) for composition in shown], empty="no compositions")
    if shown:
        print_remark(OPTIMISTIC)
    print_doubts((short_name(composition.name, parent), composition.doubts) for composition in shown)


def print_composition(composition: Composition, evaluations: Sequence[Evaluation], parent: str) -> None:
    """Prints everything about one composition, with where every label comes from and what it is compared with."""
    print_facts(_facts(composition, evaluations, parent))
    _print_choice(composition, parent)
    print_remark(OPTIMISTIC)
    print_doubts([(short_name(composition.name, parent), composition.doubts)])


def print_composed(composed: ComposedModel, parent: str) -> None:
    """Prints what came of composing: the choice, what it is compared with, what was not replaced, what to do next."""
    composition = composed.composition
    print_line(f"compositions/{composition.id}")
    _print_choice(composition, parent)
    refused = [each for each in composed.replacements if each.refusal]
    if refused:
        print_line("")
        rows = [(each.label, each.source.removeprefix(f"{parent}/"), each.refusal) for each in refused]
        print_table(REFUSAL_COLUMNS, rows)
    print_doubts([(short_name(composition.name, parent), composition.doubts)])
    datasets = ",".join(short_name(name, parent) for name in composition.datasets)
    print_remark(
        f"All figures are of validation data, on which the choice was made. To measure on test data: modelfoundry "
        f"evaluate compositions/{composition.id} --baselines --dataset {datasets}"
    )


def _print_choice(composition: Composition, parent: str) -> None:
    changes = {change.label: change for change in composition.record.label_changes}
    columns = [*MEMBER_COLUMNS, *CHANGE_COLUMNS] if changes else MEMBER_COLUMNS
    print_line("")
    print_table(columns, [_member(member, changes, parent)[: len(columns)] for member in composition.members])
    print_line("")
    print_table(COMPARISON_COLUMNS, _comparison(composition, parent))
    if composition.record.strategies:
        print_line("")
        print_table(STRATEGY_COLUMNS, _strategies(composition.record))


def _measured(evaluation: Evaluation, parent: str) -> str:
    return f"{accuracy_text(evaluation)} of {datasets_text(evaluation, parent)}, chosen from {chosen_from(evaluation)}"


def _row(composition: Composition, parent: str) -> tuple[str, ...]:
    record = composition.record
    others = [baseline.validation_accuracy for baseline in record.baselines]
    return (
        short_name(composition.name, parent),
        _task(composition),
        labels_text(composition.labels),
        str(len({member.source for member in composition.members})),
        record.strategy,
        chosen_figure(record.validation_accuracy, record.validation_samples, doubted=bool(composition.doubts)),
        percent(max(others)) if others else "",
        count(record.parameters),
        count(record.macs),
        moment(composition.create_time),
    )


def _facts(composition: Composition, evaluations: Sequence[Evaluation], parent: str) -> list[tuple[str, str]]:
    record, spec = composition.record, composition.input
    datasets = ", ".join(short_name(name, parent) for name in composition.datasets)
    chosen = f"{record.strategy} by {record.score}" if record.score else record.strategy
    return [
        ("name", composition.name),
        ("display name", composition.display_name),
        ("task", _task(composition)),
        ("patch of", short_name(composition.base_model, parent)),
        ("image", f"{spec.channels}x{spec.height}x{spec.width}"),
        ("digest", composition.digest),
        *[(f"measured on {each.split}", _measured(each, parent)) for each in evaluations],
        ("chosen", chosen),
        (
            "chosen on",
            f"{datasets}, validation on {record.validation_samples} samples of {record.validation.source_split}",
        ),
        ("calibrated", "on the validation samples" if record.calibrated else "no"),
        ("settings", ", ".join(f"{key}={value}" for key, value in sorted(record.settings.items()))),
        ("seed", str(record.seed)),
        ("device", record.environment.device),
        ("libraries", ", ".join(f"{name} {version}" for name, version in sorted(record.environment.libraries.items()))),
        ("made by", short_name(record.operation, parent)),
        ("licence", composition.license),
        ("tags", ", ".join(f"{key}={value}" for key, value in sorted(composition.tags.items()))),
        ("created", moment(composition.create_time)),
        ("description", composition.description),
        ("intended use", composition.intended_use),
    ]


def _task(composition: Composition) -> str:
    return composition.task.value.replace("_", " ")


def _member(member: CompositionMember, changes: dict[str, LabelChange], parent: str) -> tuple[str, ...]:
    change = changes.get(member.label)
    return (
        member.label,
        member.source.removeprefix(f"{parent}/"),
        member.source_label,
        percent(member.validation_score),
        f"{member.scale:.3f} z {member.bias:+.3f}" if (member.scale, member.bias) != (1, 0) else "",
        percent(change.before_f1) if change else "",
        percent(change.after_f1) if change else "",
    )


def _comparison(composition: Composition, parent: str) -> list[tuple[str, ...]]:
    record = composition.record
    figure = chosen_figure(record.validation_accuracy, record.validation_samples, doubted=bool(composition.doubts))
    own = ("this composition", figure, count(record.parameters), count(record.macs))
    return [
        own,
        *[
            (
                baseline.name.removeprefix(f"{parent}/"),
                chosen_figure(baseline.validation_accuracy, record.validation_samples, doubted=False),
                count(baseline.parameters),
                count(baseline.macs),
            )
            for baseline in record.baselines
        ],
    ]


def _strategies(record: CompositionRecord) -> list[tuple[str, ...]]:
    return [
        (
            report.strategy,
            chosen_figure(report.validation_accuracy, record.validation_samples, doubted=False),
            str(len(set(report.sources))),
            "in force" if report.strategy == record.strategy else "",
        )
        for report in record.strategies
    ]
