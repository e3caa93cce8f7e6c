from __future__ import annotations

import pytest
import torch

from modelfoundry.core.heads import HeadLayer, LinearHead, LogOddsHead
from modelfoundry.core.modules import LogOdds


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


LOGITS = torch.randn(64, 6, generator=torch.Generator().manual_seed(5)) * 4


def test_at_scale_one_a_label_has_the_probability_that_the_network_gives_it() -> None:
    head = LogOdds(6, (4,), rest=True)
    expected = LOGITS.softmax(1)[:, 4]
    torch.testing.assert_close(head(LOGITS).softmax(1)[:, 0], expected)
    torch.testing.assert_close(head(LOGITS)[:, 0].sigmoid(), expected)


def test_of_several_labels_and_a_rest_all_have_the_networks_probabilities() -> None:
    head = LogOdds(6, (4, 0, 3), rest=True)
    own = LOGITS.softmax(1)
    expected = torch.cat([own[:, [4, 0, 3]], own[:, [1, 2, 5]].sum(1, keepdim=True)], 1)
    torch.testing.assert_close(head(LOGITS).softmax(1), expected)


def test_of_several_labels_without_a_rest_they_share_all_probability() -> None:
    head = LogOdds(6, (4, 0, 3), rest=False)
    torch.testing.assert_close(head(LOGITS).softmax(1), LOGITS[:, [4, 0, 3]].softmax(1))


def test_scale_and_bias_are_those_of_every_label() -> None:
    head = LogOdds(6, (4, 0), rest=True)
    plain = head(LOGITS)
    head.load_state_dict({"scale": torch.tensor([2.0, 0.5]), "bias": torch.tensor([-1.0, 3.0])})
    torch.testing.assert_close(head(LOGITS)[:, 0], plain[:, 0] * 2 - 1)
    torch.testing.assert_close(head(LOGITS)[:, 1], plain[:, 1] / 2 + 3)
    assert bool((head(LOGITS)[:, 2] == 0).all())


def test_log_odds_of_a_very_sure_network_are_finite() -> None:
    sure = torch.tensor([[200.0, 0.0, -200.0], [-200.0, 0.0, 200.0]])
    assert LogOdds(3, (0,), rest=True)(sure)[:, 0].tolist() == [200.0, -400.0]


@pytest.mark.parametrize(
    ("labels", "columns", "said"),
    [(3, (3,), "not different"), (3, (1, 1), "not different"), (3, (0, 1, 2), "no rest"), (3, (), "no rest")],
)
def test_log_odds_of_labels_that_cannot_be_are_refused(labels: int, columns: tuple[int, ...], said: str) -> None:
    ones = torch.ones(len(columns))
    with pytest.raises(ValueError, match=said):
        LogOddsHead(labels, columns, True, ones, ones)
