from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from modelfoundry.core.heads import HeadLayer, LinearHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, read_module, write_module
from modelfoundry.core.tensorfile import write_tensors
from modelfoundry.errors import MalformedFile
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

DIGEST = "sha256:" + "0f" * 32
OF_VERSION_1 = "29ef2dbd18f477b37e735d161a59283fa29a1a6656afbae0de57ecfeae9f6115"
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)
problems = st.one_of(
    names.map(BinaryProblem),
    st.lists(names, min_size=2, max_size=4, unique=True).map(lambda labels: MultiClassProblem(tuple(labels))),
    st.lists(names, min_size=2, max_size=4, unique=True).map(lambda labels: OpenSetProblem(tuple(labels))),
)


@settings(max_examples=40, deadline=None)
@given(
    layout=st.dictionaries(names, shapes, min_size=1, max_size=4),
    problem=problems,
    hidden=st.lists(st.integers(1, 4), max_size=3),
    seed=st.integers(0, 999),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    layout: dict[str, tuple[int, ...]],
    problem: Problem,
    hidden: list[int],
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    masks = WeightMasks({name: torch.rand(shape, generator=generator) < 0.3 for name, shape in layout.items()})
    widths = [7, *hidden, len(problem.outputs)]
    head = LinearHead(
        tuple(
            HeadLayer(torch.randn(outputs, inputs, generator=generator), torch.randn(outputs, generator=generator))
            for inputs, outputs in pairwise(widths)
        )
    )
    written = ModuleArtifact(DIGEST, problem, masks, head, "seam")
    path = tmp_path_factory.mktemp("module") / "m"
    write_module(path, written)
    read = read_module(path)
    assert read == written
    assert list(read.masks.bits) == list(layout)
    assert _Parts(path).metadata["format_version"] == ("2" if hidden else "1")


def test_a_module_with_one_layer_has_the_bytes_that_it_always_had(tmp_path: Path) -> None:
    masks = WeightMasks({"w": torch.arange(40) % 3 == 0})
    head = LinearHead.of(torch.tensor([[0.5, 0.0], [0.0, -1.0]]), torch.tensor([0.25, 2.0]))
    write_module(tmp_path / "m", ModuleArtifact(DIGEST, BinaryProblem("a"), masks, head, "seam"))
    assert hashlib.sha256((tmp_path / "m").read_bytes()).hexdigest() == OF_VERSION_1


def test_equal_modules_have_equal_bytes_in_another_process(module_file: Path, tmp_path: Path) -> None:
    again = (
        "import sys; from pathlib import Path; from modelfoundry.core.modules import read_module, write_module;"
        "write_module(Path(sys.argv[2]), read_module(Path(sys.argv[1])))"
    )
    copy = tmp_path / "copy"
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    subprocess.run([sys.executable, "-c", again, str(module_file), str(copy)], check=True, env=environment)
    assert copy.read_bytes() == module_file.read_bytes()


def test_a_module_is_a_small_fraction_of_its_masks_as_float32(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    masks = WeightMasks({"w": torch.rand(512, 2048, generator=generator) < 0.1})
    write_module(tmp_path / "m", ModuleArtifact(DIGEST, BinaryProblem("a"), masks, _head(2), "seam"))
    assert (tmp_path / "m").stat().st_size < 512 * 2048 * 4 / 60


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (lambda: _head(3), "2 outputs, the head 3"),
        (lambda: LinearHead.of(torch.full((2, 4), float("nan")), torch.zeros(2)), "NaN or infinity"),
        (lambda: LinearHead.of(torch.zeros(2, 4), torch.tensor([0.0, float("inf")])), "NaN or infinity"),
        (lambda: LinearHead.of(torch.zeros(2, 4, dtype=torch.float64), torch.zeros(2)), "must be float32"),
    ],
    ids=["other problem", "NaN", "infinity", "float64"],
)
def test_a_head_that_cannot_be_is_refused(artifact: ModuleArtifact, head: Callable[[], LinearHead], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(artifact, head=head())


def _head(outputs: int) -> LinearHead:
    return LinearHead.of(torch.zeros(outputs, 5), torch.zeros(outputs))


class _Parts:
    """Tensors and metadata of a module file, to be broken one by one."""

    def __init__(self, path: Path) -> None:
        with safetensors.safe_open(path, framework="pt") as file:
            self.metadata: dict[str, str] = dict(file.metadata())
            self.tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  # no mapping

    def frame(self, data: bytes) -> None:
        self.tensors["masks"] = torch.from_numpy(np.frombuffer(data, np.uint8).copy())


def _compressed(data: bytes, **options: bool) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(data)


def _set(key: str, value: str) -> Callable[[_Parts], None]:
    return lambda parts: parts.metadata.__setitem__(key, value)


def _drop_metadata(parts: _Parts) -> None:
    parts.metadata.clear()


def _nan_head(parts: _Parts) -> None:
    parts.tensors["head.weight"][0, 0] = float("nan")


def _narrow_head(parts: _Parts) -> None:
    parts.tensors["head.bias"] = torch.zeros(3)


def _holed_head(parts: _Parts) -> None:
    _deepen(parts, (0, 2))


def _broken_head(parts: _Parts) -> None:
    _deepen(parts, (0, 1))


def _deepen(parts: _Parts, places: tuple[int, ...]) -> None:
    weight, bias = parts.tensors.pop("head.weight"), parts.tensors.pop("head.bias")
    for place in places:
        parts.tensors |= {f"head.{place}.weight": weight.clone(), f"head.{place}.bias": bias.clone()}
    parts.metadata["format_version"] = "2"


def _extra_tensor(parts: _Parts) -> None:
    parts.tensors["payload"] = torch.zeros(1)


def _float_masks(parts: _Parts) -> None:
    parts.tensors["masks"] = parts.tensors["masks"].float()


def _bomb(parts: _Parts) -> None:
    parts.frame(_compressed(bytes(64 * 1024 * 1024)))


def _bomb_of_unstated_size(parts: _Parts) -> None:
    parts.frame(_compressed(bytes(64 * 1024 * 1024), write_content_size=False))


def _huge_stated_size(parts: _Parts) -> None:
    # States 2^60 bytes: magic number, descriptor with an 8-byte size, the size, an empty last block.
    parts.frame(bytes.fromhex("28b52ffd") + b"\xe0" + (2**60).to_bytes(8, "little") + b"\x01\x00\x00")


def _huge_layout(parts: _Parts) -> None:
    parts.metadata["layout"] = json.dumps([["w", [2**20, 2**20]]])


def _huge_layout_that_fits_its_frame(parts: _Parts) -> None:
    parts.metadata["layout"] = json.dumps([["w", [2**31]], ["v", [8]]])


def _trailing_bytes(parts: _Parts) -> None:
    parts.frame(parts.tensors["masks"].numpy().tobytes() + b"hidden")


def _bit_flip(parts: _Parts) -> None:
    parts.tensors["masks"][-6] ^= 1


def _other_shape(parts: _Parts) -> None:
    layout = json.loads(parts.metadata["layout"])
    layout[0][1][0] *= 2
    parts.metadata["layout"] = json.dumps(layout)


def _bits_behind_the_end(parts: _Parts) -> None:
    layout = json.loads(parts.metadata["layout"])
    total = sum(int(np.prod(shape)) for _, shape in layout)
    assert total % 8
    parts.frame(_compressed(b"\xff" * ((total + 7) // 8)))


DAMAGES = {
    "no metadata": (_drop_metadata, "metadata lacks format"),
    "another format": (_set("format", "other"), "format is not"),
    "a newer version": (_set("format_version", "5"), "version 5, this program reads 1, 2, 3, 4"),
    "a version with operations": (_set("format_version", "4"), "metadata lacks head, rewritten, cuts, operations"),
    "a version with rewritten tensors": (_set("format_version", "3"), "metadata lacks head, rewritten, cuts"),
    "a version with deeper heads": (_set("format_version", "2"), "its tensors are"),
    "a hole in the head": (_holed_head, "its tensors are"),
    "layers that do not meet": (_broken_head, "inputs follows one of"),
    "no digest": (_set("base_digest", "sha256:XYZ"), "base digest"),
    "problem is no JSON": (_set("problem", "{"), "no module file"),
    "problem of another kind": (_set("problem", '{"ternary":{}}'), "neither binary nor multi-class"),
    "problem with a number": (_set("problem", '{"binary":{"label":3}}'), "neither binary nor multi-class"),
    "problem with more keys": (_set("problem", '{"binary":{"label":"a"},"x":1}'), "canonical"),
    "problem with equal labels": (_set("problem", '{"multi_class":{"labels":["a","a"]}}'), "two different labels"),
    "problem nested without end": (_set("problem", "[" * 200_000), "no module file"),
    "layout is no JSON": (_set("layout", "nope"), "no module file"),
    "layout is an object": (_set("layout", "{}"), "its layout is no list"),
    "layout is empty": (_set("layout", "[]"), "its layout is no list"),
    "layout with a negative extent": (_set("layout", '[["w",[-1]]]'), "its layout is no list"),
    "layout with a boolean extent": (_set("layout", '[["w",[true]]]'), "its layout is no list"),
    "layout with an endless number": (_set("layout", f'[["w",[{"9" * 5000}]]]'), "no module file"),
    "layout with a name twice": (_set("layout", '[["w",[1]],["w",[1]]]'), "twice"),
    "layout that does not match": (_other_shape, "its layout needs"),
    "layout that asks for a terabit": (_huge_layout, "more than"),
    "layout one entry above the limit": (_huge_layout_that_fits_its_frame, "more than"),
    "zstd bomb": (_bomb, "its layout needs"),
    "zstd bomb of unstated size": (_bomb_of_unstated_size, "its layout needs"),
    "zstd frame that states an exabyte": (_huge_stated_size, "its layout needs"),
    "bytes behind the frame": (_trailing_bytes, "zstd"),
    "a flipped bit": (_bit_flip, "zstd"),
    "bits behind the last mask": (_bits_behind_the_end, "behind the last"),
    "masks as floats": (_float_masks, "not U8"),
    "NaN in the head": (_nan_head, "NaN"),
    "head for another problem": (_narrow_head, "head"),
    "one tensor more": (_extra_tensor, "its tensors are"),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_or_hostile_file_is_refused(module_file: Path, damage: Callable[[_Parts], None], said: str) -> None:
    parts = _Parts(module_file)
    damage(parts)
    write_tensors(module_file, parts.tensors, parts.metadata)
    with pytest.raises(MalformedFile, match=said) as caught:
        read_module(module_file)
    assert caught.value.hint


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_cut_of_a_file_is_taken_for_a_module(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("cut") / "m"
    masks = WeightMasks({"w": torch.arange(99) % 3 == 0})
    write_module(path, ModuleArtifact(DIGEST, BinaryProblem("a"), masks, _head(2), "seam"))
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(MalformedFile):
        read_module(path)
