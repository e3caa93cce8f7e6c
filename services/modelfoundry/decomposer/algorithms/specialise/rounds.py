"""One cut: score, take the best units, and fit what is left in closed form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from modelfoundry.core.channels import ChannelPlan, plan_cuts
from modelfoundry.core.channels import LayerCut as Cut
from modelfoundry.core.channels import cut as cut_network
from modelfoundry.core.devices import computing_in
from modelfoundry.decomposer.algorithms.specialise.fitting import refit
from modelfoundry.decomposer.algorithms.specialise.lessons import Lessons
from modelfoundry.decomposer.algorithms.specialise.saliency import best_units, saliency
from modelfoundry.decomposer.algorithms.specialise.work import Work

SCORED_BATCHES = 32
SCORED_BATCH = 32
FITTED_IMAGES = 256


def score(network: nn.Module, plan: ChannelPlan, lessons: Lessons, work: Work, place: int) -> dict[str, Tensor]:
    """Saliency of all units of a network, in evaluation mode and without gradients afterwards.

    Raises:
        Cancelled: the monitor says so.
    """
    batches = (lessons.inputs(f"scores {place} {batch}", SCORED_BATCH) for batch in range(SCORED_BATCHES))
    return scored(network, plan, batches, work, place)


def scored(
    network: nn.Module, plan: ChannelPlan, batches: Iterable[Tensor], work: Work, place: int
) -> dict[str, Tensor]:
    """The same on inputs that are given."""
    network.eval().requires_grad_(True)
    with computing_in(work.precision, work.device):
        scores = saliency(
            network,
            plan,
            batches,
            work.target,
            temperature=work.settings.temperature,
            generator=work.generator(place),
            monitor=work.monitor,
        )
    network.requires_grad_(False)
    return scores


def narrowed_to(
    network: nn.Module,
    reference: nn.Module,
    plan: ChannelPlan,
    widths: Mapping[str, int],
    scores: Mapping[str, Tensor],
    lessons: Lessons,
    work: Work,
    place: int,
) -> tuple[nn.Module, tuple[Cut, ...]]:
    """A network with narrower groups, fitted to what it was before.

    Args:
        network: To be cut, in evaluation mode; untouched.
        reference: What it answered like before: itself, or the base with the blocks that it lacks.
        plan: Of the network.
        widths: Of its groups by name.
        scores: Of its units.
        lessons: Views to fit on.
        work: What is done.
        place: Of the round.

    Raises:
        Cancelled: the monitor says so.
    """
    cuts = plan_cuts(plan, best_units(plan, scores, widths))
    smaller = cut_network(network, cuts).eval()
    refit(smaller.cpu(), reference.cpu(), cuts, lessons.inputs(f"fit {place}", FITTED_IMAGES).cpu(), work.monitor)
    return smaller.to(work.device), cuts
