"""Data sets: what is looked up in their splits, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfoundry import errors
from modelfoundry.api.registry.v1 import dataset_pb2


def _images(n: int = 2, c: int = 1, h: int = 8, w: int = 8) -> Any:
    return np.zeros((n, c, h, w), dtype=np.uint8)


def _labels(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


def test_a_data_set_is_looked_through_and_described(registry: Any) -> None:
    splits = {"train": registry.split((0, 1, 2, 0, 0)), "test": registry.split((2, 2))}
    made = registry.create_dataset("digits", splits, display_name="Digits", tags={"team": "vision"})

    got = registry.call("GetDataset", dataset_pb2.GetDatasetRequest(name="projects/default/datasets/digits"))

    assert got == made
    assert (got.channels, got.height, got.width) == (1, 8, 8)
    train, test = got.splits
    assert (train.split, train.sample_count, list(train.label_counts)) == ("train", 5, [3, 1, 1])
    assert (test.split, test.sample_count, list(test.label_counts)) == ("test", 2, [0, 0, 2])
    assert train.content.size_bytes == len(splits["train"])
    assert train.content.media_type == "application/vnd.safetensors"
    assert got.digest.startswith("sha256:")


def test_the_digest_names_labels_and_splits_and_nothing_else(registry: Any) -> None:
    one, two = registry.split(seed=1), registry.split(seed=2)

    def digest(**changes: Any) -> str:
        made: str = registry.create_dataset(**{"splits": {"train": one, "test": two}, **changes}).digest
        return made

    first = digest()
    assert digest(display_name="other", tags={"a": "b"}) == first
    assert digest(splits={"test": two, "train": one}) == first
    assert digest(splits={"train": two, "test": one}) != first
    assert digest(splits={"train": one}) != first
    assert digest(splits={"train": one, "val": two}) != first
    assert digest(labels=["cat", "dog", "cow"]) != first
    assert digest(labels=["dog", "cat", "horse"]) != first


def test_labels_of_many_pieces_are_all_counted(registry: Any, make_safetensors: Any) -> None:
    labels = np.tile(np.array([0, 1, 2, 2], dtype=np.int64), 75_000)
    content = make_safetensors({"labels": labels, "images": np.zeros((300_000, 1, 1, 1), dtype=np.uint8)})

    made = registry.create_dataset("many", {"train": content})

    assert list(made.splits[0].label_counts) == [75_000, 75_000, 150_000]


BAD_SPLITS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no images": ({"labels": _labels(0, 1)}, errors.MalformedFile, "no tensor 'images'"),
    "no labels": ({"images": _images()}, errors.MalformedFile, "no tensor 'labels'"),
    "float images": (
        {"images": _images().astype(np.float32), "labels": _labels(0, 1)},
        errors.MalformedFile,
        "images is F32",
    ),
    "flat images": (
        {"images": _images().reshape(2, 64), "labels": _labels(0, 1)},
        errors.MalformedFile,
        r"U8 \[2, 64\]",
    ),
    "byte labels": (
        {"images": _images(), "labels": _labels(0, 1).astype(np.uint8)},
        errors.MalformedFile,
        "labels is U8",
    ),
    "one-hot labels": (
        {"images": _images(), "labels": np.zeros((2, 3), dtype=np.int64)},
        errors.MalformedFile,
        r"labels is I64 \[2, 3\]",
    ),
    "more images than labels": (
        {"images": _images(3), "labels": _labels(0, 1)},
        errors.MalformedFile,
        "3 images and 2 labels",
    ),
    "nothing": ({"images": _images(0), "labels": _labels()}, errors.MalformedFile, "0 images and 0 labels"),
    "too many channels": (
        {"images": _images(2, 17), "labels": _labels(0, 1)},
        errors.MalformedFile,
        "17x8x8, more than 16x4096x4096",
    ),
    "label out of range": (
        {"images": _images(), "labels": _labels(0, 3)},
        errors.InvalidField,
        "a label is 3, there are 3",
    ),
    "negative label": ({"images": _images(), "labels": _labels(-1, 0)}, errors.InvalidField, "a label is -1"),
    "huge label": ({"images": _images(), "labels": _labels(2**62, 0)}, errors.InvalidField, "a label is 4611686"),
}


@pytest.mark.parametrize(("tensors", "error", "what"), BAD_SPLITS.values(), ids=BAD_SPLITS.keys())
def test_an_unusable_split_is_refused_and_leaves_nothing(
    registry: Any, make_safetensors: Any, tensors: Any, error: type[errors.ModelFoundryError], what: str
) -> None:
    with pytest.raises(error, match=what) as caught:
        registry.create_dataset("digits", {"train": registry.split(), "test": make_safetensors(tensors)})

    assert caught.value.field == "dataset.splits[1].content.digest"
    assert caught.value.hint
    with pytest.raises(errors.NotFound):
        registry.call("GetDataset", dataset_pb2.GetDatasetRequest(name="projects/default/datasets/digits"))


def test_splits_with_images_of_different_sizes_are_refused(registry: Any) -> None:
    with pytest.raises(errors.MalformedFile, match="images are 1x9x9, in train 1x8x8"):
        registry.create_dataset("digits", {"train": registry.split(), "test": registry.split(size=9)})


@pytest.mark.parametrize("name", ["", "Train", "a/b", "..", "x" * 64, "t st", "x" * 10_000_000])
def test_a_split_name_with_other_characters_is_refused(registry: Any, name: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        registry.create_dataset("digits", {name: registry.split()})

    assert caught.value.field == "dataset.splits[0].split"


def test_two_splits_of_one_name_are_refused(registry: Any) -> None:
    dataset = registry.dataset_message({"train": registry.split()})
    dataset.splits.add().CopyFrom(dataset.splits[0])

    with pytest.raises(errors.InvalidField, match="train is there twice") as caught:
        registry.call("CreateDataset", dataset_pb2.CreateDatasetRequest(parent="projects/default", dataset=dataset))

    assert caught.value.field == "dataset.splits[1].split"


def test_a_data_set_without_splits_is_refused(registry: Any) -> None:
    dataset = dataset_pb2.Dataset(labels=["a", "b"])

    with pytest.raises(errors.InvalidField) as caught:
        registry.call("CreateDataset", dataset_pb2.CreateDatasetRequest(parent="projects/default", dataset=dataset))

    assert caught.value.field == "dataset.splits"


def test_a_split_that_was_not_uploaded_is_refused(registry: Any) -> None:
    dataset = registry.dataset_message({"train": registry.split()})
    dataset.splits.add(split="test").content.digest = "sha256:" + "1" * 64

    with pytest.raises(errors.BlobMissing) as caught:
        registry.call("CreateDataset", dataset_pb2.CreateDatasetRequest(parent="projects/default", dataset=dataset))

    assert caught.value.field == "dataset.splits[1].content.digest"
