"""What is stored of a module: what tells it from its base model, and which model that is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from modelfoundry.core.channels import LayerCut, Operation, Projection
from modelfoundry.core.heads import Head, LogOddsHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules.rewriting import RewrittenTensors
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem


@dataclass(frozen=True, slots=True)
class ModuleArtifact:
    """A module as what it changes of its base model, and its head (SeaM, Qi et al., ICSE 2023, section 3).

    Materialising goes by a fixed order: layers are replaced, then channels cut, then tensors rewritten, then masks
    applied. What is rewritten or masked therefore has the shapes of the network without the channels that were cut.

    Raises:
        ValueError: the head does not fit the problem, a number is NaN or infinity, a mask and a rewritten tensor of one
            name have different shapes, a layer is cut twice or on no side or replaced twice, or a convolution that
            takes a layer's place has no weights among the rewritten tensors.
    """

    base_digest: str
    """`sha256:...` of the base model's weights."""
    problem: Problem
    masks: WeightMasks
    """Of some parameters, all in a module that SeaM or GradSplitter found; those without a mask are kept whole."""
    head: Head
    algorithm: str
    """How it was found, for example `seam`."""
    rewritten: RewrittenTensors = field(default_factory=RewrittenTensors)
    """What the module has in place of the base's own tensors."""
    cuts: tuple[LayerCut, ...] = ()
    """Channels that the base network loses, layer by layer."""
    operations: tuple[Operation, ...] = ()
    """Layers of the base network that something else takes the place of: convolutions, or nothing."""

    def __post_init__(self) -> None:
        self._check_head()
        for name, tensor in self.rewritten.tensors.items():
            masked = self.masks.bits.get(name, tensor)
            if masked.shape != tensor.shape:
                raise ValueError(f"{name} is masked as {tuple(masked.shape)} and rewritten as {tuple(tensor.shape)}")
        if len({cut.layer for cut in self.cuts}) != len(self.cuts):
            raise ValueError("a layer is cut twice")
        if any(cut.inputs is None and cut.outputs is None for cut in self.cuts):
            raise ValueError("a layer is cut on no side")
        if len({operation.layer for operation in self.operations}) != len(self.operations):
            raise ValueError("a layer is replaced twice")
        for operation in self.operations:
            if isinstance(operation, Projection) and f"{operation.layer}.weight" not in self.rewritten.tensors:
                raise ValueError(f"the convolution in the place of {operation.layer} has no weights")

    def _check_head(self) -> None:
        outputs = len(self.problem.outputs)
        if self.head.outputs != outputs:
            raise ValueError(f"the problem has {outputs} outputs, the head {self.head.outputs}")
        if isinstance(self.head, LogOddsHead) and len(self.head.columns) != len(self.problem.labels):
            raise ValueError(f"the problem has {len(self.problem.labels)} labels, the head {len(self.head.columns)}")
        for name, value in self.head.tensors.items():
            if value.dtype != torch.float32:
                raise ValueError(f"the head must be float32, but its {name} is {value.dtype}")
            if not bool(value.isfinite().all()):
                raise ValueError("the head holds NaN or infinity")

    @property
    def bits(self) -> tuple[dict[str, Tensor], ...]:
        """All that it holds as whole numbers and booleans: equal exactly where every bit is.

        Returns:
            Masks, head, rewritten tensors, cuts and operations, each by name. A mask may have the name of a part of
            the head.
        """
        return (
            dict(self.masks.bits),
            {f"head.{name}": _bits_of(value) for name, value in _head_values(self.head).items()},
            {f"rewritten.{name}": _bits_of(value) for name, value in self.rewritten.tensors.items()},
            {f"cuts.{name}": value for name, value in _cut_values(self.cuts).items()},
            {f"operations.{operation.layer}": _operation_value(operation) for operation in self.operations},
        )


def _bits_of(value: Tensor) -> Tensor:
    same_size = {torch.float16: torch.int16, torch.float32: torch.int32}
    return value.contiguous().view(same_size[value.dtype]) if value.dtype in same_size else value


def _head_values(head: Head) -> dict[str, Tensor]:
    if isinstance(head, LogOddsHead):
        return {**head.tensors, "columns": torch.tensor(head.columns)}
    return head.tensors


def _cut_values(cuts: tuple[LayerCut, ...]) -> dict[str, Tensor]:
    sides = ((cut.layer, side, getattr(cut, side)) for cut in cuts for side in ("inputs", "outputs"))
    return {f"{layer}.{side}": kept.stays for layer, side, kept in sides if kept is not None}


def _operation_value(operation: Operation) -> Tensor:
    if isinstance(operation, Projection):
        return torch.tensor([operation.inputs, operation.outputs, operation.stride])
    return torch.tensor([], dtype=torch.int64)


def problem_to_json(problem: Problem) -> str:
    """Canonical JSON of a problem, shaped like `types.v1.TargetProblem`."""
    match problem:
        case BinaryProblem(label):
            value: dict[str, Any] = {"binary": {"label": label}}
        case MultiClassProblem(labels):
            value = {"multi_class": {"labels": list(labels)}}
        case OpenSetProblem(labels):
            value = {"open_set": {"labels": list(labels)}}
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


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
