"""What the demo prints at its end."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from modelfoundry.cli.demo.composing import CompositionReport
from modelfoundry.cli.demo.loop import Demonstration
from modelfoundry.cli.demo.report import ModuleReport, Report
from modelfoundry.cli.demo.services import LocalServices
from modelfoundry.cli.demo.settings import DemoSettings
from modelfoundry.cli.rendering.quantities import byte_count, count, duration, percent
from modelfoundry.cli.rendering.tables import Column, print_line, print_table

COLUMNS = (
    Column("LABEL"),
    Column("ORIGINAL", "right"),
    Column("RESTRICTED", "right"),
    Column("MODULE", "right"),
    Column("WEIGHTS KEPT", "right"),
    Column("MODULE SIZE", "right"),
    Column("MODEL SIZE", "right"),
    Column("SAMPLES", "right"),
)


def print_report(report: Report) -> None:
    """Prints a row for every module, and the averages."""
    averages = report.averages
    average = (
        "average",
        percent(averages["original_accuracy"], 2),
        percent(averages["original_accuracy_restricted"], 2),
        percent(averages["module_accuracy"], 2),
        percent(averages["weight_retention"]),
        byte_count(round(averages["module_bytes"])),
        "",
        "",
    )
    print_line(
        "\nAccuracy on each module's own problem, on the sealed test split. Original: the whole model, choosing among"
        "\nall labels; restricted: among the labels of the problem.\n"
    )
    print_table(COLUMNS, [*(_row(module) for module in report.modules), average])


def print_composition_report(report: CompositionReport, parent: str) -> None:
    """Prints where every label of the composed model comes from, and what it is compared with."""
    print_line(
        "\nOne model of the modules of three weak ones: for every label the module that serves the whole best on"
        "\nvalidation data, heads calibrated there. Measured on the sealed test split.\n"
    )
    chosen = [(label, module.removeprefix(f"{parent}/modules/")) for label, module in report.modules.items()]
    print_table((Column("LABEL"), Column("MODULE")), chosen)
    print_line("")
    print_table(
        (
            Column("COMPARED"),
            Column("ACCURACY", "right"),
            Column("PARAMETERS", "right"),
            Column("MACS, DENSE", "right"),
        ),
        [
            (each.name.removeprefix(f"{parent}/"), percent(each.accuracy, 2), count(each.parameters), count(each.macs))
            for each in report.compared
        ],
    )
    gain = (report.composed_accuracy - report.best_source_accuracy) * 100
    print_line(f"\nThe composed model is {gain:.2f} points more accurate than the best of its sources.")


def print_ending(
    demonstration: Demonstration, report_file: Path, settings: DemoSettings, services: LocalServices, *, kept: bool
) -> None:
    """Prints what the module that was taken home said, and how to go on."""
    best = demonstration.answer[0]
    sample = demonstration.sample
    model_file = next(file for file in demonstration.files if file.suffix != ".json")
    answer = f"{_near(model_file)} says {best.label!r}: {percent(best.probability)}"
    print_line(f"\n{_near(sample.path)} is a {sample.label}; {answer}")
    print_line(f"{_near(report_file)} has all figures; it took {duration(demonstration.report.seconds)}.")
    print_line("\nTo go on:")
    folder = services.data_directory
    home = f"  export MODELFOUNDRY_HOME={shlex.quote(str(folder))}"
    if kept:
        print_line(f"{home}   # the services of this demo still run")
    else:
        print_line(f"  modelfoundry up --data-dir {shlex.quote(_near(folder))} &   # everything of this demo is there")
        print_line(home)
    print_line("  modelfoundry module list")
    print_line(f"  modelfoundry module show {settings.shown}")
    print_line(f"  modelfoundry predict {shlex.quote(_near(sample.path))} --with {settings.shown}")
    print_line(f"  modelfoundry decompose {settings.model} --dataset {settings.dataset} --labels 3,8")
    if kept:
        print_line(f"  kill {services.process_id}   # stops the services")


def _row(module: ModuleReport) -> tuple[str, ...]:
    return (
        module.label,
        percent(module.original_accuracy, 2),
        percent(module.original_accuracy_restricted, 2),
        percent(module.module_accuracy, 2),
        percent(module.weight_retention),
        byte_count(module.module_bytes),
        byte_count(module.base_bytes),
        str(module.samples),
    )


def _near(path: Path) -> str:
    """A path as seen from here, where that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)
