"""The catalog as a whole."""

from __future__ import annotations

from modelfoundry.registry.catalog.compositions import Compositions
from modelfoundry.registry.catalog.datasets import Datasets
from modelfoundry.registry.catalog.evaluations import Evaluations
from modelfoundry.registry.catalog.models import Models
from modelfoundry.registry.catalog.modules import Modules
from modelfoundry.registry.records.shelf import Shelf


class Catalog:
    """All collections of what people register and services measure, on one shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self.models = Models(shelf)
        self.datasets = Datasets(shelf)
        self.modules = Modules(shelf)
        self.compositions = Compositions(shelf)
        self.evaluations = Evaluations(shelf)
