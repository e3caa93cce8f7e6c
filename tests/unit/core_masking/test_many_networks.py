"""One step of mask training on networks of many families, none of them known to the code by name."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from modelfoundry.core.architectures import load_state
from modelfoundry.core.masking import MaskScores, mask_training_mode, masked_forward, masked_state
from modelfoundry.core.networks import build_network, check_architecture
from modelfoundry.values.architectures import Architecture, InputSpec


def case(builder: str, size: int = 32, *, slow: bool = True, **parameters: str | float | bool) -> object:
    marks = [pytest.mark.slow] if slow else []
    return pytest.param(Architecture(builder, parameters), size, id=builder.replace(":", "-"), marks=marks)


CASES = [
    case("torchvision:resnet18", slow=False),
    case("torchvision:mobilenet_v3_small", slow=False),
    case("torchvision:squeezenet1_1", slow=False),
    case("torchvision:shufflenet_v2_x0_5", slow=False),
    case("timm:resnet10t", slow=False),
    case("timm:vit_tiny_patch16_224", slow=False, img_size=32, depth=2),
    case("timm:mixer_s32_224", slow=False, img_size=32),
    case("torchvision:alexnet", 64),
    case("torchvision:vgg11_bn"),
    case("torchvision:densenet121"),
    case("torchvision:googlenet"),
    case("torchvision:inception_v3", 96),
    case("torchvision:mnasnet0_5"),
    case("torchvision:mobilenet_v2"),
    case("torchvision:efficientnet_b0"),
    case("torchvision:convnext_tiny"),
    case("torchvision:regnet_y_400mf"),
    case("torchvision:resnext50_32x4d"),
    case("torchvision:vit_b_16", image_size=32),
    case("torchvision:swin_t"),
    case("torchvision:swin_v2_t"),
    case("torchvision:maxvit_t", 224),
    case("timm:convnext_atto"),
    case("timm:deit_tiny_patch16_224", img_size=32),
    case("timm:efficientformerv2_s0", 224),
    case("timm:levit_128s", 224),
    case("timm:mobilenetv4_conv_small"),
    case("timm:nf_resnet50"),
    case("timm:poolformer_s12", 64),
    case("timm:repvgg_a0", 64),
    case("timm:resmlp_12_224", img_size=32),
    case("timm:swin_tiny_patch4_window7_224", 64, img_size=64, window_size=2),
    case("timm:xcit_nano_12_p16_224", 32, img_size=32),
    case("timm:vgg11", 64),
]


@pytest.mark.parametrize(("architecture", "size"), CASES)
def test_masks_can_be_trained(architecture: Architecture, size: int) -> None:
    torch.manual_seed(0)
    spec = InputSpec(3, size, size)
    check_architecture(architecture, 5, spec)
    network = build_network(architecture, 5, spec).requires_grad_(False)
    for parameter in network.parameters():
        if parameter.dim() > 1 and not parameter.any():
            parameter.normal_(std=0.02)  # some begin with a classifier of zeros, which would hide every mask
    scores = MaskScores(network)
    generator = torch.Generator().manual_seed(1)
    for values in scores.values.values():
        values.data.copy_(torch.rand(values.shape, generator=generator) - 0.05)
    images = torch.randn(2, *spec.shape)

    mask_training_mode(network)
    logits = masked_forward(network, scores.effective(), images)
    functional.cross_entropy(logits, torch.tensor([0, 4])).backward()
    # A few parameters may be without influence on the loss (a last bias under a norm): a tenth at most.
    reached = [values.grad is not None and bool(values.grad.isfinite().all()) for values in scores.values.values()]
    assert sum(reached) >= 0.9 * len(reached)

    network.eval()
    masks = scores.harden()
    assert 0.9 < masks.retention < 1.0
    with torch.no_grad():
        masked = masked_forward(network, masked_state(network, masks), images)
        torch.testing.assert_close(masked, masked_forward(network, scores.effective(), images))
        assert not torch.equal(masked, network(images))
        load_state(network, masked_state(network, masks))
        torch.testing.assert_close(network(images), masked)
