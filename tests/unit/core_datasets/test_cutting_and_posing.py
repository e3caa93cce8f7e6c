from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from handwritten_digits import digits
from hypothesis import given, settings
from hypothesis import strategies as st

from modelfoundry.core.datasets import (
    ImageSet,
    against_rest_indices,
    align_labels,
    pose_binary,
    pose_multi_class,
    pose_open_set,
    validation_cut,
)
from modelfoundry.errors import DatasetMismatch

label_lists = st.lists(st.integers(0, 4), min_size=1, max_size=60)


def _numbered(labels: list[int]) -> ImageSet:
    """One-pixel images: image number i has pixel i."""
    return ImageSet(
        torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1), torch.tensor(labels, dtype=torch.int64)
    )


@settings(max_examples=60, deadline=None)
@given(labels=label_lists, fraction=st.floats(0.01, 0.9), seed=st.integers(0, 2**62))
def test_a_cut_takes_the_share_of_every_label_and_loses_no_sample(
    labels: list[int], fraction: float, seed: int
) -> None:
    train, validation = validation_cut(torch.tensor(labels), fraction, seed)
    assert sorted(train.tolist() + validation.tolist()) == list(range(len(labels)))
    for label in set(labels):
        whole = labels.count(label)
        taken = sum(labels[index] == label for index in validation.tolist())
        assert taken == min(max(1, round(whole * fraction)), whole - 1)


def test_the_cut_is_the_same_on_every_machine() -> None:
    labels = torch.arange(1000) % 7
    _, validation = validation_cut(labels, 0.1, 42)
    # Computed once and written down: another platform or NumPy version must agree.
    assert validation[:8].tolist() == EXPECTED_CUT
    assert not torch.equal(validation, validation_cut(labels, 0.1, 43)[1])


EXPECTED_CUT = [4, 17, 27, 51, 68, 74, 84, 85]


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_a_fraction_outside_of_0_to_1_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        validation_cut(torch.zeros(4, dtype=torch.int64), fraction, 0)


@settings(max_examples=60, deadline=None)
@given(labels=label_lists, target=st.integers(0, 4))
def test_a_binary_problem_has_all_of_the_label_and_as_many_others(labels: list[int], target: int) -> None:
    positives, others = labels.count(target), len(labels) - labels.count(target)
    if not positives or not others:
        with pytest.raises(DatasetMismatch):
            pose_binary(_numbered(labels), target)
        return
    posed = pose_binary(_numbered(labels), target)
    assert posed.labels.tolist() == [0] * positives + [1] * min(positives, others)
    sources = posed.images.flatten().tolist()
    assert len(set(sources)) == len(sources)
    assert all(
        (labels[source] == target) == (label == 0) for source, label in zip(sources, posed.labels.tolist(), strict=True)
    )


def test_negatives_are_those_that_numpys_seed_0_shuffles_to_the_front() -> None:
    labels = torch.tensor([1, 0, 2, 0, 2, 1, 2, 2, 1, 2])
    others = [0, 2, 4, 5, 6, 7, 8, 9]
    np.random.seed(0)  # the paper's own way
    expected = np.random.permutation(others)[:2].tolist()
    positives, negatives = against_rest_indices(labels, (0,))
    assert (positives.tolist(), negatives.tolist()) == ([1, 3], expected)


def test_a_multi_class_problem_keeps_its_labels_in_its_order() -> None:
    posed = pose_multi_class(_numbered([0, 1, 2, 3, 2, 1, 0]), (2, 0))
    assert posed.images.flatten().tolist() == [0, 2, 4, 6]
    assert posed.labels.tolist() == [1, 0, 0, 1]


def test_a_multi_class_label_without_images_is_named() -> None:
    with pytest.raises(DatasetMismatch, match="label number 7"):
        pose_multi_class(_numbered([0, 1]), (0, 7))


@settings(max_examples=60, deadline=None)
@given(labels=label_lists)
def test_an_open_set_problem_has_all_of_its_labels_and_as_many_others(labels: list[int]) -> None:
    members, others = labels.count(3) + labels.count(1), len(labels) - labels.count(3) - labels.count(1)
    if not (labels.count(3) and labels.count(1) and others):
        with pytest.raises(DatasetMismatch):
            pose_open_set(_numbered(labels), (3, 1))
        return
    posed = pose_open_set(_numbered(labels), (3, 1))
    sources = posed.images.flatten().tolist()
    assert len(set(sources)) == len(sources) == members + min(members, others)
    expected = {3: 0, 1: 1}
    assert posed.labels.tolist() == [expected.get(labels[source], 2) for source in sources]


def test_an_empty_split_poses_no_problem() -> None:
    empty = _numbered([]).subset(torch.zeros(0, dtype=torch.int64))
    for pose in (
        lambda: pose_binary(empty, 0),
        lambda: pose_multi_class(empty, (0, 1)),
        lambda: pose_open_set(empty, (0, 1)),
    ):
        with pytest.raises(DatasetMismatch):
            pose()


def test_labels_are_matched_by_name_not_by_number() -> None:
    aligned = align_labels(_numbered([0, 1, 2, 0]), ["cat", "dog", "ant"], ["ant", "cat", "dog"])
    assert aligned.labels.tolist() == [1, 2, 0, 1]


def test_images_of_labels_that_the_model_does_not_know_are_left_out() -> None:
    aligned = align_labels(_numbered([0, 1, 2, 0]), ["cat", "yak", "ant"], ["ant", "cat"])
    assert aligned.labels.tolist() == [1, 0, 1]
    assert aligned.images.flatten().tolist() == [0, 2, 3]


def test_equal_label_names_copy_no_image() -> None:
    image_set = _numbered([0, 1])
    assert align_labels(image_set, ["a", "b"], ("a", "b")) is image_set


def test_a_missing_label_is_named_with_the_near_ones() -> None:
    with pytest.raises(DatasetMismatch, match="'automobile'") as caught:
        align_labels(_numbered([0, 1]), ["cat", "automobil"], ["cat", "automobile"])
    assert caught.value.metadata["near"] == "automobil"
    assert caught.value.field == "dataset"


def test_only_the_labels_needed_must_be_there() -> None:
    aligned = align_labels(_numbered([0, 1]), ["b", "c"], ["a", "b", "c"], needed=["c"])
    assert aligned.labels.tolist() == [1, 2]


def test_a_label_number_without_a_name_is_refused() -> None:
    with pytest.raises(DatasetMismatch, match="label number 2"):
        align_labels(_numbered([0, 2]), ["a", "b"], ["a", "b"])


def test_digits_are_real_images_cut_for_good() -> None:
    content = digits()
    train, test = content.splits["train"], content.splits["test"]
    assert content.labels == tuple("0123456789")
    assert (tuple(train.images.shape), tuple(test.images.shape)) == ((1300, 1, 8, 8), (497, 1, 8, 8))
    assert (int(train.images.min()), int(train.images.max())) == (0, 255)
    shares = test.labels.bincount() / (test.labels.bincount() + train.labels.bincount())
    assert float(shares.max() - shares.min()) < 0.01
    digest = hashlib.sha256(test.images.numpy().tobytes() + test.labels.numpy().tobytes()).hexdigest()
    assert digest == EXPECTED_DIGITS


EXPECTED_DIGITS = "33d57c97144c413ede8ba753b552a11a544ac030e3bdc174e9c0e9c830b5a2bf"
