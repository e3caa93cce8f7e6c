"""One problem's module: checked, specialised, and measured beside its base."""

from __future__ import annotations

from modelfoundry.core.batches import Augmentation
from modelfoundry.core.channels import plan_channels, with_projections
from modelfoundry.core.devices import seeded
from modelfoundry.core.evaluation import pose, unrestricted_predictions
from modelfoundry.core.inference import predict_logits
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules.head_networks import network_of_head
from modelfoundry.decomposer.algorithms.distilling.checks import check_images, check_teacher
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.precision import decided
from modelfoundry.decomposer.algorithms.distilling.settling import settled_augmentation
from modelfoundry.decomposer.algorithms.distilling.threshold import check_enough
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask
from modelfoundry.decomposer.algorithms.specialise.budgets import specialised
from modelfoundry.decomposer.algorithms.specialise.settings import SpecialiseSettings
from modelfoundry.decomposer.algorithms.specialise.work import Clock, Work

_AT_ONCE = 256


def specialise(task: SearchTask[SpecialiseSettings]) -> SearchResult[FoundModule]:
    """Makes the small network of the task's one problem.

    Raises:
        DatasetMismatch: a label has fewer than 20 training images, or too few for a threshold.
        UnsupportedModel: the base guesses a label, or no channel of it can be cut.
        DeviceUnavailable: bfloat16 is asked for on a machine without it.
        InvalidField: widths that the base does not have.
        ConstraintUnmet: nothing meets the budgets.
        Cancelled: the monitor says so.
        MalformedFile: the checkpoint is damaged or of another search.
    """
    clock = Clock()
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
        channels_last=True,
    )
    check_teacher(network_of_head(target.head()).requires_grad_(False)(logits), validation.labels, problem.labels)
    augmentation = _augmentation(task)
    projected, projections = with_projections(task.network.to(task.device), task.input_spec)
    answered = unrestricted_predictions(logits, problem, target.columns)
    # Counted, as files' accuracies are: level is level, in the last bit too.
    base_accuracy = int((answered == validation.labels).count_nonzero()) / len(validation)
    with seeded(task.seed, task.device):
        outcome = specialised(
            Work(
                network=projected.requires_grad_(False),
                plan=plan_channels(projected, task.input_spec),
                target=target,
                train=task.train,
                validation=validation,
                input_spec=task.input_spec,
                settings=task.settings,
                seed=task.seed,
                device=task.device,
                precision=precision,
                monitor=task.monitor,
                augmentation=augmentation,
                shelf=task.shelf,
                clock=clock,
            ),
            base_accuracy,
            task.resume,
        )
    found = outcome.found
    kept = tuple(one for one in projections if f"{one.layer}.weight" in found.tensors)
    return SearchResult(
        modules=(
            FoundModule(
                WeightMasks({}),
                found.head,
                rewritten=found.tensors,
                cuts=found.shape.cuts,
                operations=(*kept, *found.shape.bypasses),
            ),
        ),
        validation_accuracy=found.validation_accuracy,
        base_validation_accuracy=base_accuracy,
        chosen_epoch=0,
        epochs_run=0,
        fell_back=False,
        history=(),
        samples=(len(task.train), len(validation)),
        settled={"precision": precision, "augmentation": augmentation, **found.decided.record()},
        threads_changed=len(found.threads) > 1,
        notes=outcome.notes,
        frontier=outcome.frontier,
    )


def _augmentation(task: SearchTask[SpecialiseSettings]) -> Augmentation:
    """How training images are varied: not at all where nothing is learnt, unless that is asked for."""
    settings = task.settings
    nothing = not (settings.seconds or settings.steps)
    return settled_augmentation(
        "none" if nothing and settings.augmentation == "auto" else settings.augmentation,
        task.network,
        task.train,
        task.input_spec,
        seed=task.seed,
        device=task.device,
        monitor=task.monitor,
    )
