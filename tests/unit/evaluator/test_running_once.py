"""A network runs once over a split, whatever is asked of it afterwards."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.monitor import Unwatched
from modelfoundry.evaluator.measuring import Measuring
from modelfoundry.values.architectures import InputSpec


class _Counted(nn.Module):
    """Counts the images that it is run on."""

    def __init__(self) -> None:
        super().__init__()
        self.images = 0

    def forward(self, images: Tensor) -> Tensor:
        self.images += len(images)
        return images.flatten(1)


def _model(name: str) -> Any:
    return SimpleNamespace(
        resource=SimpleNamespace(name=name), network=_Counted(), input_spec=InputSpec(4, 1, 1, (), ())
    )


def test_a_base_runs_once_for_itself_and_all_of_its_modules() -> None:
    bench: Any = SimpleNamespace(monitor=Unwatched())
    nothing: Any = None
    shared = Measuring(nothing, "", bench, torch.device("cpu"), nothing, None)
    images = ImageSet(torch.zeros(70, 4, 1, 1, dtype=torch.uint8), torch.zeros(70, dtype=torch.int64))
    one, other = _model("models/one"), _model("models/other")
    first = shared.model_logits(one, images)
    assert first.shape == (70, 4)
    assert shared.model_logits(_model("models/one"), images) is first  # loaded anew for the next module
    assert one.network.images == 70
    assert shared.model_logits(other, images) is not first
    assert other.network.images == 70
