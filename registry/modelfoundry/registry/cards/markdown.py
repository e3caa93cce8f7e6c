"""A card as Markdown with front matter. What people wrote is data: it can neither hide nor imitate the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from modelfoundry.registry.cards.front_matter import dataset_card_data, model_card_data
from modelfoundry.registry.cards.measured import results
from modelfoundry.registry.cards.quantities import percent
from modelfoundry.registry.cards.sheet import Sheet
from modelfoundry.registry.cards.texts import escaped, quoted, table
from modelfoundry.values.figures import FormComparison
from modelfoundry.values.frontiers import Frontier
from modelfoundry.values.kinds import Kind, kind_of

LABELS_SHOWN: Final = 100
FRONTIER_HEADER: Final = (
    *("Structure", "Multiply-accumulates of the base's", "Bytes", "Time of the base's", "Lost", "Validation accuracy"),
)


def render(card: Sheet) -> str:
    """The whole card, ending with a line end."""
    from huggingface_hub import DatasetCard, ModelCard  # here: it takes half a second, and few calls need it

    if kind_of(card.name) is Kind.DATASET:
        return str(DatasetCard(f"---\n{dataset_card_data(card).to_yaml()}\n---\n\n{_body(card)}"))
    return str(ModelCard(f"---\n{model_card_data(card).to_yaml()}\n---\n\n{_body(card)}"))


def _body(card: Sheet) -> str:
    parts = [f"# {escaped(card.title)}", escaped(card.account.summary)]
    for title, text in (("Description", card.owned.description), ("Intended use", card.owned.intended_use)):
        if text.strip():
            parts += [f"## {title}", quoted(text)]
    parts += ["## Licence", escaped(card.owned.license) or "Not stated."]
    parts += ["## Limits", "\n".join(f"- {escaped(limit.text)}" for limit in card.limits) or "None that is known."]
    if card.results:
        parts += ["## Results", *results(card)]
    if card.account.forms is not None:
        parts += ["## Size and speed", *_forms(card.account.forms)]
    if card.account.frontier is not None:
        parts += ["## What it was chosen from", *_frontier(card.account.frontier)]
    parts += ["## Labels", _labels(card.account.labels)]
    for section, facts in groupby(card.account.facts, key=lambda fact: fact.section):
        rows = [(escaped(fact.name), escaped(fact.value)) for fact in facts]
        parts += [f"## {section}", table(("", ""), rows)]
    return "\n\n".join(parts) + "\n"


def _forms(forms: FormComparison) -> Iterator[str]:
    named = (("original", forms.original), ("masked", forms.masked), ("compacted", forms.compacted))
    sizes = sorted({latency.batch_size for _, form in named for latency in form.latencies})
    rows = []
    for name, form in named:
        medians = {latency.batch_size: f"{latency.median_ms:.3f} ms" for latency in form.latencies}
        costs = (f"{form.stored_bytes:,}", f"{form.parameters:,}", f"{form.macs_dense:,}")
        rows.append((name, *costs, *(medians.get(size, "") for size in sizes)))
    latencies = [f"Median, batch of {size}" for size in sizes]
    yield table(("Form", "Bytes", "Parameters", "Multiply-accumulates, dense", *latencies), rows)
    where = f" Measured on {escaped(forms.environment.device)}." if forms.environment.device else ""
    yield (
        f"Equivalence: on random images the logits of the masked and the compacted form differ by at most "
        f"{forms.max_difference:.3g}.{where}"
    )


def _frontier(frontier: Frontier) -> Iterator[str]:
    """The points of a search within budgets, and why one of them was taken."""
    rows = [
        (
            escaped(point.structure) + (" **(this)**" if point.taken else ""),
            percent(point.macs),
            f"{point.bytes:,}",
            percent(point.latency),
            percent(point.lost),
            "not tried" if point.accuracy is None else percent(point.accuracy),
        )
        for point in frontier.points
    ]
    yield table(FRONTIER_HEADER, rows)
    if frontier.reason:
        yield f"Taken: {escaped(frontier.reason)}."
    yield (
        f"Bytes, time and accuracy are those of ONNX files ({frontier.form}) in onnxruntime: time as a share of the "
        "base's float32 file, one image at a time on one thread of the machine that searched; accuracy on validation "
        "images, optimistic: a structure was chosen on them. Lost: the share of the base's saliency that was cut away, "
        "before anything was learnt."
    )


def _labels(labels: Sequence[str]) -> str:
    shown = table(
        ("Output", "Label"), [(str(index), escaped(text)) for index, text in enumerate(labels[:LABELS_SHOWN])]
    )
    more = len(labels) - LABELS_SHOWN
    return f"{shown}\n\nand {more:,} more" if more > 0 else shown
