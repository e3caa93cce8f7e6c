"""Data sets are read in the forms that people have them in."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from handwritten_digits import digits
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import load_file, save, save_file

from modelfoundry import errors
from modelfoundry.client.sources.prepare import prepare_dataset
from modelfoundry.client.sources.splits import write_arrays

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 6), dtype=np.uint8)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def picture(path: Path, pixels: npt.NDArray[np.uint8], mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path)


@given(count=st.integers(0, 5), channels=st.integers(1, 3), side=st.integers(1, 9))
def test_a_split_is_written_as_the_library_does(tmp_path_factory: Any, count: int, channels: int, side: int) -> None:
    images = np.arange(count * channels * side * side, dtype=np.uint32).astype(np.uint8)
    images = images.reshape(count, channels, side, side)
    labels = np.arange(count, dtype=np.int64)
    path = tmp_path_factory.mktemp("split") / "train.safetensors"
    write_arrays(path, images, labels)
    assert path.read_bytes() == save({"images": images, "labels": labels})


def test_the_digits_are_those_of_the_core(work: Path) -> None:
    prepared, core = prepare_dataset("digits", work, (), None), digits()
    assert prepared.labels == core.labels
    assert {split: len(load_file(path)["labels"]) for split, path in prepared.files.items()} == {
        "train": 1300,
        "test": 497,
    }
    for split, path in prepared.files.items():
        loaded = load_file(path)
        assert np.array_equal(loaded["images"], core.splits[split].images.numpy())
        assert np.array_equal(loaded["labels"], core.splits[split].labels.numpy())


def test_image_folders_have_splits_and_labels(source: Path, work: Path) -> None:
    for index, place in enumerate(("train/dog", "train/cat", "test/dog", "test/bird")):
        picture(source / place / "a.png", PIXELS[index].transpose(1, 2, 0))
    (source / "train" / "dog" / "notes.txt").write_text("not an image")
    (source / "train" / ".hidden").mkdir()
    prepared = prepare_dataset(source, work, (), None)
    assert prepared.labels == ("bird", "cat", "dog")
    train, test = load_file(prepared.files["train"]), load_file(prepared.files["test"])
    assert train["labels"].tolist() == [1, 2]
    assert np.array_equal(train["images"], PIXELS[[1, 0]])
    assert test["labels"].tolist() == [0, 2]
    assert np.array_equal(test["images"], PIXELS[[3, 2]])


def test_a_folder_without_splits_is_a_training_split(source: Path, work: Path) -> None:
    for label in ("a", "b"):
        picture(source / label / "x.png", PIXELS[0].transpose(1, 2, 0))
    assert list(prepare_dataset(source, work, (), None).files) == ["train"]


def test_labels_may_be_given_in_another_order(source: Path, work: Path) -> None:
    for label in ("a", "b"):
        picture(source / "train" / label / "x.png", PIXELS[0].transpose(1, 2, 0))
    prepared = prepare_dataset(source, work, ["b", "a"], None)
    assert prepared.labels == ("b", "a")
    assert load_file(prepared.files["train"])["labels"].tolist() == [1, 0]
    with pytest.raises(errors.InvalidField, match="3 label names"):
        prepare_dataset(source, work, ["a", "b", "c"], None)
    with pytest.raises(errors.MalformedFile, match="'b' is not among"):
        prepare_dataset(source, work, ["a", "c"], None)


@pytest.mark.parametrize(
    ("modes", "channels"), [(("L", "L"), 1), (("L", "RGB"), 3), (("RGBA", "RGB"), 3), (("1", "L"), 1)]
)
def test_images_are_grey_when_all_are(source: Path, work: Path, modes: tuple[str, str], channels: int) -> None:
    for index, mode in enumerate(modes):
        picture(source / "train" / "ab"[index] / "x.png", PIXELS[0].transpose(1, 2, 0), mode)
    assert load_file(prepare_dataset(source, work, (), None).files["train"])["images"].shape == (2, channels, 5, 6)


def test_images_of_different_sizes_are_named_unless_they_are_scaled(source: Path, work: Path) -> None:
    picture(source / "train" / "a" / "x.png", PIXELS[0].transpose(1, 2, 0))
    picture(source / "train" / "b" / "y.png", PIXELS[0].transpose(2, 1, 0))
    with pytest.raises(errors.InvalidImage, match=r"y\.png has 6 x 5 pixels") as caught:
        prepare_dataset(source, work, (), None)
    assert "image_size" in caught.value.hint
    prepared = prepare_dataset(source, work, (), (8, 7))
    assert load_file(prepared.files["train"])["images"].shape == (2, 3, 8, 7)


@pytest.mark.parametrize("cut", [10, -20], ids=["no-image", "truncated"])
def test_a_damaged_image_is_named(source: Path, work: Path, cut: int) -> None:
    for label in ("a", "b"):
        picture(source / "train" / label / "x.png", np.zeros((64, 64, 3), np.uint8))
    path = source / "train" / "b" / "x.png"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(errors.InvalidImage, match=r"b.x\.png"):
        prepare_dataset(source, work, (), None)


@pytest.mark.parametrize("key", ["classes", "labels"])
@pytest.mark.parametrize("names", ["cat,dog", '["cat", "dog"]'], ids=["commas", "json"])
def test_safetensors_go_as_they_are_with_the_names_in_them(source: Path, work: Path, key: str, names: str) -> None:
    for split in ("train", "test"):
        tensors = {"images": PIXELS, "labels": np.array([0, 1, 0, 1])}
        save_file(tensors, source / f"{split}.safetensors", metadata={key: names})
    prepared = prepare_dataset(source, work, (), None)
    assert prepared.labels == ("cat", "dog")
    assert dict(prepared.files) == {split: source / f"{split}.safetensors" for split in ("test", "train")}
    assert prepare_dataset(source / "train.safetensors", work, ("x", "y"), None).labels == ("x", "y")


def test_safetensors_without_names_ask_for_them(source: Path, work: Path) -> None:
    save_file({"images": PIXELS, "labels": np.array([0, 1, 0, 1])}, source / "train.safetensors")
    with pytest.raises(errors.InvalidField, match="no label names") as caught:
        prepare_dataset(source, work, (), None)
    assert caught.value.field == "labels"


@pytest.mark.parametrize(
    ("tensors", "missing"),
    [
        ({"images": PIXELS}, "labels"),
        ({"images": PIXELS.astype(np.float32), "labels": np.zeros(4, np.int64)}, "images"),
        ({"images": PIXELS[0], "labels": np.zeros(4, np.int64)}, "images"),
        ({"images": PIXELS, "labels": np.zeros(4, np.int32)}, "labels"),
    ],
    ids=["no-labels", "float-images", "one-image", "short-labels"],
)
def test_safetensors_with_other_tensors_are_refused(
    source: Path, work: Path, tensors: dict[str, npt.NDArray[Any]], missing: str
) -> None:
    save_file(tensors, source / "train.safetensors")
    with pytest.raises(errors.MalformedFile, match=f"no tensor `{missing}`"):
        prepare_dataset(source, work, ("a", "b"), None)


def test_splits_with_different_names_are_refused(source: Path, work: Path) -> None:
    for split, names in (("test", "a,b"), ("train", "b,a")):
        tensors = {"images": PIXELS, "labels": np.zeros(4, np.int64)}
        save_file(tensors, source / f"{split}.safetensors", metadata={"classes": names})
    with pytest.raises(errors.MalformedFile, match="other label names"):
        prepare_dataset(source, work, (), None)


def cifar_records(count: int, beginning: bytes) -> bytes:
    pixels = [bytes([number] * 1024 + [100] * 1024 + [200] * 1024) for number in range(count)]
    return b"".join(beginning + bytes([number]) + pixels[number] for number in range(count))


def test_cifar10_binary_files_are_read(source: Path, work: Path) -> None:
    folder = source / "cifar-10-batches-bin"
    folder.mkdir()
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        (folder / name).write_bytes(cifar_records(3, b""))
    prepared = prepare_dataset(source, work, (), None)
    train = load_file(prepared.files["train"])
    assert prepared.labels[3] == "cat"
    assert train["images"].shape == (15, 3, 32, 32)
    assert train["labels"].tolist() == [0, 1, 2] * 5
    assert (train["images"][1, 0] == 1).all()
    assert (train["images"][1, 2] == 200).all()
    (folder / "test_batch.bin").write_bytes(b"x" * 3000)
    with pytest.raises(errors.MalformedFile, match=r"test_batch\.bin"):
        prepare_dataset(source, work, (), None)


def test_cifar100_binary_files_are_read_with_fine_labels(source: Path, work: Path) -> None:
    for name in ("train.bin", "test.bin"):
        (source / name).write_bytes(cifar_records(4, b"\x07"))
    (source / "fine_label_names.txt").write_text("\n".join(f"fine{number}" for number in range(100)) + "\n")
    prepared = prepare_dataset(source, work, (), None)
    assert (prepared.labels[0], len(prepared.labels)) == ("fine0", 100)
    assert load_file(prepared.files["test"])["labels"].tolist() == [0, 1, 2, 3]


def idx(array: npt.NDArray[np.uint8]) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(("folder", "label"), [("MNIST/raw", "3"), ("FashionMNIST/raw", "Dress")])
def test_mnist_files_are_read(source: Path, work: Path, zipped: bool, folder: str, label: str) -> None:
    place = source / folder
    place.mkdir(parents=True)
    images = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    for prefix in ("train", "t10k"):
        for kind, array in (("images-idx3", images), ("labels-idx1", np.array([1, 0, 3], np.uint8))):
            content = idx(array)
            path = place / f"{prefix}-{kind}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(content) if zipped else content)
    prepared = prepare_dataset(place.parent, work, (), None)
    assert prepared.labels[3] == label
    test = load_file(prepared.files["test"])
    assert np.array_equal(test["images"], images[:, None])
    assert test["labels"].tolist() == [1, 0, 3]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(errors.MalformedFile, match=path.name):
        prepare_dataset(place.parent, work, (), None)


def test_svhn_files_are_read(source: Path, work: Path) -> None:
    from scipy.io import savemat

    images = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 2), dtype=np.uint8)
    for split in ("train", "test"):
        savemat(source / f"{split}_32x32.mat", {"X": images, "y": np.array([[10], [3]], np.uint8)})
    prepared = prepare_dataset(source, work, (), None)
    test = load_file(prepared.files["test"])
    assert test["labels"].tolist() == [0, 3]
    assert np.array_equal(test["images"], images.transpose(3, 2, 0, 1))
    (source / "test_32x32.mat").write_bytes(b"no")
    with pytest.raises(errors.MalformedFile, match="test_32x32"):
        prepare_dataset(source, work, (), None)


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_what_is_no_data_set_says_what_would_be(tmp_path: Path, work: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.MalformedFile) as caught:
        prepare_dataset(tmp_path / name, work, (), None)
    assert "SPLIT/LABEL" in caught.value.hint
    assert name in caught.value.message


def test_a_python_pickle_of_cifar_is_not_read(source: Path, work: Path) -> None:
    (source / "data_batch_1").write_bytes(b"\x80\x04.")
    with pytest.raises(errors.MalformedFile):
        prepare_dataset(source, work, (), None)


def test_one_string_is_no_list_of_labels(work: Path) -> None:
    with pytest.raises(errors.InvalidField, match="single string"):
        prepare_dataset("digits", work, "ab", None)


def test_metadata_that_is_json_but_no_list_is_taken_as_text(source: Path, work: Path) -> None:
    tensors = {"images": PIXELS, "labels": np.zeros(4, np.int64)}
    save_file(tensors, source / "train.safetensors", metadata={"labels": json.dumps(7)})
    assert prepare_dataset(source, work, (), None).labels == ("7",)
