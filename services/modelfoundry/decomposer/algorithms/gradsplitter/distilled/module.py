"""All modules of a model by the recipe `distilled`: checked, distilled, given thresholds, and measured together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from modelfoundry.core.batches import to_input
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import stream_seed
from modelfoundry.core.evaluation import pose
from modelfoundry.core.finite import finite_outputs
from modelfoundry.core.inference import predict_logits
from modelfoundry.core.masking import masked_forward, masked_state
from modelfoundry.core.modules.head_networks import network_of_head
from modelfoundry.decomposer.algorithms.distilling.checks import check_teacher
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.pool import ViewPool
from modelfoundry.decomposer.algorithms.distilling.precision import decided
from modelfoundry.decomposer.algorithms.distilling.threshold import check_enough, fit_threshold
from modelfoundry.decomposer.algorithms.gradsplitter.decompose import check_every_label, kernels_of
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.search import SplitTask, split
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.settings import DistilledSplitSettings
from modelfoundry.decomposer.algorithms.gradsplitter.search import KernelModule
from modelfoundry.decomposer.algorithms.searching import SearchResult, SearchTask

_AT_ONCE = 256


def split_distilled(task: SearchTask[DistilledSplitSettings]) -> SearchResult[KernelModule]:
    """Distils the modules of all of the task's problems together.

    Raises:
        DatasetMismatch: a label has no training image, or too few validation images for a threshold.
        UnsupportedModel: the base guesses a label, or no kernel of it can be cut out.
        DeviceUnavailable: bfloat16 is asked for on a machine without it.
        Cancelled: the monitor says so.
        MalformedFile: the checkpoint is damaged or of another search.
    """
    precision = decided(task.settings.precision, task.device, field=f"{task.settings.path}.precision")
    check_every_label(task.train, task.labels, "training")
    targets = tuple(Target.of(problem, task.labels) for problem in task.problems)
    for target in targets:
        check_enough(_answers(target, task.validation.labels) < len(target.columns))
    base_logits = predict_logits(
        task.network,
        task.validation.images,
        task.input_spec,
        batch_size=_AT_ONCE,
        device=task.device,
        monitor=task.monitor,
    )
    for target in targets:
        _check_taught(target, base_logits, task.validation.labels, task.labels)
    found = split(
        SplitTask(
            network=task.network,
            plan=kernels_of(task.architecture, len(task.labels), task.input_spec),
            targets=targets,
            pool=ViewPool(
                task.network,
                task.train,
                task.input_spec,
                augmentation=task.settings.augmentation,
                seed=stream_seed(task.seed, "pool"),
                device=task.device,
                precision=precision,
                shelf=task.shelf,
            ),
            input_spec=task.input_spec,
            settings=task.settings,
            seed=task.seed,
            device=task.device,
            precision=precision,
            monitor=task.monitor,
            resume=task.resume,
        )
    )
    modules, accuracy = _with_thresholds(task, found.modules, targets)
    return SearchResult(
        modules=modules,
        validation_accuracy=accuracy,
        base_validation_accuracy=_share_right(base_logits, task.validation.labels),
        chosen_epoch=0,
        epochs_run=0,
        fell_back=False,
        history=(),
        samples=(len(task.train), len(task.validation)),
        settled={"precision": precision},
        threads_changed=len(found.threads) > 1,
    )


def _check_taught(target: Target, base_logits: Tensor, labels: Tensor, names: Sequence[str]) -> None:
    """Checks that the base does not guess.

    Args:
        target: One module's problem.
        base_logits: On validation images, float32 [n, labels].
        labels: Theirs, int64 [n].
        names: Labels of the base, by number.
    """
    with torch.no_grad():
        outputs = network_of_head(target.head())(base_logits)
    check_teacher(outputs, _answers(target, labels), [names[column] for column in target.columns])


def _answers(target: Target, labels: Tensor) -> Tensor:
    """Number of the right output of a module for every image: int64 [n]."""
    answers = torch.full_like(labels, len(target.columns))
    for place, column in enumerate(target.columns):
        answers[labels == column] = place
    return answers


def _with_thresholds(
    task: SearchTask[DistilledSplitSettings], modules: Sequence[KernelModule], targets: Sequence[Target]
) -> tuple[tuple[KernelModule, ...], float]:
    """The modules with heads that know their thresholds, and their accuracy together on all validation images."""
    complete = []
    scores = torch.zeros(len(task.validation), len(task.labels))
    network = task.network.to(task.device)
    for module, target, problem in zip(modules, targets, task.problems, strict=True):
        state = dict(masked_state(network, module.masks))
        state |= {name: value.to(task.device, torch.float32) for name, value in module.rewritten.items()}
        posed = pose(task.validation, problem, task.labels)
        with torch.no_grad():
            outputs = network_of_head(target.head())(_logits(task, state, posed))
            head = target.head(fit_threshold(outputs, posed.labels, target))
            answered = network_of_head(head)(_logits(task, state, task.validation))
        scores[:, list(target.columns)] = answered[:, :-1]
        complete.append(dataclasses.replace(module, head=head))
    return tuple(complete), _share_right(scores, task.validation.labels)


def _logits(task: SearchTask[DistilledSplitSettings], state: Mapping[str, Tensor], image_set: ImageSet) -> Tensor:
    """Logits of a module's network, float32 [n, labels] on the CPU."""
    found = []
    for images in torch.split(image_set.images, _AT_ONCE):
        task.monitor.check_cancelled()
        inputs = to_input(images, task.input_spec, task.device)
        logits = masked_forward(task.network.eval(), state, inputs)
        found.append(finite_outputs(logits.float().cpu(), "the module"))
    return torch.cat(found)


def _share_right(scores: Tensor, labels: Tensor) -> float:
    return float((scores.argmax(dim=1) == labels).float().mean())
