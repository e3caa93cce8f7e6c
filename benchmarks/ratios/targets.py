"""What is aimed at: ratios that the product has to reach, and those that it would like to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of work, and how many times as fast as its reference it has to be."""

    key: str
    work: str
    """As the page names it, with the reference where that is not the published way."""
    least: float
    aim: float

    def verdict(self, ratio: float) -> str:
        """How a measured ratio stands to both."""
        if ratio >= self.aim:
            return "aim reached"
        return "reached" if ratio >= self.least else "**not reached**"


TARGETS: Final = (
    Target("mask-float32", "mask step, exact float32", 1.6, 2),
    Target("mask-bfloat16", "mask step, bfloat16 where the processor has it", 2.2, 3),
    Target("quality", "one label to the base's accuracy, against 60 epochs of the paper's recipe", 10, 30),
    Target("ten-labels", "ten labels of one base in one job, against ten searches", 2, 4),
    Target("splitter-epoch", "GradSplitter, ten modules, epoch", 2, 5),
    Target("splitter-quality", "GradSplitter, ten modules, to equal quality", 5, 20),
    Target("specialise", "`specialise` at 20 % of the multiply-accumulates, against the base, onnxruntime", 2.5, 4),
    Target("sparse", "SeaM module at 10 %, unstructured, against dense, onnxruntime", 1.3, 4),
    Target("callers", "`Predict`, 64 callers against one at a time", 5, 10),
    Target("one-image", "`Predict` of one small image, against onnxruntime in process", 1 / 20, 1 / 8),
    Target("blobs", "blobs up and down, against a bare stream of the same chunks with SHA-256", 0.6, 0.8),
    Target("evaluation", "evaluation of a module, against a plain loop", 1, 2),
)
