"""One step of mask training, computed by hand: every derivative written out, nothing taken from the search."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import stream_seed
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.linear_head import PosedTask
from modelfoundry.decomposer.algorithms.seam.search import search
from modelfoundry.decomposer.algorithms.seam.settings import SeamSettings
from modelfoundry.values.architectures import InputSpec

SPEC = InputSpec(1, 2, 2, mean=(0.5,), std=(0.25,))
ALPHA, SEED = 0.1, 4
# One step of a rate above the masks' beginning, 1: Adam's first step is the rate times the sign of the gradient, so
# that every weight with a gradient above 0 is dropped and every other one stays.
SETTINGS = SeamSettings(
    epochs=1, head_epoch_every=0, batch_size=64, lr_mask=1.5, lr_head=1e-9, alpha=ALPHA, augmentation="none"
)


def trunk() -> nn.Sequential:
    """Four pixels to six logits, of which the last is below 0 for every image."""
    linear = nn.Linear(4, 6)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        linear.weight.copy_(torch.randn(6, 4, generator=generator))
        linear.bias.copy_(torch.randn(6, generator=generator) * 0.5)
        linear.bias[5] = -50.0
    return nn.Sequential(nn.Flatten(), linear)


def samples() -> ImageSet:
    generator = torch.Generator().manual_seed(2)
    pixels = torch.randint(0, 256, (8, 1, 2, 2), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, torch.arange(8) % 2)


def gradients_by_hand(weight: Tensor, bias: Tensor, head: nn.Linear, images: ImageSet) -> tuple[float, Tensor, Tensor]:
    """Cross entropy of softmax(V relu(W x + b) + c), and its derivative by the masks of W and b, in float64."""
    inputs = ((images.images.double() / 255 - 0.5) / 0.25).flatten(1)
    logits = inputs @ weight.T + bias
    hidden = torch.where(logits > 0, logits, 0.0)
    outputs = hidden @ head.weight.detach().double().T + head.bias.detach().double()
    shares = outputs.exp() / outputs.exp().sum(1, keepdim=True)
    true = torch.eye(2, dtype=torch.float64)[images.labels]
    entropy = float(-(true * shares.log()).sum(1).mean())
    by_hidden = (shares - true) / len(images) @ head.weight.detach().double()
    by_logits = torch.where(logits > 0, by_hidden, 0.0)
    # What keeps a weight is a factor of 0 or 1 on it: its derivative is the weight's, times the weight, cut to [-1, 1].
    by_weight_mask = (by_logits.T @ inputs * weight).clamp(-1, 1)
    by_bias_mask = (by_logits.sum(0) * bias).clamp(-1, 1)
    return entropy, by_weight_mask, by_bias_mask


def test_the_first_step_drops_what_the_derivatives_by_hand_say_and_the_loss_is_theirs() -> None:
    network, images = trunk(), samples()
    linear = network[1]
    assert isinstance(linear, nn.Linear)
    weight, bias = linear.weight.detach().double(), linear.bias.detach().double()
    torch.manual_seed(stream_seed(SEED, "head"))
    head = nn.Linear(6, 2)
    entropy, by_weight_mask, by_bias_mask = gradients_by_hand(weight, bias, head, images)
    constant = ALPHA / (weight.numel() + bias.numel())

    result = search(
        PosedTask(
            network=network,
            outputs=2,
            train=images,
            validation=images,
            base_accuracy=0.0,
            input_spec=SPEC,
            settings=SETTINGS,
            seed=SEED,
            device=torch.device("cpu"),
            monitor=Unwatched(),
        )
    )

    masks = result.modules[0].masks
    assert torch.equal(masks.bits["1.weight"], by_weight_mask + constant < 0)
    assert torch.equal(masks.bits["1.bias"], by_bias_mask + constant < 0)
    assert not bool(masks.bits["1.weight"][5].any())  # the ReLU lets nothing through: retention alone moves these
    assert 0.2 < masks.retention < 0.8
    assert result.history[0].loss == pytest.approx(entropy + ALPHA * masks.retention, rel=1e-5)
