"""GradSplitter's ten modules to equal quality: its recipe `distilled` against its recipe `paper`, whole searches."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from interleaved import ratios

from modelfoundry.core.metrics import retention
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.gradsplitter import GRADSPLITTER
from modelfoundry.decomposer.algorithms.searching import SearchTask
from modelfoundry.values.problems import BinaryProblem
from ratios.digits import ARCHITECTURE, CPU, LABELS, SPEC, Digits, trained_digits
from ratios.measurements import Effort, Report

TINY: Final[Mapping[str, Mapping[str, Any]]] = {
    "paper": {"warmup_epochs": 1, "cycles": 1, "mask_epochs": 1, "head_epochs": 0},
    "distilled": {"steps": 2},
}
LEAST_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search cost and gave."""

    seconds: float
    accuracy: float
    """Of all modules together on validation images, in [0, 1]."""
    base: float
    kernels: float
    """Share that the modules keep, on average."""

    def __str__(self) -> str:
        return f"{100 * self.accuracy:.2f} % together with {100 * self.kernels:.1f} % of the kernels"


def splitter_quality(effort: Effort) -> Report:
    """The paper's 145 epochs once, then `distilled` with as many kernels as they left."""
    digits = trained_digits(effort)
    short = TINY if effort.tiny else {"paper": {}, "distilled": {}}
    paper = _search(digits, "paper", short["paper"])
    share = max(LEAST_SHARE, int(100 * paper.kernels) / 100)
    distilled = _search(digits, "distilled", {"augmentation": "crop", "retention": share, **short["distilled"]})
    found = tuple(
        ratios(
            "GradSplitter search, ten modules of digits CNN",
            {"reference": [paper.seconds], f"distilled, retention {share}": [distilled.seconds]},
        )
    )
    note = (
        f"On 130 validation images: recipe `paper` {paper}, `distilled` {distilled}; the base {100 * paper.base:.2f} "
        "%. One search each, so that nothing is said of the spread; the reference is the product's own recipe "
        "`paper`, whose steps are faster than the published code's already."
    )
    if effort.tiny or distilled.accuracy >= paper.accuracy:
        return Report({"splitter-quality": found}, notes=(note,))
    return Report({}, found, (f"The quality is not equal. {note}",))


def _search(digits: Digits, recipe: str, settings: Mapping[str, Any]) -> Searched:
    start = time.process_time()
    result = GRADSPLITTER.search(
        SearchTask(
            network=digits.network,
            architecture=ARCHITECTURE,
            labels=LABELS,
            problems=tuple(BinaryProblem(label) for label in LABELS),
            train=digits.train,
            validation=digits.validation,
            input_spec=SPEC,
            settings=GRADSPLITTER.resolve(recipe, settings),
            seed=0,
            device=CPU,
            monitor=Unwatched(),
        )
    )
    seconds = time.process_time() - start
    kept = [retention(digits.network, found.masks).kernel_retention for found in result.modules]
    return Searched(seconds, result.validation_accuracy, result.base_validation_accuracy, sum(kept) / len(kept))
