"""`modelfoundry dataset ...`: labelled images in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.arguments import extents, tag_map
from modelfoundry.cli.command import command
from modelfoundry.cli.completion import complete_datasets
from modelfoundry.cli.options import (
    CascadeOption,
    DatasetArgument,
    DescriptionOption,
    DisplayNameOption,
    FilterOption,
    LabelsOption,
    LicenseOption,
    NameOption,
    OrderOption,
    TagOption,
    YesOption,
)
from modelfoundry.cli.removing import remove_all, remove_cascading
from modelfoundry.cli.rendering.json_output import as_plain
from modelfoundry.cli.rendering.progress import transfer_bar
from modelfoundry.cli.rendering.quantities import byte_count, moment
from modelfoundry.cli.rendering.tables import Column, print_facts, print_line, print_remark, print_table
from modelfoundry.cli.session import Session
from modelfoundry.values.kinds import Kind
from modelfoundry.values.label_lists import labels_in_all

if TYPE_CHECKING:
    from modelfoundry.client import Dataset, SourceReport

app = typer.Typer(help="Labelled images in the registry.")


@command(app, "push")
def push(
    session: Session,
    *,
    source: Annotated[
        str,
        typer.Argument(
            help="`digits` (those in scikit-learn), or a folder: pictures as SPLIT/LABEL/PICTURE or LABEL/PICTURE,"
            " SPLIT.safetensors, or the files of CIFAR-10, CIFAR-100, MNIST, Fashion-MNIST or SVHN."
        ),
    ],
    name: NameOption = "",
    labels: LabelsOption = None,
    image_size: Annotated[str, typer.Option("--image-size", help="Scale images to height and width: 32x32.")] = "",
    display_name: DisplayNameOption = "",
    description: DescriptionOption = "",
    license: LicenseOption = "",  # noqa: A002 - the name of the option and of the field
    tag: TagOption = None,
) -> None:
    """Read a data set from this machine, upload and register it.

    What is left out of it is said on stderr, and in full as `left_out` with --json.
    """
    size = extents(image_size, 2, "--image-size") if image_size else ()
    reports: list[SourceReport] = []
    with session.client() as client, transfer_bar(f"uploading {source}") as show:
        dataset = client.datasets.push(
            source,
            dataset_id=name,
            labels=labels_in_all(labels or []),
            image_size=(size[0], size[1]) if size else None,
            display_name=display_name,
            description=description,
            license=license,
            tags=tag_map(tag or []),
            on_progress=show,
            on_report=reports.append,
        )
    answer = {**as_plain(dataset), "left_out": reports[0].left_out, "notes": reports[0].notes}
    session.answer(answer, lambda: print_line(f"pushed {session.short(dataset.name)}: {_sizes(dataset)}"))
    for line in reports[0].lines():
        print_remark(line)


@command(app, "list")
def list_datasets(session: Session, filter: FilterOption = "", order_by: OrderOption = "") -> None:  # noqa: A002
    """List data sets, newest first."""
    with session.client() as client:
        datasets = list(client.datasets.list(filter, order_by))
    columns = [Column("DATA SET"), Column("LABELS", "right"), Column("IMAGE"), Column("SPLITS"), Column("CREATED")]
    rows = [
        (
            session.short(dataset.name),
            str(len(dataset.labels)),
            f"{dataset.channels}x{dataset.height}x{dataset.width}",
            _sizes(dataset),
            moment(dataset.create_time),
        )
        for dataset in datasets
    ]
    session.answer(datasets, lambda: print_table(columns, rows, empty="no data sets"))


@command(app, "show")
def show(session: Session, dataset: DatasetArgument) -> None:
    """Show everything about a data set."""
    with session.client() as client:
        found = client.datasets.get(dataset)
    session.answer(found, lambda: print_facts(_facts(found)))


@command(app, "rm")
def remove(
    session: Session,
    datasets: Annotated[list[str], typer.Argument(help="Data sets: ids or names.", autocompletion=complete_datasets)],
    *,
    cascade: CascadeOption = False,
    yes: YesOption = False,
) -> None:
    """Remove data sets. One that others depend on is refused, unless --cascade removes them too."""
    with session.client() as client:
        if cascade:
            remove_cascading(session, client, Kind.DATASET, datasets, client.datasets.delete, yes=yes)
        else:
            remove_all(session, datasets, client.datasets.delete)


def _sizes(dataset: Dataset) -> str:
    return ", ".join(f"{split.split} {split.sample_count}" for split in dataset.splits)


def _facts(dataset: Dataset) -> list[tuple[str, str]]:
    splits = [
        (
            f"split {split.split}",
            f"{split.sample_count} images, {byte_count(split.content.size_bytes)}  {split.content.digest}",
        )
        for split in dataset.splits
    ]
    return [
        ("name", dataset.name),
        ("display name", dataset.display_name),
        ("image", f"{dataset.channels}x{dataset.height}x{dataset.width}"),
        ("labels", ", ".join(dataset.labels)),
        *splits,
        ("digest", dataset.digest),
        ("licence", dataset.license),
        ("tags", ", ".join(f"{key}={value}" for key, value in sorted(dataset.tags.items()))),
        ("created", moment(dataset.create_time)),
        ("description", dataset.description),
        ("intended use", dataset.intended_use),
    ]
