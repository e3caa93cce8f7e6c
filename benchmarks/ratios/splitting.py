"""GradSplitter's ten modules to equal quality: its recipe `distilled` against its recipe `paper`, whole searches."""

from __future__ import annotations

from typing import Any, Final

import gradsplitter
from interleaved import ratios

from ratios.measurements import Effort, Report

NETWORK: Final = "digits_cnn"
TINY: Final = {
    "paper": {"warmup_epochs": 1, "cycles": 1, "mask_epochs": 1, "head_epochs": 0},
    "distilled": {"steps": 2},
}


def splitter_quality(effort: Effort) -> Report:
    """The paper's 145 epochs once, then `distilled` with as many kernels as they left."""
    data = gradsplitter.images_for(NETWORK)
    base = gradsplitter.base_of(NETWORK, data)
    short = TINY if effort.tiny else {"paper": {}, "distilled": {}}
    paper = gradsplitter.run(NETWORK, "paper", short["paper"], data, base)
    share = max(0.05, int(100 * paper["kernels"]) / 100)
    settings = {"augmentation": "crop", "retention": share, **short["distilled"]}
    distilled = gradsplitter.run(NETWORK, "distilled", settings, data, base)
    found = ratios(
        f"GradSplitter search, ten modules of {NETWORK}",
        {"reference": [paper["seconds"]], f"distilled, retention {share}": [distilled["seconds"]]},
    )
    reached = effort.tiny or distilled["validation"] >= paper["validation"]
    note = (
        f"{_quality('paper', paper)} {_quality('distilled', distilled)} The base answers "
        f"{100 * paper['base']:.2f} % of the validation images rightly. One search each: there is no spread. The "
        "reference is the product's own recipe `paper`, whose steps are faster than the published code's already."
    )
    lacking = "" if reached else "The quality is not equal, so that the ratio does not count. "
    if reached:
        return Report({"splitter-quality": tuple(found)}, notes=(note,))
    return Report({}, tuple(found), (lacking + note,))


def _quality(recipe: str, row: dict[str, Any]) -> str:
    return (
        f"`{recipe}`: {100 * row['validation']:.2f} % together on validation images, with {100 * row['kernels']:.1f} % "
        "of the kernels."
    )
