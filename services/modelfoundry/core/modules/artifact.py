"""What is stored of a module: what tells it from its base model, and which model that is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch

from modelfoundry.core.heads import LinearHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem


@dataclass(frozen=True, slots=True)
class ModuleArtifact:
    """Masks and head of a module (SeaM, Qi et al., ICSE 2023, section 3).

    Raises:
        ValueError: the head does not fit the problem, or holds NaN or infinity.
    """

    base_digest: str
    """`sha256:...` of the base model's weights."""
    problem: Problem
    masks: WeightMasks
    head: LinearHead
    algorithm: str
    """How the masks were found, for example `seam`."""

    def __post_init__(self) -> None:
        outputs = len(self.problem.outputs)
        if self.head.outputs != outputs:
            raise ValueError(f"the problem has {outputs} outputs, the head {self.head.outputs}")
        for layer in self.head.layers:
            if layer.weight.dtype != torch.float32 or layer.bias.dtype != torch.float32:
                raise ValueError(f"the head must be float32, not {layer.weight.dtype} and {layer.bias.dtype}")
            if not bool(layer.weight.isfinite().all() and layer.bias.isfinite().all()):
                raise ValueError("the head holds NaN or infinity")


def problem_to_json(problem: Problem) -> str:
    """Canonical JSON of a problem, shaped like `types.v1.TargetProblem`."""
    match problem:
        case BinaryProblem(label):
            value: dict[str, Any] = {"binary": {"label": label}}
        case MultiClassProblem(labels):
            value = {"multi_class": {"labels": list(labels)}}
        case OpenSetProblem(labels):
            value = {"open_set": {"labels": list(labels)}}
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def problem_from_json(text: str) -> Problem:
    """Reads what `problem_to_json` wrote.

    Raises:
        ValueError: it is something else.
    """
    match json.loads(text):
        case {"binary": {"label": str(label)}}:
            problem: Problem = BinaryProblem(label)
        case {"multi_class": {"labels": [*labels]}} if all(isinstance(label, str) for label in labels):
            problem = MultiClassProblem(tuple(labels))
        case {"open_set": {"labels": [*labels]}} if all(isinstance(label, str) for label in labels):
            problem = OpenSetProblem(tuple(labels))
        case _:
            raise ValueError("the problem is neither binary nor multi-class nor open-set")
    if problem_to_json(problem) != text:
        raise ValueError("the problem is not in its canonical form")
    several = 1 if isinstance(problem, BinaryProblem) else 2
    if len(set(problem.labels)) != len(problem.labels) or len(problem.labels) < several:
        raise ValueError("the problem needs two different labels or more")
    return problem
