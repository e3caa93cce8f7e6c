"""What came of the modules of a request: taken as the answer for a label, or refused with what they reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from modelfoundry.client import BinaryProblem, Module, ModuleOrigin, RequestedModule
from modelfoundry.errors import ConstraintUnmet, FieldViolation, Internal
from modelfoundry.names import shortened
from modelfoundry.reuser.on_demand.choosing import figures_text
from modelfoundry.reuser.on_demand.offers import Constraints, ModuleOffer
from modelfoundry.reuser.on_demand.plan import figures_of


def taken(answer: RequestedModule, offer: ModuleOffer, origin: ModuleOrigin, reason: str) -> RequestedModule:
    """The answer for a label, now that a module stands for it."""
    return replace(
        answer,
        origin=origin,
        module=offer.name,
        reason=reason,
        figures=figures_of(offer),
        match=replace(answer.match, label=offer.label),
        model=offer.model,
        dataset=offer.dataset,
        algorithm=offer.algorithm,
    )


def unmet(
    answer: RequestedModule, offer: ModuleOffer, constraints: Constraints, missed: Sequence[str]
) -> ConstraintUnmet:
    """The error for a module that misses constraints: what was wanted, what it reached, what to relax.

    Args:
        answer: For the label that it is of.
        offer: The module.
        constraints: Of the request.
        missed: Names of those that it misses, at least one.
    """
    wanted = ", ".join(_wanted(name, constraints) for name in missed)
    return ConstraintUnmet(
        f"{offer.name}, the module of {shortened(answer.label)!r}, misses {wanted}: {figures_text(offer)}",
        field=f"constraints.{missed[0]}",
        hint=f"relax {' and '.join(missed)}, or register a better model; the module stays registered",
        violations=tuple(
            FieldViolation(f"constraints.{name}", f"{offer.name} reached {_reached(offer, name)}") for name in missed
        ),
        metadata={"module": offer.name},
    )


def module_of(label: str, modules: object) -> Module:
    """The module of a label among those that a decomposition gave.

    Raises:
        Internal: there is none; the decomposer breaks its contract.
    """
    if isinstance(modules, tuple):
        for module in modules:
            if isinstance(module, Module) and module.problem == BinaryProblem(label):
                return module
    raise Internal(f"the decomposition gave no module of {label!r}")


def _wanted(name: str, constraints: Constraints) -> str:
    value = getattr(constraints, name)
    return name if value is True else f"{name} {value}"


def _reached(offer: ModuleOffer, name: str) -> str:
    accuracy = f"{offer.accuracy.value:.4f}" if offer.accuracy else "none"
    match name:
        case "min_accuracy":
            return accuracy
        case "min_accuracy_of_base":
            return f"{accuracy}, its base {'none' if offer.base_accuracy is None else f'{offer.base_accuracy:.4f}'}"
        case "max_bytes":
            return f"{offer.size_bytes}"
        case "max_latency_ms":
            return "no measurement" if offer.latency_ms is None else f"{offer.latency_ms:.3f}"
        case "max_macs" | "max_latency":
            share = offer.macs if name == "max_macs" else offer.latency
            return "no measurement" if share is None else f"{share:.4f}"
        case _:
            return f"{getattr(offer, name) or 'none'}"
