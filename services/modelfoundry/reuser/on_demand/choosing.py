"""Chooses a module, or a model to make one from, for every label: from validation figures alone, never test figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from modelfoundry.errors import ConstraintUnmet, FieldViolation, InvalidField
from modelfoundry.names import near, shortened
from modelfoundry.reuser.on_demand.offers import (
    Choice,
    Constraints,
    LabelOffers,
    ModelOffer,
    ModuleOffer,
    Offer,
    Shape,
)
from modelfoundry.values.doubts import GUESS_OF_ONE_LABEL, accuracy_doubts
from modelfoundry.values.on_demand import ModuleOrigin
from modelfoundry.wire.decomposing import ALGORITHM_NAMES

MOST_MEASURED: Final = 8
AnyOffer = TypeVar("AnyOffer", ModuleOffer, ModelOffer)

_BROKEN: Final[Mapping[str, Callable[[ModuleOffer, Constraints], bool]]] = {
    "min_accuracy": lambda offer, wanted: offer.accuracy is None or offer.accuracy.value < wanted.min_accuracy,
    "min_accuracy_of_base": lambda offer, _: offer.below_base,
    "max_bytes": lambda offer, wanted: offer.size_bytes > wanted.max_bytes,
    "max_latency_ms": lambda offer, wanted: offer.latency_ms is not None and offer.latency_ms > wanted.max_latency_ms,
    "max_macs": lambda offer, wanted: offer.macs is not None and offer.macs > wanted.max_macs,
    "max_latency": lambda offer, wanted: offer.latency is not None and offer.latency > wanted.max_latency,
    "license": lambda offer, wanted: offer.license.casefold() != wanted.license.casefold(),
    "dataset": lambda offer, wanted: offer.dataset != wanted.dataset,
    "architecture": lambda offer, wanted: offer.architecture != wanted.architecture,
    "algorithm": lambda offer, wanted: offer.algorithm != wanted.algorithm,
}

_MEASURED: Final[Mapping[str, Callable[[ModuleOffer], float | None]]] = {
    "max_latency_ms": lambda offer: offer.latency_ms,
    "max_macs": lambda offer: offer.macs,
    "max_latency": lambda offer: offer.latency,
}
"""What Compact finds out."""


def broken(offer: ModuleOffer, constraints: Constraints) -> tuple[str, ...]:
    """Constraints that a module does not satisfy; what was not measured breaks none."""
    return tuple(name for name in constraints.given if _BROKEN[name](offer, constraints))


def unmeasured(offer: ModuleOffer, constraints: Constraints) -> tuple[str, ...]:
    """Constraints of which nobody knows whether a module satisfies them before it is measured."""
    return tuple(name for name, figure in _MEASURED.items() if name in constraints.given and figure(offer) is None)


def choose(offers: LabelOffers, constraints: Constraints) -> Choice:
    """What to take for one label: a module that is there, else ones to be measured, else a model to make one from.

    Raises:
        ConstraintUnmet: there is nothing; each constraint without which there would be is a violation.
    """
    choice = _best(offers, constraints)
    if choice is None:
        raise _unmet(offers, constraints)
    return choice


def choose_together(everything: Sequence[LabelOffers], constraints: Constraints) -> tuple[Choice, ...]:
    """What to take for labels that are to be joined: offers for images of one size.

    Of several sizes the one with the fewest modules to be made is taken, then the one whose least sure choice is the
    surest.

    Raises:
        ConstraintUnmet: there is nothing for a label.
        InvalidField: there is something for every label, but for no size in common.
    """
    alone = tuple(choose(offers, constraints) for offers in everything)
    shapes = sorted({shape for offers in everything for shape in offers.shapes()})
    if len(shapes) == 1:
        return alone
    found: dict[Shape, tuple[Choice, ...]] = {}
    for shape in shapes:
        choices = [_best(_of_shape(offers, shape), constraints) for offers in everything]
        if None not in choices:
            found[shape] = tuple(choice for choice in choices if choice is not None)
    if not found:
        sizes = "; ".join(
            f"{shortened(offers.label)!r}: {', '.join(map(_by, sorted(set(offers.shapes()))))}" for offers in everything
        )
        raise InvalidField(
            f"compose: the labels have no image size in common (channels x height x width): {sizes}",
            field="compose",
            hint="register models of one image size, or ask for the modules without joining them",
        )
    best = min(found, key=lambda shape: _cost(found[shape]))
    remark = f"for images of {_by(best)}, the size that the labels have in common"
    return tuple(replace(choice, reason=f"{choice.reason}; {remark}") for choice in found[best])


def check_known(everything: Sequence[LabelOffers], constraints: Constraints) -> None:
    """Checks that licence, architecture and algorithm are those of something.

    Raises:
        InvalidField: nothing that is there for the labels has it; what there is instead is named.
    """
    offers: list[Offer] = []
    for each in everything:
        offers += [*each.modules, *each.models]
    algorithms = {*ALGORITHM_NAMES, *(offer.algorithm for offer in offers if isinstance(offer, ModuleOffer))}
    licenses = {offer.license for offer in offers}
    _check_among("architecture", constraints.architecture, {offer.architecture for offer in offers})
    _check_among("algorithm", constraints.algorithm, algorithms)
    if constraints.license.casefold() not in {each.casefold() for each in licenses}:
        _check_among("license", constraints.license, licenses - {""})


def figures_text(offer: Offer) -> str:
    """What an offer was chosen by, in words."""
    size = f"{offer.size_bytes:,} bytes"
    speed = _costs_text(offer) if isinstance(offer, ModuleOffer) else ""
    if offer.accuracy is None:
        return f"no validation accuracy on record, {size}{speed}"
    accuracy = offer.accuracy
    return (
        f"validation accuracy {accuracy.value * 100:.1f} % on {accuracy.samples:,} samples, optimistic "
        f"(lower bound {accuracy.lower_bound * 100:.1f} %), {size}{speed}{_doubt_text(offer)}"
    )


def _doubt_text(offer: Offer) -> str:
    """What speaks against a module: the first and gravest doubt. Labels are told from the rest, half and half."""
    if not isinstance(offer, ModuleOffer) or offer.accuracy is None:
        return ""
    doubts = accuracy_doubts(offer.accuracy.value, offer.accuracy.samples, GUESS_OF_ONE_LABEL)
    first = next(doubts, None)
    return "" if first is None else f"; doubtful: {first.text}"


def _costs_text(offer: ModuleOffer) -> str:
    """What running a module costs, as far as it is known."""
    return "".join(
        f", {text}"
        for figure, text in (
            (offer.latency_ms, f"{offer.latency_ms or 0:.2f} ms"),
            (offer.macs, f"{offer.macs or 0:.1%} of the base's multiply-accumulates"),
            (offer.latency, f"{offer.latency or 0:.1%} of its time"),
        )
        if figure is not None
    )


def _best(offers: LabelOffers, constraints: Constraints) -> Choice | None:
    fitting = _ranked([offer for offer in offers.modules if not broken(offer, constraints)])
    measured = [offer for offer in fitting if not unmeasured(offer, constraints)]
    unknown = [offer for offer in fitting if unmeasured(offer, constraints)]
    if measured:
        first, *others = measured
        reason = _why_module(offers.label, first, others, constraints)
        return Choice(origin=ModuleOrigin.REGISTERED, offer=first, reason=reason, alternatives=len(others))
    model = _model(offers, constraints)
    if unknown:
        tried = unknown[:MOST_MEASURED]
        return Choice(
            origin=ModuleOrigin.TO_BE_MEASURED,
            offer=tried[0],
            reason=f"no fitting module of {shortened(offers.label)!r} was timed yet: the surest is measured first",
            to_be_measured=tuple(offer.name for offer in tried),
            fallback=model,
        )
    if model is None:
        return None
    why = _why_made(offers, constraints, model)
    return Choice(origin=ModuleOrigin.TO_BE_MADE, offer=model, reason=why)


def _ranked(offers: Sequence[AnyOffer]) -> list[AnyOffer]:
    """The surest first, of equals the smaller, then the first by name."""
    return sorted(offers, key=lambda offer: (-_sureness(offer), offer.size_bytes, offer.name))


def _sureness(offer: Offer) -> float:
    return -1.0 if offer.accuracy is None else offer.accuracy.lower_bound


def _makeable_from(offers: LabelOffers, constraints: Constraints) -> list[ModelOffer]:
    if constraints.algorithm and constraints.algorithm not in ALGORITHM_NAMES:
        return []
    return _ranked(
        [
            offer
            for offer in offers.models
            if offer.dataset
            and constraints.dataset in {"", offer.dataset}
            and constraints.architecture in {"", offer.architecture}
            and (not constraints.license or offer.license.casefold() == constraints.license.casefold())
        ]
    )


def _model(offers: LabelOffers, constraints: Constraints) -> ModelOffer | None:
    return next(iter(_makeable_from(offers, constraints)), None)


def _why_module(label: str, first: ModuleOffer, others: Sequence[ModuleOffer], constraints: Constraints) -> str:
    fitting = " that satisfy the constraints" if constraints.given else ""
    what = figures_text(first)
    if not others:
        return f"the only registered module of {shortened(label)!r}{fitting.replace('satisfy', 'satisfies')}: {what}"
    many = f"{len(others) + 1} registered modules of {shortened(label)!r}{fitting}"
    second = others[0]
    if _sureness(second) < _sureness(first):
        return f"the surest of {many}: {what}; next is {second.name} with {figures_text(second)}"
    return f"one of the surest of {many}, and of these the smallest: {what}; next is {second.name}"


def _why_made(offers: LabelOffers, constraints: Constraints, model: ModelOffer) -> str:
    label = shortened(offers.label)
    others = len(_makeable_from(offers, constraints)) - 1
    from_what = "the only model that can be taken apart for it" if not others else f"the surest of {others + 1} models"
    made = f"it is made from {model.name}, {from_what}: {figures_text(model)}"
    if not offers.modules:
        return f"no module of {label!r} is registered; {made}"
    nearest = _nearest(offers, constraints)
    missed = ", ".join(broken(nearest, constraints))
    return (
        f"no registered module of {label!r} satisfies the constraints (the nearest of {len(offers.modules)}, "
        f"{nearest.name}, misses {missed}: {figures_text(nearest)}); {made}"
    )


def _nearest(offers: LabelOffers, constraints: Constraints) -> ModuleOffer:
    """The module that misses the fewest constraints, of equals the surest."""
    return min(_ranked(offers.modules), key=lambda offer: len(broken(offer, constraints)))


def _unmet(offers: LabelOffers, constraints: Constraints) -> ConstraintUnmet:
    label = shortened(offers.label)
    helping = [name for name in constraints.given if _best(offers, constraints.without(name)) is not None]
    nearest = _nearest(offers, constraints) if offers.modules else None
    told = (
        f"the nearest, {nearest.name}, misses {', '.join(broken(nearest, constraints))}: {figures_text(nearest)}"
        if nearest
        else "no module of it is registered"
    )
    models = ", ".join(offer.name for offer in offers.models[:3])
    no_model = (
        f"no registered data set has its label and image size for {models}"
        if offers.models and not any(offer.dataset for offer in offers.models)
        else "no model that satisfies them is there to make one from"
    )
    return ConstraintUnmet(
        f"no module of {label!r} satisfies the constraints ({told}), and {no_model}",
        field=f"constraints.{helping[0]}" if helping else "constraints",
        hint=f"relax {' or '.join(helping)}" if helping else "relax the constraints, or register a model and its data",
        violations=tuple(
            FieldViolation(f"constraints.{name}", f"without it there would be a module of {label!r}")
            for name in helping
        ),
        metadata={"module": nearest.name} if nearest else {},
    )


def _of_shape(offers: LabelOffers, shape: Shape) -> LabelOffers:
    return replace(
        offers,
        modules=tuple(offer for offer in offers.modules if offer.shape == shape),
        models=tuple(offer for offer in offers.models if offer.shape == shape),
    )


def _cost(choices: Sequence[Choice]) -> tuple[int, float]:
    made = sum(choice.origin is not ModuleOrigin.REGISTERED for choice in choices)
    return made, -min(_sureness(choice.offer) for choice in choices)


def _check_among(name: str, value: str, known: set[str]) -> None:
    if value and value not in known:
        similar = near(value, known)
        field = f"constraints.{name}"
        raise InvalidField(
            f"{field}: nothing that is registered for the labels has {shortened(value)!r}",
            field=field,
            hint=f"did you mean {', '.join(similar)}?" if similar else f"there is {', '.join(sorted(known)) or 'none'}",
            metadata={"near": ", ".join(similar)},
        )


def _by(shape: Shape) -> str:
    return "x".join(map(str, shape))
