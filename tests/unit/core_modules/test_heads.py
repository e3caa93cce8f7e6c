from __future__ import annotations

import pytest
import torch

from modelfoundry.core.heads import HeadLayer, LinearHead


def test_a_head_is_a_linear_layer_behind_relu() -> None:
    head = LinearHead.of(weight=torch.tensor([[1.0, 2.0, 3.0], [0.0, -1.0, 1.0]]), bias=torch.tensor([0.5, 0.0]))
    logits = torch.tensor([[1.0, -5.0, 2.0]])
    assert head(logits).tolist() == [[7.5, 2.0]]
    assert logits.tolist() == [[1.0, -5.0, 2.0]]


def test_a_head_of_two_layers_has_a_relu_before_each() -> None:
    first = HeadLayer(weight=torch.tensor([[1.0, 1.0], [-1.0, 0.0]]), bias=torch.zeros(2))
    second = HeadLayer(weight=torch.tensor([[2.0, 5.0]]), bias=torch.tensor([1.0]))
    head = LinearHead((first, second))
    assert head(torch.tensor([[3.0, -7.0]])).tolist() == [[7.0]]
    assert (head.labels, head.outputs, head.widths) == (2, 1, (2, 1))


def test_heads_of_shapes_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        LinearHead.of(weight=torch.zeros(2, 10), bias=torch.zeros(3))
    layer = HeadLayer(torch.zeros(3, 2), torch.zeros(3))
    with pytest.raises(ValueError, match="a layer of 2 inputs follows one of 3"):
        LinearHead((layer, layer))
    with pytest.raises(ValueError, match="no layer"):
        LinearHead(())
