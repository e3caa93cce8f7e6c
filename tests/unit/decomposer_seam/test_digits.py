"""SeaM on real images: the digits inside scikit-learn, label 3 against the rest."""

from __future__ import annotations

import torch
from handwritten_digits import digits

from modelfoundry.core.datasets import ImageSet, normalise, pose_binary, validation_cut
from modelfoundry.core.devices import seeded
from modelfoundry.core.masking import masked_forward, masked_state
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.networks import build_network
from modelfoundry.core.training import TrainingSettings, train
from modelfoundry.decomposer.algorithms.linear_head import PosedTask
from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.algorithms.seam.search import search
from modelfoundry.values.architectures import Architecture, InputSpec

CPU = torch.device("cpu")
GREY = InputSpec(1, 8, 8)


def test_a_module_for_one_digit_is_small_and_about_as_accurate_as_its_base() -> None:
    content = digits().splits["train"]
    learning, choosing = validation_cut(content.labels, 0.2, seed=0)
    learn, choose = content.subset(learning), content.subset(choosing)
    with seeded(0, CPU):
        network = build_network(Architecture("zoo:digits_cnn"), 10, GREY)
    trained = train(network, learn, choose, GREY, TrainingSettings(epochs=10), seed=0, device=CPU, monitor=Unwatched())
    network.load_state_dict(trained.state)
    network.eval()
    assert trained.validation_accuracy > 0.9

    positives = pose_binary(choose, 3)
    with torch.no_grad():
        original = network(normalise(positives.images, GREY)).argmax(dim=1)
    base_accuracy = float(((original != 3).long() == positives.labels).float().mean())
    settings = SEAM.resolve("paper", {"epochs": 25, "alpha": 2.0, "augmentation": "none"})
    task = PosedTask(
        network=network,
        outputs=2,
        train=pose_binary(learn, 3),
        validation=positives,
        base_accuracy=base_accuracy - 0.03,
        input_spec=GREY,
        settings=settings,
        seed=0,
        device=CPU,
        monitor=Unwatched(),
    )
    result = search(task)
    (module,) = result.modules
    unseen: ImageSet = pose_binary(digits().splits["test"], 3)
    with torch.no_grad():
        state = masked_state(network, module.masks)
        logits = module.head(masked_forward(network, state, normalise(unseen.images, GREY)))
    assert not result.fell_back
    assert module.masks.total == 56_394
    assert module.masks.retention < 0.7
    assert float((logits.argmax(dim=1) == unseen.labels).float().mean()) > 0.9
