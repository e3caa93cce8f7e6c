"""Whether the sources of a composition go together: labels, images, preprocessing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from modelfoundry.core.composing import Candidate
from modelfoundry.errors import InvalidField, UnknownLabel
from modelfoundry.names import near, shortened
from modelfoundry.reuser.composing.candidates import Source, Stock
from modelfoundry.values.architectures import InputSpec

SAME_PREPROCESSING: Final = 0.01
"""Largest difference of means and deviations, of pixels in [0, 1], that still comes from measuring on other images."""


def check_same_labels(first: Source, other: Source) -> None:
    """Checks that two sources have the same labels, in any order.

    Raises:
        InvalidField: they have not; what is lacking and what is there besides are named.
    """
    lacking = [label for label in first.labels if label not in other.labels]
    besides = [label for label in other.labels if label not in first.labels]
    if lacking or besides:
        told = [f"{what} {_named(labels)}" for what, labels in (("lacks", lacking), ("has", besides)) if labels]
        raise InvalidField(
            f"{other.field}: {other.name} has other labels than {first.name}: it {' and '.join(told)}",
            field=other.field,
            hint="compose models of the same labels, or pick labels of different models as a new task",
        )


def common_shape(specs: Iterable[tuple[str, InputSpec, str]]) -> tuple[int, int, int]:
    """Channels, height and width that all sources take.

    Args:
        specs: Of every source the request field that names it, its images, and its name.

    Raises:
        InvalidField: one takes others; both shapes are named.
    """
    (_, first, first_name), *others = specs
    for field, spec, name in others:
        if spec.shape != first.shape:
            raise InvalidField(
                f"{field}: {name} takes images of {_by(spec.shape)} (channels, height, width), {first_name} of "
                f"{_by(first.shape)}",
                field=field,
                hint="members of a composition see the same image: compose models of one image size",
            )
    return first.shape


async def check_preprocessing(sources: Sequence[Source], stock: Stock) -> None:
    """Checks that sources of the same labels normalise images alike.

    Raises:
        InvalidField: one does not; both normalisations are named.
        NotFound: the base model of a module is gone.
    """
    networks = [(source.field, *each) for source in sources for each in await stock.networks(source)]
    (_, first_name, first), *others = networks
    for field, name, spec in others:
        figures = zip((*first.means, *first.deviations), (*spec.means, *spec.deviations), strict=True)
        if any(abs(one - other) > SAME_PREPROCESSING for one, other in figures):
            raise InvalidField(
                f"{field}: {name} normalises images with {_normalisation(spec)}, {first_name} with "
                f"{_normalisation(first)}",
                field=field,
                hint="register a model again whose figures are not those it was trained with; if all are right, "
                "set allow_different_preprocessing (--allow-different-preprocessing)",
            )


def check_known(
    labels: Sequence[str], names: dict[str, str], offered: Sequence[Candidate], field: str, sources: Sequence[Source]
) -> None:
    """Checks that every label has a candidate.

    Args:
        labels: Of the composition.
        names: Their names in the sources.
        offered: The candidates.
        field: Path of the request field to blame.
        sources: Where candidates were looked for.

    Raises:
        UnknownLabel: one has none.
    """
    known = {candidate.label for candidate in offered}
    for label in labels:
        if label not in known:
            in_sources = names[label]
            similar = list(dict.fromkeys(each for source in sources for each in source.labels))
            if in_sources in similar:
                raise UnknownLabel(
                    f"{field}: none of the sources has a module that knows {shortened(in_sources)!r}",
                    field=field,
                    hint="decompose one of the source models for it first",
                )
            raise unknown_label(in_sources, similar, field, "none of the sources knows")


def unknown_label(label: str, known: Sequence[str], field: str, what: str) -> UnknownLabel:
    """The error for a label that is not among the known ones; similar ones are named."""
    similar = near(label, known)
    return UnknownLabel(
        f"{field}: {what} {shortened(label)!r}",
        field=field,
        hint=f"did you mean {', '.join(similar)}?" if similar else f"there are {_named(known)}",
        metadata={"near": ", ".join(similar)},
    )


def _named(labels: Sequence[str], limit: int = 5) -> str:
    shown = ", ".join(repr(shortened(label, 40)) for label in labels[:limit])
    return shown if len(labels) <= limit else f"{shown} and {len(labels) - limit} more"


def _normalisation(spec: InputSpec) -> str:
    mean, std = (", ".join(f"{figure:.3g}" for figure in figures) for figures in (spec.means, spec.deviations))
    return f"mean {mean} and deviation {std}"


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
