from __future__ import annotations

import hashlib
import json
import mmap
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modelfoundry.core.datasets import ImageSet, read_split, write_split
from modelfoundry.errors import MalformedFile


def _image_set(count: int = 6, shape: tuple[int, int, int] = (3, 5, 4), seed: int = 0) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, *shape), generator=generator, dtype=torch.uint8)
    return ImageSet(images, torch.randint(0, 3, (count,), generator=generator))


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(0, 5),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 7)),
    seed=st.integers(0, 99),
)
def test_a_written_split_reads_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, count: int, shape: tuple[int, int, int], seed: int
) -> None:
    path = tmp_path_factory.mktemp("split") / "s.safetensors"
    written = _image_set(count, shape, seed)
    write_split(path, written)
    read = read_split(path)
    assert torch.equal(read.images, written.images)
    assert torch.equal(read.labels, written.labels)


def test_equal_content_has_equal_bytes_whoever_wrote_it(tmp_path: Path) -> None:
    image_set = _image_set()
    strided = ImageSet(image_set.images.to(memory_format=torch.channels_last), image_set.labels)
    write_split(tmp_path / "a", image_set)
    write_split(tmp_path / "b", strided)
    by_numpy = safetensors.numpy.save({"labels": image_set.labels.numpy(), "images": image_set.images.numpy()})
    digests = {hashlib.sha256(data).hexdigest() for data in ((tmp_path / n).read_bytes() for n in "ab")}
    assert digests == {hashlib.sha256(by_numpy).hexdigest()}


def test_images_are_mapped_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "large"
    write_split(path, ImageSet(torch.zeros(4096, 3, 64, 64, dtype=torch.uint8), torch.zeros(4096, dtype=torch.int64)))
    read = read_split(path)
    address = read.images.data_ptr()
    maps = Path("/proc/self/maps").read_text().splitlines()
    ranges = [tuple(int(end, 16) for end in line.split()[0].split("-")) for line in maps if line.endswith(str(path))]
    assert any(low <= address < high for low, high in ranges)
    assert address % mmap.PAGESIZE != 0  # inside the file, behind its header


def _file(tensors: dict[str, np.ndarray]) -> bytes:
    return safetensors.numpy.save(tensors)


GOOD = {"images": np.zeros((2, 1, 3, 3), np.uint8), "labels": np.zeros(2, np.int64)}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"", "no whole safetensors file", id="empty"),
        pytest.param(b"\x80\x04\x95pickle", "no whole safetensors file", id="pickle"),
        pytest.param(_file(GOOD)[:-1], "no whole safetensors file", id="truncated"),
        pytest.param(_file({"images": GOOD["images"]}), "lacks the tensor labels", id="no labels"),
        pytest.param(_file({}), "lacks the tensor images and labels", id="nothing"),
        pytest.param(_file(GOOD | {"images": GOOD["images"].astype(np.float32)}), "must be uint8", id="float images"),
        pytest.param(_file(GOOD | {"images": GOOD["images"][0]}), "must be uint8", id="one image only"),
        pytest.param(_file(GOOD | {"labels": np.zeros(2, np.int32)}), "must be int64", id="int32 labels"),
        pytest.param(_file(GOOD | {"labels": np.zeros(3, np.int64)}), "must be int64 [2]", id="more labels"),
        pytest.param(_file(GOOD | {"labels": np.array([0, -1])}), "below 0", id="negative label"),
        pytest.param((2**63).to_bytes(8, "little") + b"{}", "no whole safetensors file", id="header of 2^63 bytes"),
        pytest.param(
            len(json.dumps([0])).to_bytes(8, "little") + b"[0]", "no whole safetensors file", id="header is a list"
        ),
    ],
)
def test_a_file_that_is_no_split_is_refused_with_the_reason(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    with pytest.raises(MalformedFile, match=said.replace("[", r"\[")) as caught:
        read_split(path)
    assert caught.value.hint
    assert str(tmp_path) not in caught.value.message
