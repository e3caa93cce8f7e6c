"""From a decomposer's task to a joint search: which kernels can be cut out, and how good the base is on all labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

import torch

from modelfoundry.core.channels import ChannelPlan, plan_channels
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.evaluation import Run, evaluate_model
from modelfoundry.core.networks import build_network
from modelfoundry.decomposer.algorithms.gradsplitter.search import JointTask, KernelModule, search_jointly
from modelfoundry.decomposer.algorithms.gradsplitter.settings import GradSplitterSettings
from modelfoundry.decomposer.algorithms.searching import SearchResult, SearchTask
from modelfoundry.errors import DatasetMismatch, UnsupportedModel
from modelfoundry.names import shortened
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import resolve


def decompose_jointly(task: SearchTask[GradSplitterSettings]) -> SearchResult[KernelModule]:
    """Searches the kernels of all modules of a model.

    Raises:
        DatasetMismatch: a label has no training or no validation image.
        UnsupportedModel: no kernel of the model can be cut out.
        Cancelled, MalformedFile: as the search.
    """
    for part, what in ((task.train, "training"), (task.validation, "validation")):
        check_every_label(part, task.labels, what)
    run = Run(task.input_spec, task.device, monitor=task.monitor)
    base_accuracy = evaluate_model(task.network, task.validation, task.labels, run).accuracy
    joint = JointTask(
        network=task.network,
        plan=kernels_of(task.architecture, len(task.labels), task.input_spec),
        label_groups=tuple(resolve(problem, task.labels) for problem in task.problems),
        train=task.train,
        validation=task.validation,
        base_accuracy=base_accuracy,
        input_spec=task.input_spec,
        settings=task.settings,
    )
    return search_jointly(joint, seed=task.seed, device=task.device, monitor=task.monitor, resume=task.resume)


def kernels_of(architecture: Architecture, labels: int, input_spec: InputSpec) -> ChannelPlan:
    """The channels of an architecture, of which some kernels can be cut out; they depend on the structure alone.

    Raises:
        UnsupportedModel: no kernel of it can be cut out; layer and reason are named.
    """
    parameters = json.dumps(dict(architecture.parameters), sort_keys=True, allow_nan=False)
    return _kernels_of(architecture.builder, parameters, labels, input_spec)


@lru_cache(maxsize=64)
def _kernels_of(builder: str, parameters: str, labels: int, input_spec: InputSpec) -> ChannelPlan:
    network = build_network(Architecture(builder, json.loads(parameters)), labels, input_spec)
    hint = "decompose it with an algorithm that needs no kernels to cut out"
    try:
        plan = plan_channels(network, input_spec)
    except UnsupportedModel as error:
        raise UnsupportedModel(
            f"model: {error.message}", field="model", hint=error.hint or hint, metadata=error.metadata
        ) from error
    if not plan.kernel_groups:
        first = plan.whole[0]
        raise UnsupportedModel(
            f"model: layer {first.layer} cannot be cut: {first.reason}",
            field="model",
            hint=hint,
            metadata={"layer": first.layer},
        )
    return plan


def check_every_label(part: ImageSet, labels: Sequence[str], what: str) -> None:
    """Checks that a part of the data has images of every label.

    Args:
        part: With label numbers of the model.
        labels: Of the model, by number.
        what: What the part is for, in words: `training`.

    Raises:
        DatasetMismatch: a label has none.
    """
    counts = torch.bincount(part.labels, minlength=len(labels)).tolist()
    absent = [label for label, count in zip(labels, counts, strict=True) if not count]
    if absent:
        raise DatasetMismatch(
            f"dataset: no {what} image of {', '.join(repr(shortened(label)) for label in absent[:5])}",
            field="dataset",
            hint="use a data set with images of every label of the model",
        )
