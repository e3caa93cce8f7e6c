"""The page benchmarks/papers.md: published figures, and what was measured here beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from prose import filled
from tables.keeping import Figures
from tables.rendering import label_table
from tables.rows import CIFAR10, Row

from papers.published import SEAM, SEED_COMPOSED, SEED_MODULES, SEED_SVHN, SIZES
from papers.recipe_rows import default_modules
from papers.study import SHORT_EPOCHS

INTRODUCTION = """# The papers' tables, and this version beside them

`python benchmarks/papers page` wrote this page from what `python benchmarks/papers run` and `python
benchmarks/recipes run` measured, on one thread of a CPU. What was not run is said; nothing is estimated. Words in
brackets say where a published figure was read: *readme* is the tool's own page of results, *abstract* the paper's
(its tables were not at hand), *seed* the description that this project began with, *code* a log of the published
code.

Published figures of SeaM were selected, and mostly tuned, on the test data that they are reported on. Here the test
split is sealed: recipes choose on 5,000 images cut from the training split, and seed is 0. Intervals are Wilson's,
95 %; differences are paired, image by image. The base answers by its largest logit (**argmax**), as the paper has
it, or by its log-odds at the threshold of the balanced problem (**prior**), which is its best answer that looks at
no data.
"""
METHODS = {
    "distilled": (
        "SeaM's masks by the default recipe, `distilled`",
        "A tenth of the weights, no choice of an epoch. `python benchmarks/recipes run` searched these modules.",
    ),
    "paper": (
        f"SeaM by the paper's recipe, {SHORT_EPOCHS} epochs",
        f"The paper asks for 300; {SHORT_EPOCHS} were run, on two labels: a label at full length takes a core hours.",
    ),
    "magnitude": (
        "Plain magnitude pruning",
        "The largest tenth of the weights of all layers together, whatever the label is, and a head trained for 30 "
        "epochs.",
    ),
    "scratch": (
        "A small dense network from scratch",
        "Six convolutions, at most as many parameters as a module at 10 % has weights; it needs no base, and is "
        "trained on the balanced images, 12 epochs of 9,000.",
    ),
}
COMMANDS = """## How it was run

`FOLDER` holds CIFAR-10 as safetensors, `resnet20.th` is the public ResNet20 of akamaster/pytorch_resnet_cifar10.

```
python benchmarks/papers run --cifar10 FOLDER --resnet20 resnet20.th
python benchmarks/papers page
```
"""


def page(rows: Sequence[tuple[Row, Figures | None]], recipes: Path) -> str:
    """The page, from rows with their figures and the folder of what benchmarks/recipes searched."""
    methods = _methods(rows, default_modules(recipes))
    parts = [*_seam(methods), *_seed_modules(), *_seed_composed(), *_sizes(methods)]
    return "\n".join([INTRODUCTION, *parts, COMMANDS])


def _methods(
    rows: Sequence[tuple[Row, Figures | None]], searched: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, tuple[Mapping[str, Any], float]]]:
    """Method to label to figures and CPU seconds, in the order of the labels."""
    found: dict[str, dict[str, tuple[Mapping[str, Any], float]]] = {title: {} for title in METHODS}
    for label, figures in searched.items():
        found["distilled"][label] = figures, figures["cpu_seconds"]
    for row, measured in rows:
        if measured is not None and row.title in METHODS:
            found[row.title].setdefault(row.label, (measured["labels"][row.label], measured["cpu_seconds"]))
    return {title: {label: there[label] for label in CIFAR10 if label in there} for title, there in found.items()}


def _seam(methods: Mapping[str, Mapping[str, tuple[Mapping[str, Any], float]]]) -> Iterator[str]:
    yield "## SeaM: one label of ResNet20 on CIFAR-10\n"
    yield "| published, mean over binary problems | original | module | weights, M | kept, M | read in |"
    yield "|---|---:|---:|---:|---:|---|"
    for one in SEAM:
        yield (
            f"| {one.network} | {one.original:.2f} | {one.module:.2f} | {one.weights:.2f} | {one.kept:.2f} "
            f"({100 * one.kept / one.weights:.1f} %) | {one.source} |"
        )
    yield ""
    yield filled(
        "Of these the row of ResNet20 on CIFAR-10 was measured. The others were not run: their weights or CIFAR-100 "
        "were not at hand."
    )
    for title, (name, how) in METHODS.items():
        yield f"### {name}\n"
        yield filled(how)
        there = methods[title]
        missing = [label for label in CIFAR10 if label not in there]
        if missing:
            yield filled(f"Not run: {', '.join(missing) if there else 'any label'}.")
        if there:
            yield from label_table([(label, figures, seconds) for label, (figures, seconds) in there.items()])


def _seed_modules() -> Iterator[str]:
    yield "## SeaM's modules of SimCNN, ResCNN and InceCNN\n"
    yield "Published (seed), accuracy of the module and weights kept, in per cent:\n"
    yield f"| CIFAR-10 | {' | '.join(SEED_MODULES)} |"
    yield f"|---|{'---:|' * len(SEED_MODULES)}"
    for place, label in enumerate(CIFAR10):
        cells = (f"{rows[place][0]:.2f} / {rows[place][1]:.2f}" for rows in SEED_MODULES.values())
        yield f"| {label} | {' | '.join(cells)} |"
    means = (
        f"{mean(row[0] for row in rows):.2f} / {mean(row[1] for row in rows):.2f}" for rows in SEED_MODULES.values()
    )
    yield f"| mean | {' | '.join(means)} |"
    yield f"| SVHN, mean | {' | '.join(f'{one:.2f} / {other:.2f}' for one, other in SEED_SVHN.values())} |"
    yield ""
    yield filled(
        "Not run on a CPU: the networks have 13 to 34 million weights and are trained for 200 epochs each. `python "
        "benchmarks/gpu` trains them and searches their modules where there is a GPU ([GPU.md](GPU.md)). SVHN was not "
        "at hand."
    )


def _seed_composed() -> Iterator[str]:
    yield "## GradSplitter's modules of weak models, composed\n"
    yield "| published (seed) | network | best of ten target models | composed | gain |"
    yield "|---|---|---:|---:|---:|"
    for data, network, best, composed in SEED_COMPOSED:
        yield f"| {data} | {network} | {best:.2f} | {composed:.2f} | {composed - best:+.2f} |"
    yield ""
    yield filled(
        "Not run at this size. [compose_cifar10.md](compose_cifar10.md) has the same networks with three target models "
        "each, on 400 training images of a label, with the best target model and their plain ensemble beside them."
    )


def _sizes(methods: Mapping[str, Mapping[str, tuple[Mapping[str, Any], float]]]) -> Iterator[str]:
    yield "## How large what is reused is\n"
    yield "| method | size | read in |"
    yield "|---|---|---|"
    for method, size, source in SIZES:
        yield f"| {method} | {size} | {source} |"
    for title, name in (
        ("distilled", "here: SeaM's masks, recipe `distilled`"),
        ("paper", "here: SeaM, recipe `paper`"),
    ):
        found = [figures for figures, _ in methods[title].values()]
        if found:
            kept, size = mean(one["weight_retention"] for one in found), mean(one["bytes"] for one in found)
            yield (
                f"| {name} | {100 * kept:.2f} % of ResNet20's weights, {size / 1024:.1f} KiB in a file, "
                f"mean of {len(found)} labels | measured |"
            )
    yield ""
    yield filled(
        "MODA's, MwT's and NeMo's figures are of networks that were trained to be modular, and of kernels or neurons; "
        "SeaM's are of single weights of a network as it was found. How many parameters GradSplitter's modules have "
        "here stands in [compose_cifar10.md](compose_cifar10.md); the kernel counts of its paper were not at hand."
    )
