"""Doing equal work of several networks once: calls of torch with the same arguments are answered from memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_OUT_OF_PLACE: Final[Mapping[Callable[..., Any], Callable[..., Any]]] = {
    Tensor.add_: Tensor.add,
    Tensor.sub_: Tensor.sub,
    Tensor.mul_: Tensor.mul,
    Tensor.div_: Tensor.div,
}
"""`x += y`, which reaches a mode as `x.add_(y)`, binds `x` to the result: a new tensor does as well.

Where the old tensor is looked at under another name it does not, which `ComposedNetwork.share_work` finds out.
"""


def share_equal_tensors(networks: Iterable[nn.Module]) -> None:
    """Makes equal parameters, and equal buffers, of some networks one object each, and their activations out-of-place.

    Networks compute what they computed before.
    """
    known: dict[Hashable, Tensor] = {}
    for network in networks:
        for layer in network.modules():
            if isinstance(getattr(layer, "inplace", None), bool):
                layer.inplace = False  # type: ignore[assignment]  # a plain attribute of activations
            for kind, tensors in (("parameter", layer.named_parameters), ("buffer", layer.named_buffers)):
                for name, tensor in list(tensors(recurse=False)):
                    setattr(layer, name, known.setdefault((kind, *_content(tensor)), tensor))


@dataclass
class CallPlan:
    """Which calls are worth remembering, by their number among those that were carried out."""

    uses: dict[int, int] = field(default_factory=dict)
    """Number of a call to how often its result is needed again."""
    in_place: str = ""
    """A call that changes its arguments: nothing can be remembered where there is one."""


class SharedCalls(TorchFunctionMode):
    """Answers a call that was made before, with the very same tensors, with what it gave then.

    Without a plan everything is remembered and the plan is written; with one, only what is needed again, and only
    until it is needed for the last time, so that activations do not pile up.

    Args:
        plan: To go by. None: write one.
    """

    def __init__(self, plan: CallPlan | None = None) -> None:
        super().__init__()
        self.plan = plan or CallPlan()
        self._writing = plan is None
        self._calls = 0
        self._known: dict[Hashable, _Known] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = dict(kwargs or {})
        if named.get("inplace") is True:
            named["inplace"] = False
        func = _OUT_OF_PLACE.get(func, func)
        if _changes_arguments(func, named):
            self.plan.in_place = getattr(func, "__name__", str(func))
        key = _key(func, args, named)
        if key is None:
            return func(*args, **named)
        if key in self._known:
            return self._remembered(key)
        result = func(*args, **named)
        if isinstance(result, Tensor) or (isinstance(result, tuple | list) and _all_tensors(result)):
            self._remember(key, result, (args, named))
        return result

    def _remember(self, key: Hashable, result: Any, arguments: Any) -> None:
        number, self._calls = self._calls, self._calls + 1
        if self._writing or number in self.plan.uses:
            # The arguments are kept alive: no other tensor can get their ids meanwhile.
            self._known[key] = _Known(number, result, arguments, self.plan.uses.get(number, 0))

    def _remembered(self, key: Hashable) -> Any:
        known = self._known[key]
        if self._writing:
            self.plan.uses[known.number] = self.plan.uses.get(known.number, 0) + 1
        else:
            known.left -= 1
            if not known.left:
                del self._known[key]
        return known.result


@dataclass
class _Known:
    number: int
    result: Any
    arguments: Any
    left: int


def _content(tensor: Tensor) -> tuple[Hashable, ...]:
    # By bits: values would call 0.0 and -0.0 equal, which are not behind a division, and NaN different from itself.
    flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return (tensor.dtype, tuple(tensor.shape), tensor.device, hashlib.sha256(flat.numpy().data).digest())


def _changes_arguments(func: Callable[..., Any], named: Mapping[str, Any]) -> bool:
    name = getattr(func, "__name__", "")
    in_place = name.endswith("_") and not name.startswith("__")
    return in_place or name in {"__setitem__", "__set__"} or named.get("out") is not None


def _all_tensors(values: Iterable[Any]) -> bool:
    return all(isinstance(value, Tensor) for value in values)


def _key(func: Callable[..., Any], args: tuple[Any, ...], named: Mapping[str, Any]) -> Hashable | None:
    """What makes two calls the same; None for calls that cannot be compared, or that take no tensor."""
    tensors: list[Tensor] = []
    try:
        parts = (_part(args, tensors), _part(tuple(sorted(named.items())), tensors))
    except TypeError:
        return None
    return (func, parts) if tensors else None


def _part(value: Any, tensors: list[Tensor]) -> Hashable:
    match value:
        case Tensor():
            tensors.append(value)
            return ("tensor", id(value))
        case torch.SymInt():  # a batch size of any number, while `torch.export` traces
            return ("symbol", str(value.node.expr))
        case tuple() | list():
            return ("items", tuple(_part(item, tensors) for item in value))
        case slice():
            return ("slice", *(_part(part, tensors) for part in (value.start, value.stop, value.step)))
        case None | bool() | int() | float() | str() | torch.dtype() | torch.device() | torch.memory_format():
            return (type(value), value)
    if value is Ellipsis:
        return ("ellipsis",)
    raise TypeError(f"no {type(value).__name__} can be compared")
