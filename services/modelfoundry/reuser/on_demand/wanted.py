"""A request for modules by label, with every default filled in."""

from __future__ import annotations

from dataclasses import dataclass

from modelfoundry.client import ExportFormat, GradSplitterRecipe, RequestedModule, SeamRecipe
from modelfoundry.reuser.on_demand.offers import Constraints


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedModules:
    """What the caller asked for."""

    parent: str
    labels: tuple[str, ...]
    constraints: Constraints
    compose: bool
    format: ExportFormat | None
    """None: no files."""
    compact: bool
    recipe: SeamRecipe | GradSplitterRecipe
    """How missing modules are searched."""
    device: str

    @property
    def algorithm(self) -> str:
        """What missing modules are made by."""
        return "seam" if isinstance(self.recipe, SeamRecipe) else "gradsplitter"


Answers = tuple[RequestedModule, ...]
"""One for every label, in the order of the request."""
