"""What a request for modules will be answered with: chosen and complete before anything is computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from modelfoundry.client import ChoiceFigures, ModuleOrigin, RequestedModule
from modelfoundry.reuser.on_demand.budgets import budgets_text, within_budgets
from modelfoundry.reuser.on_demand.choosing import check_known, choose, choose_together
from modelfoundry.reuser.on_demand.known_labels import KnownLabel, known_labels
from modelfoundry.reuser.on_demand.offers import Choice, ModelOffer, ModuleOffer, Offer
from modelfoundry.reuser.on_demand.shortlist import Shortlist
from modelfoundry.reuser.on_demand.wanted import Answers, WantedModules
from modelfoundry.workbench.resources import AsyncResources

REQUEST_VERSION: Final = "1"
"""Changes when the same request gives another job, so that older ones are not taken for equal."""


async def plan_request(wanted: WantedModules, resources: AsyncResources) -> Answers:
    """Chooses for every label a module that is there, or what one is to be made from.

    Raises:
        UnknownLabel: no model knows a label.
        InvalidField: two labels mean the same, nothing has a licence, architecture or algorithm of the constraints, or
            there is no image size in common where the modules are to be joined.
        NotFound, DatasetMismatch: the data set of the constraints is not there, or lacks a label.
        ConstraintUnmet: there is nothing for a label.
    """
    labels = await known_labels(wanted.labels, resources.client)
    offers = await Shortlist(resources, wanted.constraints, wanted.compact, wanted.file_form).offers(labels)
    check_known(offers, wanted.constraints)
    choices: Sequence[Choice]
    if wanted.compose:
        choices = choose_together(offers, wanted.constraints)
    else:
        choices = [choose(each, wanted.constraints) for each in offers]
    return tuple(_answer(label, choice, wanted) for label, choice in zip(labels, choices, strict=True))


def request_key(wanted: WantedModules, answers: Answers) -> str:
    """SHA-256 over everything that the job of a request depends on: equal keys share one job."""
    facts = {
        "version": REQUEST_VERSION,
        "wanted": asdict(wanted),
        "algorithm": wanted.search.algorithm,
        "answers": [
            [each.match.label, each.origin, each.module, each.model, each.dataset, each.to_be_measured]
            for each in answers
        ],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode()).hexdigest()


def figures_of(offer: Offer) -> ChoiceFigures:
    """What an offer is judged by."""
    accuracy = offer.accuracy
    return ChoiceFigures(
        validation_accuracy=accuracy.value if accuracy else None,
        validation_samples=accuracy.samples if accuracy else 0,
        accuracy_lower_bound=accuracy.lower_bound if accuracy else 0.0,
        size_bytes=offer.size_bytes,
        latency_ms=offer.latency_ms if isinstance(offer, ModuleOffer) else None,
        macs=offer.macs if isinstance(offer, ModuleOffer) else None,
        latency=offer.latency if isinstance(offer, ModuleOffer) else None,
        base_accuracy=offer.base_accuracy if isinstance(offer, ModuleOffer) else None,
    )


def how_made(wanted: WantedModules) -> str:
    """What is said of modules to be made behind why: what makes them, where that is not the usual."""
    if not within_budgets(wanted.search.algorithm):
        return ""
    budgets = budgets_text(wanted.search.settings)
    within = f", within {budgets}" if budgets else ""
    return f"; by {wanted.search.algorithm}, which cuts a network of its own out of it{within}"


def _answer(label: KnownLabel, choice: Choice, wanted: WantedModules) -> RequestedModule:
    offer = choice.offer
    source: Offer | None = choice.fallback if choice.origin is ModuleOrigin.TO_BE_MEASURED else offer
    match source:
        case ModuleOffer():
            model, dataset, algorithm = source.model, source.dataset, source.algorithm
        case ModelOffer():
            model, dataset, algorithm = source.name, source.dataset, wanted.search.algorithm
        case None:
            model = dataset = algorithm = ""
    return RequestedModule(
        label=label.asked,
        match=label.match(offer.label),
        origin=choice.origin,
        module=offer.name if choice.origin is ModuleOrigin.REGISTERED else "",
        reason=f"{choice.reason}{how_made(wanted)}" if choice.origin is ModuleOrigin.TO_BE_MADE else choice.reason,
        figures=figures_of(offer),
        model=model,
        dataset=dataset,
        algorithm=algorithm,
        to_be_measured=choice.to_be_measured,
        alternatives=choice.alternatives,
    )
