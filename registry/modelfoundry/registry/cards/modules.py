"""What is known of modules."""

from __future__ import annotations

from collections.abc import Iterator

from modelfoundry.api.registry.v1 import module_pb2
from modelfoundry.registry.cards.facts import (
    MADE,
    PROVENANCE,
    SHAPE,
    chosen_facts,
    chosen_limits,
    environment_facts,
    few_validation_samples,
    partial_data,
    settings_facts,
    some,
)
from modelfoundry.registry.cards.quantities import byte_count, percent, short
from modelfoundry.registry.cards.sheet import Account
from modelfoundry.values.cards import CardFact, CardLimit, LimitKind
from modelfoundry.values.doubts import GUESS_OF_ONE_LABEL
from modelfoundry.values.resources import JOINT_SETTING
from modelfoundry.wire.figures import forms_from_proto
from modelfoundry.wire.frontiers import frontier_from_proto


def module_account(module: module_pb2.Module) -> Account:
    """What the services know of a module."""
    return Account(
        summary=f"{_problem(module)}: a part of {short(module.base_model)}, found by {module.record.algorithm} on "
        f"{short(module.dataset)}.",
        labels=module.outputs,
        facts=(*_shape(module), *_made(module), *_provenance(module)),
        limits=tuple(_limits(module)),
        algorithm=module.record.algorithm,
        base_models=(module.base_model,),
        datasets=(module.dataset,),
        forms=forms_from_proto(module.forms) if module.HasField("forms") else None,
        frontier=frontier_from_proto(module.record.frontier) if module.record.HasField("frontier") else None,
    )


def _problem(module: module_pb2.Module) -> str:
    match module.problem.WhichOneof("kind"):
        case "binary":
            return f"Tells {module.problem.binary.label} from the rest"
        case "open_set":
            return f"Tells {some(module.problem.open_set.labels)} and the rest apart"
        case _:
            return f"Tells {some(module.outputs)} apart"


def _shape(module: module_pb2.Module) -> Iterator[CardFact]:
    yield CardFact(
        SHAPE,
        "Artifact",
        f"{byte_count(module.artifact.size_bytes)}: what it changes of the base's weights, and its head",
    )
    yield CardFact(
        SHAPE,
        "Computation",
        "normalisation, the base's network as the module has it, its head (in the papers' recipes ReLU, then linear; "
        "else log-odds against the rest), softmax; files say every step under `computation`",
    )
    if not module.HasField("retention"):
        return
    kept = module.retention
    counts = f"{kept.kept_weights:,} of {kept.total_weights:,}"
    yield CardFact(SHAPE, "Weights kept", f"{percent(kept.weight_retention)} ({counts})")
    counts = f"{kept.kept_kernels:,} of {kept.total_kernels:,}"
    yield CardFact(SHAPE, "Convolution kernels kept", f"{percent(kept.kernel_retention)} ({counts})")


def _made(module: module_pb2.Module) -> Iterator[CardFact]:
    record = module.record
    yield CardFact(MADE, "Algorithm", record.algorithm)
    yield CardFact(MADE, "Data set", short(module.dataset))
    if record.training_samples:
        yield CardFact(MADE, "Training samples of the problem", f"{record.training_samples:,}")
    yield from chosen_facts(
        record.validation, record.validation_accuracy, record.validation_samples, record.calibration_split
    )
    yield CardFact(MADE, "Validation accuracy of the base model", _base_figure(record))
    yield from _joint(record)
    if record.epochs_run:
        yield CardFact(MADE, "Epoch", f"{record.chosen_epoch}, counted from 0, of {record.epochs_run}")
    yield CardFact(MADE, "Seed", str(record.seed))
    yield from settings_facts(record.settings)


def _joint(record: module_pb2.DecompositionRecord) -> Iterator[CardFact]:
    """What the modules of a search do together, which is another problem than the module's own."""
    what = "Joint validation accuracy, of all modules together on all labels"
    if record.HasField("joint"):
        joint = record.joint
        base = f"the base model {percent(joint.accuracy_base)}"
        yield CardFact(MADE, what, f"{percent(joint.accuracy)} of {joint.samples:,} samples; {base}")
    elif _holds_joint(record):
        yield CardFact(MADE, what, "the figures above: this record of an older version has none of the module alone")


def _holds_joint(record: module_pb2.DecompositionRecord) -> bool:
    return not record.HasField("joint") and JOINT_SETTING in record.settings


def _base_figure(record: module_pb2.DecompositionRecord) -> str:
    """The base on the same samples, where that says anything: see `DecompositionRecord.compares`."""
    if record.calibration_split:
        return percent(record.validation_accuracy_base)
    if not record.epochs_run:
        return "not compared with: it may have been trained on these samples"
    return f"{percent(record.validation_accuracy_base)}, optimistic where it was trained on these samples"


def _chosen_by(record: module_pb2.DecompositionRecord) -> tuple[float, float]:
    """What the epoch was chosen by: accuracy of what was searched, and the base's."""
    if record.HasField("joint"):
        return record.joint.accuracy, record.joint.accuracy_base
    return record.validation_accuracy, record.validation_accuracy_base


def _provenance(module: module_pb2.Module) -> Iterator[CardFact]:
    yield CardFact(PROVENANCE, "Name", module.name)
    yield CardFact(PROVENANCE, "Artifact", module.artifact.digest)
    yield CardFact(PROVENANCE, "Base model", f"{short(module.base_model)}, {module.base_digest}")
    yield CardFact(PROVENANCE, "Data set", f"{short(module.dataset)}, {module.record.dataset_digest}")
    if module.record.operation:
        yield CardFact(PROVENANCE, "Job", short(module.record.operation))
    yield from environment_facts(module.record.environment)


def _limits(module: module_pb2.Module) -> Iterator[CardLimit]:
    record = module.record
    yield from few_validation_samples(record.validation_samples)
    several = module.problem.WhichOneof("kind") == "multi_class"
    guess = 1 / max(2, len(module.problem.multi_class.labels)) if several else GUESS_OF_ONE_LABEL
    compares = record.epochs_run > 0 or record.calibration_split
    base = record.validation_accuracy_base if compares else None
    if not _holds_joint(record):
        yield from chosen_limits(record.validation_accuracy, record.validation_samples, guess, base)
    if record.fell_back:
        yield CardLimit(
            LimitKind.FELL_BACK,
            f"No epoch reached the base model's validation accuracy of {percent(_chosen_by(record)[1])}: the best "
            f"trade-off was kept, which has {percent(_chosen_by(record)[0])}.",
        )
    if record.empty_layers:
        yield CardLimit(
            LimitKind.LAYERS_KEPT_OPEN,
            f"The search left no kernel in {some(record.empty_layers)}: one was kept open in each, so that there is "
            "something to run.",
        )
    if record.HasField("subset"):
        yield partial_data("It was searched")
    if module.problem.WhichOneof("kind") == "multi_class":
        yield CardLimit(
            LimitKind.CLOSED_SET, "It answers with one of its labels for every image, also for images of none."
        )
    if not module.HasField("forms"):
        yield CardLimit(
            LimitKind.COST_UNKNOWN,
            "Size and speed were not measured. Masked weights are still multiplied by ordinary runtimes: a small share "
            "of weights kept makes nothing faster by itself.",
        )
    elif module.forms.held_layers:
        yield CardLimit(
            LimitKind.LAYERS_KEPT_OPEN,
            f"Every channel of {some(module.forms.held_layers)} was dead: the compacted form keeps one in each, "
            "multiplied by 0.",
        )
