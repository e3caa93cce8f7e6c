"""The page benchmarks/GPU.md, written from rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

from papers.published import SEAM, SEED_MODULES
from prose import filled
from tables.keeping import Figures
from tables.rendering import label_table, per_cent
from tables.rows import CIFAR10, Row

INTRODUCTION = """# On a GPU

`python benchmarks/gpu run` measures in under ten minutes the CUDA tests, ResNet20's ten labels at the paper's 300
epochs and by the default recipe, and SimCNN, ResCNN and InceCNN trained on CIFAR-10 with modules of both algorithms,
as far as the time goes; it then writes this page. What was not measured is said.
"""
COMMANDS = """## How it is run

`FOLDER` holds CIFAR-10 as safetensors, `resnet20.th` is the public ResNet20 of akamaster/pytorch_resnet_cifar10. A
run that is started again goes on from the last checkpoints. Without a GPU the first command refuses; the second runs
the same code on the CPU on little data, and means nothing else.

```
python benchmarks/gpu run --cifar10 FOLDER --resnet20 resnet20.th
python benchmarks/gpu run --device cpu --tiny --rows build/gpu-tiny --page build/gpu-tiny/GPU.md
```
"""


def page(rows: Sequence[tuple[Row, Figures | None]], tests: Figures | None, stopped: Figures | None) -> str:
    """The page, from rows with their figures, what the tests said, and which rows the time ended."""
    there = [(row, figures) for row, figures in rows if figures is not None]
    if not there:
        return "\n".join([INTRODUCTION, "Not measured: no machine with a GPU was at hand.\n", COMMANDS])
    parts = [INTRODUCTION, *_machine(there, tests), *_networks(rows), *_modules(rows), *_joint(rows)]
    return "\n".join([*parts, *_missing(rows, stopped), COMMANDS])


def _machine(there: Sequence[tuple[Row, Figures]], tests: Figures | None) -> Iterator[str]:
    first = there[0][1]
    yield filled(f"Measured on {first['device']}, torch {first['torch']}, rows beside each other.")
    yield filled(f"CUDA tests: {tests['summary'] if tests else 'not run'}.")


def _networks(rows: Sequence[tuple[Row, Figures | None]]) -> Iterator[str]:
    trained = [(row, figures) for row, figures in rows if row.kind == "network" and figures]
    if not trained:
        return
    yield "## Networks\n"
    yield "Trained as the seed's, on the imbalanced part that seed 3 draws, for fewer epochs.\n"
    yield "| network | trained | training images | test accuracy | s |"
    yield "|---|---|---:|---:|---:|"
    for row, figures in trained:
        yield (
            f"| {row.base} | {row.title} | {figures['training_images']:,} | {per_cent(figures['accuracy'])} "
            f"| {figures['seconds']:.0f} |"
        )
    yield ""


def _modules(rows: Sequence[tuple[Row, Figures | None]]) -> Iterator[str]:
    groups: dict[tuple[str, str], list[tuple[str, Mapping[str, Any], float | None]]] = {}
    for row, figures in rows:
        if row.kind == "module" and figures:
            found = groups.setdefault((row.base, row.title), [])
            found.append((row.label, figures["labels"][row.label], figures["seconds"]))
    for (base, recipe), found in groups.items():
        yield f"## SeaM, {base}, recipe {recipe}\n"
        yield from _published(base)
        yield from label_table(found)


def _published(base: str) -> Iterator[str]:
    if base in SEED_MODULES:
        accuracy, kept = (mean(row[place] for row in SEED_MODULES[base]) for place in (0, 1))
        yield f"Published mean (seed): {accuracy:.2f} % at {kept:.2f} % of the weights.\n"
    for one in SEAM:
        if one.network.lower() == f"{base}, cifar-10":
            yield filled(
                f"Published mean ({one.source}): {one.module:.2f} % with {one.kept} M weights, "
                f"the base {one.original:.2f} %."
            )


def _joint(rows: Sequence[tuple[Row, Figures | None]]) -> Iterator[str]:
    found = [(row, figures) for row, figures in rows if row.kind == "modules" and figures]
    if not found:
        return
    yield "## GradSplitter, ten modules in one search\n"
    yield "Overlap is the mean Jaccard index of what two modules keep.\n"
    yield "| network | recipe | accuracy together | base | kernels kept | weights kept | overlap | s |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    for row, figures in found:
        labels = list(figures["labels"].values())
        yield (
            f"| {row.base} | {row.recipe} | **{per_cent(figures['joint_accuracy'])}** "
            f"| {per_cent(figures['base_accuracy'])} | {per_cent(mean(one['kernel_retention'] for one in labels))} % "
            f"| {per_cent(mean(one['weight_retention'] for one in labels))} % | {figures['overlap']:.3f} "
            f"| {figures['seconds']:.0f} |"
        )
    yield ""


def _missing(rows: Sequence[tuple[Row, Figures | None]], stopped: Figures | None) -> Iterator[str]:
    ended = set(stopped["rows"]) if stopped else set()
    groups: dict[tuple[str, str], list[Row]] = {}
    for row, figures in rows:
        if figures is None:
            groups.setdefault((row.base, row.title), []).append(row)
    if not groups:
        return
    yield "## Not measured\n"
    for (base, title), several in groups.items():
        labels = [row.label for row in several if row.label]
        which = "" if not labels else ": all labels" if len(labels) == len(CIFAR10) else f": {', '.join(labels)}"
        cut = sum(row.key in ended for row in several)
        why = f" ({cut} had begun when the time was over)" if cut else ""
        yield f"- {base}, {title}{which}{why}"
    yield ""
