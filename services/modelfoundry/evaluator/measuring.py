"""What all measurements of one job have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from modelfoundry.client import CostMetrics, Dataset, Environment, Evaluation, Model, Scoring
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.evaluation import Run, split_logits
from modelfoundry.core.metrics import cost, latency
from modelfoundry.evaluator.modularity import KernelSets
from modelfoundry.evaluator.plan import EvaluationPlan
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.figures import ClassificationMetrics, DiscriminationMetrics
from modelfoundry.values.problems import Problem
from modelfoundry.workbench.jobs import Workbench
from modelfoundry.workbench.networks import LoadedComposition, LoadedModel
from modelfoundry.workbench.splits import load_split


@dataclass(frozen=True, slots=True)
class Measuring:
    """What all measurements of one job have in common."""

    plan: EvaluationPlan
    operation: str
    bench: Workbench
    device: torch.device
    environment: Environment
    kernels: KernelSets | None
    """For measuring modules as software modules, where that was asked for."""
    _latest: dict[str, Tensor] = field(default_factory=dict)
    """Logits of the latest model, by its name: its modules usually follow each other."""

    @property
    def dataset(self) -> Dataset:
        """The data set, of several the first one."""
        return self.plan.dataset

    def run(self, input_spec: InputSpec) -> Run:
        """How a network that takes such images is run."""
        return Run(input_spec, self.device, monitor=self.bench.monitor)

    def model_logits(self, model: LoadedModel, images: ImageSet) -> Tensor:
        """Of a model on what `images` gives of it, float32 [n, N]: computed once for it and all its modules."""
        name = model.resource.name
        if name not in self._latest:
            self._latest.clear()
            self._latest[name] = split_logits(model.network, images.images, self.run(model.input_spec))
        return self._latest[name]

    def images(self, model: Model, needed: tuple[str, ...]) -> ImageSet:
        """The split, with label numbers of the model."""
        return load_split(
            self.bench.client, self.bench.cache, self.dataset, self.plan.request.split, model.labels, needed
        )


def evaluation_of(
    shared: Measuring,
    subject: LoadedModel | LoadedComposition,
    found: ClassificationMetrics,
    samples: int,
    *,
    spent: CostMetrics,
    discrimination: DiscriminationMetrics | None = None,
    module: str = "",
    problem: Problem | None = None,
    scoring: Scoring = Scoring.ALL_OUTPUTS,
) -> Evaluation:
    """What was found of a subject, as it is stored.

    Args:
        shared: What the job has in common.
        subject: What was measured.
        found: How well labels were told apart.
        samples: Number of images.
        spent: Size and speed.
        discrimination: How well all samples were told apart.
        module: The module whose problem was posed.
        problem: The problem; None: all labels.
        scoring: Which outputs predictions were chosen from.
    """
    resource = subject.resource
    return Evaluation(
        subject=resource.name,
        subject_digest=resource.weights.digest if isinstance(resource, Model) else resource.digest,
        dataset=shared.dataset.name,
        dataset_digest=shared.dataset.digest,
        split=shared.plan.request.split,
        operation=shared.operation,
        environment=shared.environment,
        module=module,
        problem=problem,
        scoring=scoring,
        sample_count=samples,
        classification=found,
        discrimination=discrimination,
        cost=spent,
    )


def cost_of(shared: Measuring, network: nn.Module, input_spec: InputSpec, artifact_bytes: int) -> CostMetrics:
    """Size and speed of a network on the job's device, timed where that was asked for."""
    sizes = shared.plan.request.latency_batch_sizes
    times = latency(network, input_spec, sizes, device=shared.device, monitor=shared.bench.monitor) if sizes else ()
    found = cost(network, input_spec)
    return CostMetrics(
        macs_dense=found.macs_dense,
        macs_sparse=found.macs_sparse,
        parameter_bytes=found.parameter_bytes,
        artifact_bytes=artifact_bytes,
        latencies=tuple(times),
    )
