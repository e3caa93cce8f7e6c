"""How a model was trained, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelfoundry.cli.rendering.quantities import chosen_figure, percent

if TYPE_CHECKING:
    from modelfoundry.client import Model, TrainingRecord


def training_facts(model: Model) -> list[tuple[str, str]]:
    """Lines for `model show`; none where no training was recorded."""
    record = model.training
    if record is None:
        return []
    settings = ", ".join(f"{name} {_text(value)}" for name, value in record.settings.items())
    validation = record.validation
    return [
        ("recipe", f"{record.recipe}, seed {record.seed}: {settings}"),
        ("training data", _part(record)),
        ("per label", ", ".join(map(_of_label, model.labels, record.label_counts))),
        (
            "validation",
            f"{chosen_figure(record.validation_accuracy, record.validation_samples, doubted=False)} samples, "
            f"{percent(validation.fraction)} of {validation.source_split} by seed {validation.seed}; "
            "the epoch was chosen on them",
        ),
        ("epoch", f"{record.chosen_epoch} of {record.epochs_run}"),
        ("device", record.environment.device),
    ]


def _part(record: TrainingRecord) -> str:
    samples = f"{sum(record.label_counts)} samples"
    subset = record.subset
    if subset is None:
        return samples
    return f"{samples}, imbalanced (Dirichlet, concentration {subset.concentration or 1:g}, seed {subset.seed})"


def _of_label(label: str, count: int) -> str:
    return f"{label}: {count}"


def _text(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
