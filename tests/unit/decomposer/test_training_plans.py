"""What is refused before a network is trained."""

from __future__ import annotations

import pytest

from modelfoundry import errors
from modelfoundry.core.training import resolve_recipe
from modelfoundry.decomposer.training import TrainingRequest, plan_training
from modelfoundry.values.architectures import Architecture
from modelfoundry.values.computing import ValidationSplit
from modelfoundry.values.resources import Dataset


def request(architecture: Architecture) -> TrainingRequest:
    return TrainingRequest(
        parent="projects/p",
        architecture=architecture,
        dataset="projects/p/datasets/digits",
        recipe=resolve_recipe("default", {}, None, seed=0),
        validation=ValidationSplit(source_split="train", fraction=0.1, seed=0),
        seed=0,
        device="cpu",
        model_id="",
    )


def test_a_network_of_another_image_size_is_refused_before_the_job(dataset: Dataset) -> None:
    small = {"embed_dim": 32, "depth": 1, "num_heads": 2, "patch_size": 2}
    fitting = Architecture("timm:vit_tiny_patch16_224", {**small, "img_size": 8})
    assert plan_training(request(fitting), dataset).dataset == dataset
    with pytest.raises(errors.InvalidField) as caught:
        plan_training(request(Architecture("timm:vit_tiny_patch16_224", {**small, "img_size": 16})), dataset)
    assert caught.value.field == "input"
    assert "1x8x8" in caught.value.message
    assert "size in the parameters" in caught.value.hint
