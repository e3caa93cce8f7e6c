"""Names of resources for shell completion; silent and quick where the services do not answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Final

from modelfoundry.cli.resource_names import full_parent
from modelfoundry.errors import ModelFoundryError

if TYPE_CHECKING:
    from modelfoundry.client import Client

SECONDS: Final = 1.5
NAMES_AT_MOST: Final = 200


def complete_models(incomplete: str) -> list[str]:
    """Ids of models that begin like this."""
    return _completed(incomplete, lambda client: (model.id for model in client.models.list()))


def complete_modules(incomplete: str) -> list[str]:
    """Ids of modules that begin like this."""
    return _completed(incomplete, lambda client: (module.id for module in client.modules.list()))


def complete_compositions(incomplete: str) -> list[str]:
    """Ids of compositions that begin like this."""
    return _completed(incomplete, lambda client: (composition.id for composition in client.compositions.list()))


def complete_datasets(incomplete: str) -> list[str]:
    """Ids of data sets that begin like this."""
    return _completed(incomplete, lambda client: (dataset.id for dataset in client.datasets.list()))


def complete_evaluations(incomplete: str) -> list[str]:
    """Ids of evaluations that begin like this."""
    return _completed(incomplete, lambda client: (evaluation.id for evaluation in client.evaluations.list()))


def complete_jobs(incomplete: str) -> list[str]:
    """Ids of jobs that begin like this."""
    return _completed(incomplete, lambda client: (job.id for job in client.jobs.list()))


def complete_subjects(incomplete: str) -> list[str]:
    """Ids of modules, models as `models/ID` and compositions as `compositions/ID`, that begin like this."""
    models = _completed(incomplete, lambda client: (f"models/{model.id}" for model in client.models.list()))
    compositions = _completed(
        incomplete, lambda client: (f"compositions/{composition.id}" for composition in client.compositions.list())
    )
    return complete_modules(incomplete) + models + compositions


def _completed(incomplete: str, ids: Callable[[Client], Iterable[str]]) -> list[str]:
    from modelfoundry.client import Client, Timeouts

    try:
        parent = full_parent(os.environ.get("MODELFOUNDRY_PROJECT", ""))
        with Client(parent=parent, timeouts=Timeouts(unary=SECONDS, lists=SECONDS)) as client:
            return list(islice((name for name in ids(client) if name.startswith(incomplete)), NAMES_AT_MOST))
    except ModelFoundryError:
        return []
