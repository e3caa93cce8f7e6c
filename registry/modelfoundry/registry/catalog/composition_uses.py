"""Which compositions need a model, module or data set."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, or_
from sqlmodel import col

from modelfoundry.registry.catalog.tables import CompositionDatasetRow, CompositionRow, CompositionSourceRow

_SOURCES = col(CompositionSourceRow.composition) == col(CompositionRow.name)
_DATASETS = col(CompositionDatasetRow.composition) == col(CompositionRow.name)


def composed_of_module(module: str) -> ColumnElement[bool]:
    """Compositions with a label from this module."""
    return exists().where(_SOURCES, col(CompositionSourceRow.module) == module)


def composed_of_model(model: str) -> ColumnElement[bool]:
    """Compositions with a label from this model itself, and patches of it."""
    taken = exists().where(_SOURCES, col(CompositionSourceRow.model) == model)
    return or_(taken, col(CompositionRow.base_model) == model)


def composed_on(dataset: str) -> ColumnElement[bool]:
    """Compositions that were chosen on this data set."""
    return exists().where(_DATASETS, col(CompositionDatasetRow.dataset) == dataset)
