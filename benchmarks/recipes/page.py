"""The page benchmarks/recipes.md, written from rows: what is chosen on validation data first, test figures once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import mean

from figures import Answers, binary_figures, composed_accuracy, group_accuracy, mean_differences
from study import Row, rows

INTRODUCTION = """# Recipes compared

`python benchmarks/recipes page` wrote this page from what `python benchmarks/recipes run` measured, on one thread.
Recipes are compared by the AUC on validation images (5,000 of CIFAR-10, 130 digits), which none of them learnt from.
Bases learnt from these images, so that their own figures there say nothing; a module's accuracy there is optimistic
too, its AUC ranks recipes as the test split does.

The study is not complete. `distilled` was made the default on a prototype's runs; its first settings (negatives
alike, temperature 4) had been measured on all ten labels and their test figures printed (mean 96.12 %, composed
89.82 %) before hard negatives and temperature 8 were tried. These were chosen by validation AUC alone, of horse, cat
and bird at half of the steps; the seven other labels saw them untouched. The test figures below came after that.

Accuracies are those of the balanced problem: all test images of the label and as many of the rest. The base answers it
by its largest logit (**argmax**), or with its log-odds compared with those of a balanced problem (**prior**: at one
label in ten it says yes from -ln 9 on). Differences are in points, with 95 % intervals of a paired bootstrap of 10,000
resamples. CPU seconds are of one search; the first of a base and seed makes the base's answers that the others share.
"""
SETUP = """## How it was run

`FOLDER` holds CIFAR-10 as safetensors, `resnet20.th` and `resnet56.th` are the public weights of
akamaster/pytorch_resnet_cifar10. With `modelfoundry up` running, `MODELFOUNDRY_DECOMPOSER_THREADS_PER_JOB=1`:

```
modelfoundry dataset push FOLDER --name cifar10
modelfoundry dataset push digits --name digits
python benchmarks/enlarged_digits.py build/digits32
modelfoundry dataset push build/digits32 --name digits32
modelfoundry model push resnet20.th --architecture zoo:resnet20 --dataset cifar10 --mean 0.485,0.456,0.406 \\
    --std 0.229,0.224,0.225 --license BSD-2-Clause --name resnet20
modelfoundry model push resnet56.th --architecture zoo:resnet56 --dataset cifar10 --mean 0.485,0.456,0.406 \\
    --std 0.229,0.224,0.225 --license BSD-2-Clause --name resnet56
modelfoundry train zoo:digits_cnn --dataset digits --epochs 30 --batch-size 64 --augmentation crop --name digits-cnn
modelfoundry train timm:vit_tiny_patch16_224 --parameter img_size=8 --parameter patch_size=2 --parameter embed_dim=64 \\
    --parameter depth=4 --parameter num_heads=4 --dataset digits --epochs 60 --batch-size 64 --lr 0.05 --name digits-vit
modelfoundry train zoo:vgg16_bn --dataset digits32 --epochs 8 --batch-size 32 --lr 0.02 --name digits-vgg
python benchmarks/recipes run
python benchmarks/recipes page
```

Rows were measured with the product as at the commits {commits}, with torch {torch}.
A run goes on where the last one stopped; rows that were not measured are missing above, and none is estimated.
"""


def write_page(folder: Path, page: Path) -> str:
    """Writes the page from the rows that are there, and returns it."""
    found = [answers for row in rows() if (answers := Answers.read(row, folder)) is not None]
    parts = [INTRODUCTION]
    for part in dict.fromkeys(row.part for row in rows()):
        there = [answers for answers in found if answers.row.part == part]
        missing = sum(row.part == part for row in rows()) - len(there)
        if there:
            parts.append("\n".join(_part(part, there, missing)))
    commits, versions = (sorted({answers.facts[name] for answers in found}) for name in ("commit", "torch"))
    parts.append(SETUP.format(commits=", ".join(commits), torch=", ".join(versions)))
    text = "\n".join(parts)
    page.write_text(text)
    return text


def _part(title: str, there: Sequence[Answers], missing: int) -> Iterator[str]:
    yield f"## {title[0].upper()}{title[1:]}\n"
    if missing:
        yield f"{missing} of {missing + len(there)} rows were not measured.\n"
    binary = [answers for answers in there if len(answers.row.labels) == 1]
    groups = [answers for answers in there if len(answers.row.labels) > 1]
    if title.startswith("variants"):
        yield from _variants(binary)
    elif binary:
        yield from _labels(binary)
    if groups:
        yield from _groups(groups)


def _variants(there: Sequence[Answers]) -> Iterator[str]:
    by_title: dict[str, list[Answers]] = {}
    for answers in there:
        by_title.setdefault(answers.row.variant.title, []).append(answers)
    # Means over other labels say nothing about each other.
    by_labels: dict[str, list[tuple[str, list[Answers]]]] = {}
    for title, several in by_title.items():
        labels = ", ".join(sorted(answers.row.labels[0] for answers in several))
        by_labels.setdefault(labels, []).append((title, several))
    for labels, variants in by_labels.items():
        yield from _ranked(labels, variants)


def _ranked(labels: str, variants: Sequence[tuple[str, Sequence[Answers]]]) -> Iterator[str]:
    """Variants of the same labels, the best by validation AUC first."""
    yield f"Means of {labels}:\n"
    yield "| recipe | kept | KiB | CPU s | validation AUC | test AUC | test | base, argmax | base, prior |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for title, several in sorted(variants, key=lambda item: -mean(one.validation_auc() for one in item[1])):
        figures = [binary_figures(answers) for answers in several]
        cells = (
            f"{mean(one.retention for one in figures):.1f} %",
            *(f"{mean(getattr(one, name) for one in figures):.{digits}f}" for name, digits in _MEANS),
        )
        yield f"| {title} | {' | '.join(cells)} |"
    yield ""


_MEANS = (
    *(("kib", 1), ("cpu_seconds", 0), ("validation_auc", 2), ("auc", 2)),
    *(("accuracy", 2), ("base_argmax", 2), ("base_prior", 2)),
)


def _labels(there: Sequence[Answers]) -> Iterator[str]:
    for run, several in _runs(there):
        yield f"### {run}\n"
        yield (
            "| label | kept | KiB | CPU s | validation AUC | test AUC, base | test | base, argmax | difference "
            "| base, prior | difference |"
        )
        yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
        figures = [binary_figures(answers) for answers in several]
        for answers, one in zip(several, figures, strict=True):
            yield (
                f"| {answers.row.labels[0]} | {one.retention:.1f} % | {one.kib:.1f} | {one.cpu_seconds:.0f} "
                f"| {one.validation_auc:.2f} | {one.auc:.2f}, {one.base_auc:.2f} | {one.accuracy:.2f} "
                f"| {one.base_argmax:.2f} | {one.difference} | {one.base_prior:.2f} | {one.difference_prior} |"
            )
        if len(several) > 1:
            argmax, prior = mean_differences(several)
            means = {name: mean(getattr(one, name) for one in figures) for name in _AVERAGED}
            yield (
                f"| **mean** | {means['retention']:.1f} % | {means['kib']:.1f} | {means['cpu_seconds']:.0f} "
                f"| {means['validation_auc']:.2f} | {means['auc']:.2f}, {means['base_auc']:.2f} "
                f"| **{means['accuracy']:.2f}** | {means['base_argmax']:.2f} | {argmax} | {means['base_prior']:.2f} "
                f"| {prior} |"
            )
        if len(several) == len(several[0].row.base.labels):
            composed, base = composed_accuracy(several)
            yield f"\nComposed, the largest of all log-odds answers: {composed:.2f} %, the base {base:.2f} %."
        yield ""


_AVERAGED = (
    *("retention", "kib", "cpu_seconds", "validation_auc", "auc", "base_auc"),
    *("accuracy", "base_argmax", "base_prior"),
)


def _runs(there: Sequence[Answers]) -> Iterable[tuple[str, list[Answers]]]:
    """Rows of one base, recipe and seed together."""
    found: dict[tuple[str, str, int], list[Answers]] = {}
    for answers in there:
        row: Row = answers.row
        found.setdefault((row.base.model, row.variant.title, row.seed), []).append(answers)
    for (model, title, seed), several in found.items():
        yield f"{model}, {title}, seed {seed}", several


def _groups(there: Sequence[Answers]) -> Iterator[str]:
    yield "| labels told apart | recipe | kept | KiB | CPU s | test | base, restricted to them | difference |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    for answers in there:
        own, base, difference = group_accuracy(answers)
        facts = answers.facts
        yield (
            f"| {', '.join(answers.row.labels)} | {answers.row.variant.title} | {100 * facts['retention']:.1f} % "
            f"| {facts['bytes'] / 1024:.1f} | {facts['cpu_seconds']:.0f} | {own:.2f} | {base:.2f} | {difference} |"
        )
    yield ""
