"""One problem's module by the recipe `distilled`: checked, distilled, and measured beside its base."""

from __future__ import annotations

from dataclasses import replace

from modelfoundry.core.devices import stream_seed
from modelfoundry.core.evaluation import pose, unrestricted_predictions
from modelfoundry.core.inference import predict_logits
from modelfoundry.core.modules.head_networks import network_of_head
from modelfoundry.decomposer.algorithms.distilling.checks import check_images, check_teacher
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.pool import ViewPool
from modelfoundry.decomposer.algorithms.distilling.precision import decided
from modelfoundry.decomposer.algorithms.distilling.settling import settled_augmentation, settled_steps
from modelfoundry.decomposer.algorithms.distilling.threshold import check_enough
from modelfoundry.decomposer.algorithms.seam.distilled.search import DistillationTask, distil
from modelfoundry.decomposer.algorithms.seam.distilled.settings import DistilledSettings
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask

_AT_ONCE = 256


def distil_module(task: SearchTask[DistilledSettings]) -> SearchResult[FoundModule]:
    """Distils the module of the task's one problem.

    Raises:
        DatasetMismatch: a label has fewer than 20 training images, or too few for a threshold.
        UnsupportedModel: the base guesses a label, or has nothing to mask.
        DeviceUnavailable: bfloat16 is asked for on a machine without it.
        Cancelled: the monitor says so.
        MalformedFile: the checkpoint is damaged or of another search.
    """
    (problem,) = task.problems
    target = Target.of(problem, task.labels)
    precision = decided(task.settings.precision, task.device, field=f"{task.settings.path}.precision")
    check_images(task.train.labels, target, task.labels)
    validation = pose(task.validation, problem, task.labels)
    if target.rest:
        check_enough(validation.labels < len(target.columns))
    logits = predict_logits(
        task.network,
        validation.images,
        task.input_spec,
        batch_size=_AT_ONCE,
        device=task.device,
        monitor=task.monitor,
    )
    check_teacher(network_of_head(target.head()).requires_grad_(False)(logits), validation.labels, problem.labels)
    augmentation = settled_augmentation(
        task.settings.augmentation,
        task.network,
        task.train,
        task.input_spec,
        seed=task.seed,
        device=task.device,
        monitor=task.monitor,
    )
    steps = settled_steps(task.settings.steps, task.settings.batch_size, task.train.labels, target)
    settings = replace(task.settings, augmentation=augmentation, steps=steps)
    pool = ViewPool(
        task.network,
        task.train,
        task.input_spec,
        augmentation=augmentation,
        seed=stream_seed(task.seed, "pool"),
        device=task.device,
        precision=precision,
        # As many as a search draws, so that a short one does not run the base on everything there is.
        common=steps * settings.batch_size // 2 if target.rest else 0,
        shelf=task.shelf,
    )
    found = distil(
        DistillationTask(
            network=task.network,
            target=target,
            pool=pool,
            validation=validation,
            input_spec=task.input_spec,
            settings=settings,
            seed=task.seed,
            device=task.device,
            precision=precision,
            monitor=task.monitor,
            resume=task.resume,
        )
    )
    answered = unrestricted_predictions(logits, problem, target.columns)
    return SearchResult(
        modules=(FoundModule(found.masks, found.head, rewritten=found.rewritten),),
        validation_accuracy=found.validation_accuracy,
        base_validation_accuracy=float((answered == validation.labels).float().mean()),
        chosen_epoch=0,
        epochs_run=0,
        fell_back=False,
        history=(),
        samples=(len(task.train), len(validation)),
        settled={"steps": steps, "augmentation": augmentation, "precision": precision},
        threads_changed=len(found.threads) > 1,
    )
