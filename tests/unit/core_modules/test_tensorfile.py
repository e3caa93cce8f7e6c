from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch
import torch

from modelfoundry.core.tensorfile import write_tensors

DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
]
TENSORS = {str(dtype): torch.arange(6).reshape(2, 3).to(dtype) for dtype in DTYPES} | {
    "scalar": torch.tensor(1.5),
    "empty": torch.zeros(0, 3),
    "strided": torch.arange(6.0).reshape(2, 3).T,
    'né"\n': torch.ones(1, dtype=torch.int32),
}


def test_without_metadata_the_bytes_are_the_librarys(tmp_path: Path) -> None:
    write_tensors(tmp_path / "t", TENSORS)
    contiguous = {name: tensor.contiguous() for name, tensor in TENSORS.items()}
    assert (tmp_path / "t").read_bytes() == safetensors.torch.save(contiguous)


def test_the_order_of_tensors_and_metadata_does_not_matter(tmp_path: Path) -> None:
    metadata = {"b": "2", "a": "ü", "c": ""}
    write_tensors(tmp_path / "one", TENSORS, metadata)
    write_tensors(tmp_path / "two", dict(reversed(TENSORS.items())), dict(reversed(metadata.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with safetensors.safe_open(tmp_path / "one", framework="pt") as file:
        assert file.metadata() == metadata
        assert torch.equal(file.get_tensor("strided"), TENSORS["strided"])


def test_a_file_that_is_read_from_can_be_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write_tensors(path, {"a": torch.arange(100_000)})
    mapped = safetensors.torch.load_file(path)["a"]
    write_tensors(path, {"a": mapped[:10]})
    assert mapped[-1] == 99_999
    assert safetensors.torch.load_file(path)["a"].tolist() == list(range(10))
    assert [entry.name for entry in tmp_path.iterdir()] == ["t"]
