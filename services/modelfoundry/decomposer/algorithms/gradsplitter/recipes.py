"""GradSplitter's recipes: good settings with a name, each with settings of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from modelfoundry.decomposer.algorithms.gradsplitter.distilled.settings import DistilledSplitSettings
from modelfoundry.decomposer.algorithms.gradsplitter.settings import GradSplitterSettings
from modelfoundry.decomposer.algorithms.settings import Recipe

RECIPES: Final[Mapping[str, Recipe[GradSplitterSettings | DistilledSplitSettings]]] = {
    "paper": Recipe(
        settings=GradSplitterSettings(),
        description=(
            "GradSplitter as published (Qi et al., TOSEM 2023): 5 epochs of the heads, then 20 times 5 epochs of masks "
            "and heads and 2 of the heads. Masks reach 0 after a thousand steps or more: on small data sets raise "
            "lr_mask. Of the epochs that lose less than one percentage point on validation data the one with the "
            "fewest kernels is taken; the published code left that choice to a person."
        ),
    ),
    "distilled": Recipe(
        settings=DistilledSplitSettings(),
        description=(
            "A given share of the kernels, with the model as teacher of all modules at once: masks begin with the "
            "kernels that move a module's answer most, keep fewer and fewer of them, and learn to answer as the model "
            "does on the same views, without labels. The modules share the first layers, have batch normalisations of "
            "their own behind them, and answer with the log-odds of their labels, at a threshold that is fitted on "
            "validation data. A few hundred steps in place of epochs."
        ),
    ),
}
