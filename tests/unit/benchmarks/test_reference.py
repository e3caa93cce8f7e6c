"""The plain reference that benchmarks measure against computes what the recipes `paper` compute."""

from __future__ import annotations

import pytest
import torch
from reference.gradsplitter import ReferenceSplitter, published_head
from reference.seam import ReferenceSeam
from torch import Tensor, nn

from modelfoundry.core.architectures.zoo.blocks import ConvBlock
from modelfoundry.core.batches import shuffled, to_input, training_batches
from modelfoundry.core.channels import plan_channels
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.gradsplitter.search import JointTask, KernelSearch
from modelfoundry.decomposer.algorithms.gradsplitter.settings import GradSplitterSettings
from modelfoundry.decomposer.algorithms.linear_head import PosedTask
from modelfoundry.decomposer.algorithms.seam.search import MaskSearch
from modelfoundry.decomposer.algorithms.seam.settings import SeamSettings
from modelfoundry.values.architectures import InputSpec

SPEC = InputSpec(2, 4, 4, (0.5, 0.4), (0.25, 0.3))
CPU = torch.device("cpu")
ALPHA, SEED, LABELS = 2.0, 3, 3


class Summing(nn.Module):
    """Three convolutions with a shortcut around the last, as in ResCNN."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.saved, self.added = ConvBlock(2, 4), ConvBlock(4, 5), ConvBlock(5, 5)
        self.pool = nn.MaxPool2d(2)
        self.classify = nn.Linear(5 * 2 * 2, LABELS)

    def forward(self, images: Tensor) -> Tensor:
        shortcut = self.saved(self.first(images))
        logits: Tensor = self.classify(self.pool(self.added(shortcut) + shortcut).flatten(1))
        return logits


@pytest.fixture
def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = Summing()
        for layer in made.modules():
            if isinstance(layer, nn.BatchNorm2d):
                for value in (layer.weight, layer.running_var):
                    nn.init.uniform_(value, 0.5, 1.5)
                for value in (layer.bias, layer.running_mean):
                    nn.init.normal_(value, std=0.3)
        return made.eval().requires_grad_(False)


@pytest.fixture
def images() -> ImageSet:
    generator = torch.Generator().manual_seed(2)
    pixels = torch.randint(0, 256, (40, 2, 4, 4), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, torch.arange(40) % LABELS)


@pytest.mark.parametrize("with_masks", [True, False], ids=["masks and head", "head"])
def test_an_epoch_of_seam_has_losses_gradients_and_scores_of_the_reference(
    network: nn.Module, images: ImageSet, with_masks: bool
) -> None:
    # Five steps of 0.01 from 1 leave every bit set.
    settings = SeamSettings(
        epochs=10, batch_size=8, lr_mask=0.01, lr_head=0.05, alpha=ALPHA, augmentation="none", head_epoch_every=5
    )
    task = PosedTask(network, LABELS, images, images, 0.5, SPEC, settings, SEED, CPU, Unwatched())
    product = MaskSearch(task)
    head = nn.Linear(LABELS, LABELS)
    head.load_state_dict(product.head.state_dict())
    reference = ReferenceSeam(network, head, lr_mask=0.01, lr_head=0.05, alpha=ALPHA)

    epoch = 1 if with_masks else 0
    measured = product.run_epoch(epoch, iter)
    losses = [
        reference.step(*batch, with_masks=with_masks)
        for batch in training_batches(
            images, SPEC, batch_size=8, augmentation="none", seed=SEED, epoch=epoch, device=CPU
        )
    ]

    assert measured.loss == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    torch.testing.assert_close(product.head.weight, head.weight, rtol=1e-4, atol=1e-5)
    for name, masks in reference.masks.items():
        scores = product.scores.values[name]
        torch.testing.assert_close(scores, masks, rtol=1e-4, atol=1e-5)
        if with_masks:
            torch.testing.assert_close(scores.grad, masks.grad, rtol=1e-4, atol=1e-6)
    if with_masks:  # or the cross entropy would not matter
        first = reference.masks["first.conv.weight"].grad
        assert float((first - ALPHA / product.scores.total).abs().max()) > 1e-4


@pytest.mark.parametrize("with_masks", [True, False], ids=["masks and heads", "heads"])
def test_an_epoch_of_gradsplitter_has_losses_gradients_and_scores_of_the_reference(
    network: nn.Module, images: ImageSet, with_masks: bool
) -> None:
    settings = GradSplitterSettings(
        warmup_epochs=0, cycles=1, mask_epochs=1, head_epochs=1, batch_size=8, lr_mask=0.01, lr_head=0.02, alpha=ALPHA
    )
    plan = plan_channels(network, SPEC)
    groups = tuple((label,) for label in range(LABELS))
    task = JointTask(network, plan, groups, images, images, 0.5, SPEC, settings)
    product = KernelSearch(task, SEED, CPU, Unwatched(), 2**30)
    heads = [_copied_head(product, label) for label in range(LABELS)]
    masked = {"first": "first", "saved": "saved", "added": "saved"}
    reference = ReferenceSplitter(network, masked, heads, lr_mask=0.01, lr_head=0.02, alpha=ALPHA)

    epoch = 0 if with_masks else 1
    measured = product.run_epoch(epoch, iter)
    losses = []
    for indices in shuffled(len(images), 8, seed=SEED, epoch=epoch):
        batch = to_input(images.images[indices], SPEC, CPU), images.labels[indices]
        losses.append(reference.step(*batch, with_masks=with_masks))

    assert measured.loss == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    for label in range(LABELS):
        torch.testing.assert_close(product.heads.hidden_weight[label], heads[label][0].weight, rtol=1e-4, atol=1e-5)
        masks = torch.cat([reference.masks[label]["first"], reference.masks[label]["saved"]])
        torch.testing.assert_close(product.scores.values[label], masks, rtol=1e-4, atol=1e-5)
        if with_masks:
            grads = torch.cat([reference.masks[label][name].grad for name in ("first", "saved")])
            torch.testing.assert_close(product.scores.values.grad[label], grads, rtol=1e-4, atol=1e-6)


def _copied_head(product: KernelSearch, label: int) -> nn.Sequential:
    head, joint = published_head(LABELS, 10), product.heads
    hidden, score = head[0], head[2]
    hidden.load_state_dict({"weight": joint.hidden_weight[label].detach(), "bias": joint.hidden_bias[label].detach()})
    score.load_state_dict({"weight": joint.score_weight[label, None].detach(), "bias": joint.score_bias[label, None]})
    return head
