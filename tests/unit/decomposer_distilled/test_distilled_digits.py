"""The recipe on real images: the digits inside scikit-learn, and a network that knows them well."""

from __future__ import annotations

import torch
from handwritten_digits import digits

from modelfoundry.core.datasets import validation_cut
from modelfoundry.core.devices import seeded
from modelfoundry.core.evaluation import Run, base_accuracy, pose
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.networks import build_network
from modelfoundry.core.training import TrainingSettings, train
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.pool import ViewPool
from modelfoundry.decomposer.algorithms.seam.distilled.search import DistillationTask, distil
from modelfoundry.decomposer.algorithms.seam.distilled.settings import DistilledSettings
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem

CPU = torch.device("cpu")
GREY = InputSpec(1, 8, 8)
SETTINGS = DistilledSettings(steps=300, augmentation="crop")


def test_a_tenth_of_a_well_trained_network_is_as_good_at_a_digit_as_the_whole() -> None:
    content = digits().splits["train"]
    learning, choosing = validation_cut(content.labels, 0.2, seed=0)
    learn, choose = content.subset(learning), content.subset(choosing)
    with seeded(0, CPU):
        network = build_network(Architecture("zoo:digits_cnn"), 10, GREY)
    recipe = TrainingSettings(epochs=30, batch_size=64, augmentation="crop")
    trained = train(network, learn, choose, GREY, recipe, seed=0, device=CPU, monitor=Unwatched())
    network.load_state_dict(trained.state)
    assert trained.validation_accuracy > 0.97

    pool = ViewPool(network, learn, GREY, augmentation="crop", seed=0, device=CPU)
    modules, bases = [], []
    for label in ("3", "8"):
        problem, labels = BinaryProblem(label), digits().labels
        posed = pose(choose, problem, labels)
        target = Target.of(problem, labels)
        found = distil(DistillationTask(network, target, pool, posed, GREY, SETTINGS, 0, CPU, Unwatched()))
        assert (found.masks.kept, found.masks.total) == (5639, 56_394)
        modules.append(found.validation_accuracy)
        bases.append(base_accuracy(network, posed, problem, labels, Run(GREY, CPU)))
    assert sum(modules) / 2 >= sum(bases) / 2 - 0.005  # half an image of a label's 52
    assert min(bases) > 0.97
