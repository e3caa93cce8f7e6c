"""The YAML that the Hugging Face Hub reads at the beginning of a card."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from modelfoundry.names import singular_of
from modelfoundry.registry.cards.quantities import last
from modelfoundry.registry.cards.sheet import Measurement, Sheet
from modelfoundry.values.figures import Interval
from modelfoundry.values.kinds import Kind, kind_of
from modelfoundry.values.resources import Scoring

if TYPE_CHECKING:
    from huggingface_hub import DatasetCardData, EvalResult, ModelCardData

LIBRARY: Final = "modelfoundry"
TASK: Final = "image-classification"
HUB_LICENSES: Final = frozenset(
    {
        *("apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear", "isc", "zlib", "unlicense"),
        *("cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-3.0", "cc-by-nc-4.0"),
        *("cc-by-nd-4.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cdla-sharing-1.0"),
        *("cdla-permissive-1.0", "cdla-permissive-2.0", "odc-by", "odbl", "pddl", "ofl-1.1", "wtfpl"),
        *("gpl-2.0", "gpl-3.0", "lgpl-2.1", "lgpl-3.0", "agpl-3.0", "mpl-2.0", "epl-1.0", "epl-2.0", "eupl-1.1"),
        *("eupl-1.2", "ecl-2.0", "osl-3.0", "afl-3.0", "artistic-2.0", "bsl-1.0", "ms-pl", "ncsa", "postgresql"),
    }
)
"""What the Hub knows, which is SPDX in lower case. Everything else is `other` with a name."""
SIZES: Final = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def model_card_data(card: Sheet) -> ModelCardData:
    """Of a model, module or composition."""
    from huggingface_hub import ModelCardData

    return ModelCardData(
        **_license(card),
        library_name=LIBRARY,
        pipeline_tag=TASK,
        tags=_tags(card, "" if (kind := kind_of(card.name)) is None else singular_of(kind)),
        datasets=[last(name) for name in card.account.datasets] or None,
        base_model=[last(name) for name in card.account.base_models] or None,
        model_name=card.id,
        eval_results=[found for result in card.results for found in _eval_results(card, result)],
    )


def dataset_card_data(card: Sheet) -> DatasetCardData:
    """Of a data set."""
    from huggingface_hub import DatasetCardData

    size = next((name for bound, name in SIZES if card.account.sample_count < bound), "n>10M")
    return DatasetCardData(
        **_license(card),
        pretty_name=card.title,
        task_categories=[TASK],
        size_categories=[size],
        tags=_tags(card, "dataset"),
    )


def _eval_results(card: Sheet, result: Measurement) -> list[EvalResult]:
    """What was measured of the resource itself; comparisons stand in the text."""
    from huggingface_hub import EvalResult

    if result.subject != card.name or result.scoring != Scoring.ALL_OUTPUTS:
        return []
    problem = {"labels": list(result.problem_labels)} if result.problem_labels else {}
    figures = {"accuracy": result.accuracy, "precision": result.precision, "recall": result.recall, "f1": result.f1}
    intervals: dict[str, Interval | None] = {"accuracy": result.accuracy_interval}
    if (found := result.discrimination) is not None:
        more = (("balanced_accuracy", found.balanced_accuracy), ("roc_auc", found.auc))
        figures |= {metric: value for metric, value in more if value is not None}
        intervals |= {"balanced_accuracy": found.balanced_accuracy_interval, "roc_auc": found.auc_interval}
    return [
        EvalResult(
            task_type=TASK,
            dataset_type=last(result.dataset),
            dataset_name=last(result.dataset),
            dataset_split=result.split,
            dataset_revision=result.dataset_digest,
            dataset_args={"samples": result.sample_count, **problem},
            metric_type=metric,
            metric_value=round(value, 6),
            metric_args=_bounds(intervals.get(metric)),
        )
        for metric, value in figures.items()
    ]


def _bounds(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    return {"interval": [round(interval.lower, 6), round(interval.upper, 6)], "level": interval.level}


def _license(card: Sheet) -> dict[str, Any]:
    stated = card.owned.license
    if not stated:
        return {}
    if stated.lower() in HUB_LICENSES:
        return {"license": stated.lower()}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", stated.lower()).strip("-") or "other"}


def _tags(card: Sheet, kind: str) -> list[str]:
    made = [card.account.algorithm] if kind_of(card.name) is Kind.MODULE else []
    owned = [f"{key}:{value}" if value else key for key, value in sorted(card.owned.tags.items())]
    return list(dict.fromkeys([LIBRARY, f"{LIBRARY}-{kind}", *made, *owned]))
