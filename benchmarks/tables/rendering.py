"""Figures as cells of Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

HEAD = (
    "| label | weights kept | KiB | test [95 %] | base, argmax [95 %] | difference | base, prior | difference "
    "| AUC | base | s |"
)
RULE = "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"


def per_cent(share: float | None) -> str:
    """A share as per cent, with two digits; empty when there is none."""
    return "" if share is None else f"{100 * share:.2f}"


def with_bounds(found: Sequence[float] | None, *, signed: bool = False) -> str:
    """A share with its interval, in per cent or points."""
    if found is None:
        return ""
    value, lower, upper = (100 * one for one in found)
    return f"{value:+.2f} [{lower:+.2f}, {upper:+.2f}]" if signed else f"{value:.2f} [{lower:.1f}, {upper:.1f}]"


def label_line(label: str, found: Mapping[str, Any], seconds: float | None) -> str:
    """One label's figures; a network without a base leaves the base's cells empty."""
    kept = found.get("weight_retention")
    cells = (
        label,
        f"{found['weights']:,}" + (f" ({per_cent(kept)} %)" if kept is not None else ""),
        f"{found['bytes'] / 1024:.1f}",
        f"**{with_bounds(found['accuracy'])}**",
        with_bounds(found.get("base_argmax")),
        with_bounds(found.get("difference"), signed=True),
        per_cent(found["base_prior"][0]) if "base_prior" in found else "",
        with_bounds(found.get("difference_prior"), signed=True),
        per_cent(found["auc"]),
        per_cent(found.get("base_auc")),
        "" if seconds is None else f"{seconds:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def mean_line(several: Sequence[Mapping[str, Any]]) -> str:
    """Means over labels; their intervals are those of the labels, and are not joined."""

    def average(name: str) -> str:
        values = [one[name][0] if isinstance(one[name], list) else one[name] for one in several if name in one]
        return per_cent(mean(values)) if values else ""

    weights, size = mean(one["weights"] for one in several), mean(one["bytes"] for one in several)
    cells = (
        f"mean of {len(several)}",
        f"{weights:,.0f}" + (f" ({average('weight_retention')} %)" if "weight_retention" in several[0] else ""),
        f"{size / 1024:.1f}",
        f"**{average('accuracy')}**",
        *(average(name) for name in ("base_argmax", "difference", "base_prior", "difference_prior")),
        *(average(name) for name in ("auc", "base_auc")),
        "",
    )
    return f"| {' | '.join(cells)} |"


def label_table(found: Sequence[tuple[str, Mapping[str, Any], float | None]]) -> Iterator[str]:
    """Labels, and their mean where there are several."""
    yield HEAD
    yield RULE
    for label, figures, seconds in found:
        yield label_line(label, figures, seconds)
    if len(found) > 1:
        yield mean_line([figures for _, figures, _ in found])
    yield ""
