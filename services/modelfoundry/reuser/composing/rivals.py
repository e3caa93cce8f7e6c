"""What a composition is compared with: every model that it is composed of, and the plain ensemble of these."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelfoundry.client import Baseline
from modelfoundry.core.composing import ensemble_probabilities
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.inference import predict_logits
from modelfoundry.core.metrics import cost
from modelfoundry.reuser.composing.plan import CompositionPlan
from modelfoundry.values.kinds import Kind
from modelfoundry.workbench.compositions import ENSEMBLE
from modelfoundry.workbench.jobs import Workbench
from modelfoundry.workbench.networks import load_composition, load_model
from modelfoundry.workbench.subject_names import subject_collection


def measure_rivals(
    plan: CompositionPlan, images: ImageSet, device: torch.device, bench: Workbench
) -> tuple[Baseline, ...]:
    """Accuracy on the validation images, parameters and multiply-accumulates of each; the ensemble last."""
    found: list[Baseline] = []
    logits: list[Tensor] = []
    for place, name in enumerate(plan.rivals):
        bench.monitor.check_cancelled()
        bench.monitor.progress("comparing", place, len(plan.rivals) + 1, "network", {})
        if subject_collection(name, field="rival") == Kind.MODEL:
            model = load_model(bench.client, bench.cache, bench.resources.model(name))
            network, spec, labels = model.network, model.input_spec, model.resource.labels
        else:
            composed = load_composition(bench.resources, bench.cache, bench.resources.composition(name))
            network, spec, labels = composed.network, composed.input_spec, composed.resource.labels
        spent = cost(network, spec)
        outputs = predict_logits(network, images.images, spec, batch_size=256, device=device)
        logits.append(outputs[:, [labels.index(label) for label in plan.labels]])
        found.append(
            Baseline(
                name=name,
                validation_accuracy=_accuracy(logits[-1], images),
                parameters=parameter_count(network),
                macs=spent.macs_dense,
            )
        )
    if len(logits) > 1:
        found.append(
            Baseline(
                name=ENSEMBLE,
                validation_accuracy=_accuracy(ensemble_probabilities(logits), images),
                parameters=sum(each.parameters for each in found),
                macs=sum(each.macs for each in found),
            )
        )
    return tuple(found)


def parameter_count(network: nn.Module) -> int:
    """Number of parameters, those that several layers share once."""
    return sum(parameter.numel() for parameter in network.parameters())


def _accuracy(scores: Tensor, images: ImageSet) -> float:
    return float((scores.argmax(dim=1) == images.labels).double().mean())
