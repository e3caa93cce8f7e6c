"""SeaM's recipes: good settings with a name, each with settings of its own. The first is the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from modelfoundry.decomposer.algorithms.seam.distilled.settings import DistilledSettings
from modelfoundry.decomposer.algorithms.seam.settings import SeamSettings
from modelfoundry.decomposer.algorithms.settings import Recipe

RECIPES: Final[Mapping[str, Recipe[SeamSettings | DistilledSettings]]] = {
    "distilled": Recipe(
        settings=DistilledSettings(),
        description=(
            "A given share of the weights, with the model as teacher: masks keep the best scores of all layers, fewer "
            "and fewer, and learn to answer as the model does on the same views, without labels. Batch normalisations "
            "are trained too, their statistics taken anew, and the module answers with the log-odds of its labels, at "
            "a threshold that is fitted on validation data. About as good as a well-trained model at a tenth of its "
            "weights, in minutes on a CPU; docs/recipes.md has figures."
        ),
    ),
    "paper": Recipe(
        settings=SeamSettings(),
        description=(
            "SeaM as published (Qi et al., ICSE 2023): masks begin with everything kept, every fifth epoch trains the "
            "head alone, 300 epochs. Adapt lr_mask (0.01 to 0.12) and alpha (1 to 2) to the network: higher values "
            "drop more weights sooner. Selection uses validation data, where the published code used test data."
        ),
    ),
}
