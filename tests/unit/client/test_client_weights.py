"""Weights on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file

from modelfoundry import errors
from modelfoundry.client import TensorSpec
from modelfoundry.client.weights import as_safetensors, read_tensor_specs

DATA = Path(os.environ.get("MODELFOUNDRY_DATA", Path(__file__).parents[3].parent / "shared" / "data"))


def test_a_header_is_read_without_the_tensors(tmp_path: Path) -> None:
    save_file({"b": np.ones((2, 3), np.float16), "a": np.array(1, np.int64)}, tmp_path / "w.safetensors")
    assert read_tensor_specs(tmp_path / "w.safetensors") == (TensorSpec("a", "I64", ()), TensorSpec("b", "F16", (2, 3)))


@pytest.mark.parametrize("cut", [4, 40, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a": np.ones((20, 3), np.float32)}, path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(errors.MalformedFile) as caught:
        read_tensor_specs(path)
    assert caught.value.field == "weights"


def test_a_pickle_named_safetensors_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(errors.MalformedFile) as caught:
        read_tensor_specs(as_safetensors(path, tmp_path))
    assert "w.pth" in caught.value.hint


def test_safetensors_go_as_they_are(tmp_path: Path) -> None:
    save_file({"a": np.ones(1, np.float32)}, tmp_path / "w.safetensors")
    assert as_safetensors(tmp_path / "w.safetensors", tmp_path) == tmp_path / "w.safetensors"


@pytest.mark.parametrize("suffix", [".th", ".pth", ".pt", ".PTH"])
@pytest.mark.parametrize("nested", [True, False], ids=["checkpoint", "state-dict"])
def test_a_pytorch_file_is_converted(tmp_path: Path, suffix: str, nested: bool) -> None:
    base = torch.arange(6.0).reshape(2, 3)
    state = {"module.a": base, "module.shared": base, "module.turned": base.T, "module.n": torch.tensor(3)}
    torch.save({"state_dict": state, "best": 91.5} if nested else state, tmp_path / f"w{suffix}")
    converted = load_file(as_safetensors(tmp_path / f"w{suffix}", tmp_path))
    assert set(converted) == {"a", "shared", "turned", "n"}
    assert torch.equal(converted["turned"], base.T)


def test_a_prefix_that_not_all_have_stays(tmp_path: Path) -> None:
    torch.save({"module.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "w.pt")
    assert set(load_file(as_safetensors(tmp_path / "w.pt", tmp_path))) == {"module.a", "b"}


def test_equal_weights_give_equal_bytes(tmp_path: Path) -> None:
    state = {f"layer{number}": torch.full((3,), float(number)) for number in range(20)}
    torch.save(state, tmp_path / "a.pt")
    torch.save({"state_dict": dict(reversed(state.items()))}, tmp_path / "b.pt")
    first, second = (as_safetensors(tmp_path / name, tmp_path).read_bytes() for name in ("a.pt", "b.pt"))
    assert first == second


class Evil:
    """Runs code when it is unpickled without care."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, ("touch should-not-be",))


@pytest.mark.parametrize(
    "content",
    [Evil(), {"a": Evil()}, {"a": 1}, {}, [torch.ones(1)], {1: torch.ones(1)}],
    ids=["evil", "evil-inside", "number", "empty", "list", "numbered"],
)
def test_a_file_that_is_no_state_dict_is_refused(
    tmp_path: Path, content: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(errors.MalformedFile) as caught:
        as_safetensors(tmp_path / "w.pt", tmp_path)
    assert "state_dict" in caught.value.hint
    assert not (tmp_path / "should-not-be").exists()


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04cut"], ids=["empty", "garbage", "cut"])
def test_bytes_that_pytorch_cannot_read_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(errors.MalformedFile):
        as_safetensors(tmp_path / "w.pt", tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.MalformedFile, match=r"absent\.pt"):
        as_safetensors(tmp_path / "absent.pt", tmp_path)


def test_without_torch_the_error_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"x")
    code = f"""
import sys
sys.modules["torch"] = None
from pathlib import Path
from modelfoundry.client.weights import as_safetensors
from modelfoundry.errors import InvalidField
try:
    as_safetensors(Path({str(tmp_path / "w.pth")!r}), Path({str(tmp_path)!r}))
except InvalidField as error:
    print(error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install torch" in done.stdout


def test_the_public_resnet20_is_converted(tmp_path: Path) -> None:
    weights = DATA / "pretrained" / "resnet20-12fca82f.th"
    if not weights.is_file():
        pytest.skip(f"SHARED DATA ABSENT: no {weights.name}; set MODELFOUNDRY_DATA to the folder that has it")
    specs = {one.name: one.shape for one in read_tensor_specs(as_safetensors(weights, tmp_path))}
    assert specs["conv1.weight"] == (16, 3, 3, 3)
    assert specs["linear.bias"] == (10,)
    assert not [name for name in specs if name.startswith("module.")]
