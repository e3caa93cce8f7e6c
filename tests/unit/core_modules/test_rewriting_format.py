"""Version 3 of the module file: rewritten tensors, channels that were cut, log-odds as a head."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import torch
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from modelfoundry.core.channels import KeptChannels, LayerCut
from modelfoundry.core.heads import LinearHead, LogOddsHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, read_module, write_module
from modelfoundry.core.tensorfile import write_tensors
from modelfoundry.errors import MalformedFile
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem

DIGEST = "sha256:" + "0f" * 32
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
shapes = st.lists(st.integers(1, 4), max_size=4).map(tuple)
problems = st.sampled_from([BinaryProblem("a"), MultiClassProblem(("a", "b")), OpenSetProblem(("a", "b"))])
sides = st.none() | st.lists(st.booleans(), min_size=1, max_size=9).filter(any).map(
    lambda stays: KeptChannels.of(torch.tensor(stays))
)
layer_cuts = st.tuples(sides, sides).filter(lambda both: both != (None, None))


@settings(max_examples=60, deadline=None)
@given(
    masked=st.dictionaries(names, shapes, max_size=3),
    rewritten=st.dictionaries(names, st.tuples(shapes, st.sampled_from([torch.float16, torch.float32])), max_size=3),
    cuts=st.dictionaries(names, layer_cuts, max_size=3),
    problem=problems,
    is_linear=st.booleans(),
    seed=st.integers(0, 999),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    masked: dict[str, tuple[int, ...]],
    rewritten: dict[str, tuple[tuple[int, ...], torch.dtype]],
    cuts: dict[str, tuple[KeptChannels | None, KeptChannels | None]],
    problem: BinaryProblem | MultiClassProblem | OpenSetProblem,
    is_linear: bool,
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    count = len(problem.labels)
    columns = tuple(torch.randperm(7, generator=generator)[:count].tolist())
    log_odds = LogOddsHead(
        7, columns, len(problem.outputs) > count, torch.rand(count) + 0.1, torch.randn(count, generator=generator)
    )
    linear = LinearHead.of(torch.randn(len(problem.outputs), 7, generator=generator), torch.zeros(len(problem.outputs)))
    written = ModuleArtifact(
        DIGEST,
        problem,
        WeightMasks({name: torch.rand(shape, generator=generator) < 0.3 for name, shape in masked.items()}),
        linear if is_linear else log_odds,
        "tried",
        RewrittenTensors(
            {
                name: torch.randn(shape, generator=generator).to(dtype)
                for name, (shape, dtype) in rewritten.items()
                if masked.get(name, shape) == shape
            }
        ),
        tuple(LayerCut(layer, *both) for layer, both in cuts.items()),
    )
    path = tmp_path_factory.mktemp("module") / "m"
    write_module(path, written)
    read = read_module(path)
    assert read == written
    assert list(read.masks.bits) == list(masked)
    with safetensors.safe_open(path, framework="pt") as file:
        old = is_linear and masked and not written.rewritten.tensors and not cuts
        assert file.metadata()["format_version"] == ("1" if old else "3")
    write_module(path.with_name("again"), read)
    assert path.with_name("again").read_bytes() == path.read_bytes()


def test_the_order_in_which_tensors_are_given_does_not_matter(
    tmp_path: Path, rewriting_artifact: ModuleArtifact
) -> None:
    tensors = rewriting_artifact.rewritten.tensors
    turned = replace(rewriting_artifact, rewritten=RewrittenTensors(dict(reversed(tensors.items()))))
    assert turned == rewriting_artifact
    write_module(tmp_path / "one", rewriting_artifact)
    write_module(tmp_path / "two", turned)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_difference_in_any_part_makes_another_module(rewriting_artifact: ModuleArtifact) -> None:
    whole = rewriting_artifact
    tensors = dict(whole.rewritten.tensors)
    others = [
        replace(whole, head=replace(whole.head, bias=torch.tensor([0.125]))),
        replace(whole, head=replace(whole.head, columns=(2,))),
        replace(whole, rewritten=RewrittenTensors({**tensors, "1.weight": tensors["1.weight"] + 1})),
        replace(whole, rewritten=RewrittenTensors({**tensors, "1.bias": tensors["1.bias"].float()})),
        replace(whole, rewritten=RewrittenTensors({"1.bias": tensors["1.bias"]})),
        replace(whole, cuts=whole.cuts[:-1]),
    ]
    for other in others:
        assert other != whole


def test_a_folded_norm_costs_two_bytes_a_number_and_its_name(
    tmp_path: Path, rewriting_artifact: ModuleArtifact
) -> None:
    numbers = {f"layer1.{block}.bn.{part}": torch.rand(64).half() for block in range(20) for part in ("weight", "bias")}
    write_module(tmp_path / "without", replace(rewriting_artifact, rewritten=RewrittenTensors()))
    write_module(tmp_path / "with", replace(rewriting_artifact, rewritten=RewrittenTensors(numbers)))
    added = (tmp_path / "with").stat().st_size - (tmp_path / "without").stat().st_size
    assert added - 20 * 2 * 64 * 2 < 40 * 50


@settings(max_examples=150, deadline=None)
@given(
    places=st.lists(st.integers(0, 10_000), min_size=1, max_size=3),
    value=st.integers(0, 255),
    twentieths=st.integers(1, 99),
)
def test_no_damage_to_a_file_does_more_than_have_it_refused(
    tmp_path_factory: pytest.TempPathFactory, places: list[int], value: int, twentieths: int
) -> None:
    whole = bytearray((Path(__file__).parent / "data" / "module-version-3.safetensors").read_bytes())
    for place in places:
        whole[place % len(whole)] = value
    path = tmp_path_factory.mktemp("damaged") / "m"
    path.write_bytes(whole[: len(whole) * twentieths // 20])
    with contextlib.suppress(MalformedFile):  # and nothing else
        read_module(path)


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (torch.zeros(2, dtype=torch.float64), "must be float32 or float16"),
        (torch.zeros(2, dtype=torch.int8), "must be float32 or float16"),
        (torch.zeros(0), "has the shape"),
        (torch.zeros((1,) * 9), "has the shape"),
        (torch.tensor([1.0, float("nan")]), "NaN or infinity"),
        (torch.tensor([float("inf")]).half(), "NaN or infinity"),
    ],
    ids=["float64", "int8", "empty", "nine axes", "NaN", "infinity"],
)
def test_a_tensor_that_cannot_be_rewritten_is_refused(tensor: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RewrittenTensors({"w": tensor})


def test_parts_that_do_not_belong_together_are_refused(rewriting_artifact: ModuleArtifact) -> None:
    with pytest.raises(ValueError, match=r"1\.bias is masked as \(2,\) and rewritten as \(3,\)"):
        replace(rewriting_artifact, masks=WeightMasks({"1.bias": torch.ones(2) > 0}))
    with pytest.raises(ValueError, match="cut twice"):
        replace(rewriting_artifact, cuts=rewriting_artifact.cuts[:1] * 2)
    with pytest.raises(ValueError, match="on no side"):
        replace(rewriting_artifact, cuts=(LayerCut("0", None, None),))
    with pytest.raises(ValueError, match="2 outputs, the head 3"):
        replace(rewriting_artifact, head=LogOddsHead(5, (0, 1), True, torch.ones(2), torch.zeros(2)))
    with pytest.raises(ValueError, match="1 labels, the head 2"):
        replace(rewriting_artifact, head=LogOddsHead(5, (0, 1), False, torch.ones(2), torch.zeros(2)))


class _Parts:
    """Tensors and metadata of a module file, to be broken one by one."""

    def __init__(self, path: Path) -> None:
        with safetensors.safe_open(path, framework="pt") as file:
            self.metadata: dict[str, str] = dict(file.metadata())
            self.tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  # no mapping

    def frame(self, name: str, data: bytes) -> None:
        self.tensors[name] = torch.from_numpy(np.frombuffer(data, np.uint8).copy())

    def edit(self, key: str, change: Callable[[Any], Any]) -> None:
        self.metadata[key] = json.dumps(change(json.loads(self.metadata[key])), separators=(",", ":"))


Damage = Callable[[_Parts], None]


def _set(key: str, value: str) -> Damage:
    return lambda parts: parts.metadata.__setitem__(key, value)


def _head(**changes: Any) -> Damage:
    return lambda parts: parts.edit("head", lambda head: {"log_odds": {**head["log_odds"], **changes}})


def _value(name: str, value: torch.Tensor) -> Damage:
    return lambda parts: parts.tensors.__setitem__(name, value)


def _rewritten(change: Callable[[list[Any]], Any]) -> Damage:
    return lambda parts: parts.edit("rewritten", change)


def _cuts(change: Callable[[list[Any]], Any]) -> Damage:
    return lambda parts: parts.edit("cuts", change)


def _drop(name: str) -> Damage:
    return lambda parts: parts.tensors.__delitem__(name)


def _nan(parts: _Parts) -> None:
    parts.tensors["rewritten.F32"][3] = float("nan")


def _no_channel_stays(parts: _Parts) -> None:
    parts.frame("cuts", zstandard.compress(bytes(21)))


def _bits_behind(parts: _Parts) -> None:
    parts.edit("cuts", lambda entries: [[entries[0][0], None, 3], *entries[1:]])  # 167 channels in 21 bytes
    parts.frame("cuts", zstandard.compress(b"\xff" * 21))


def _bomb(parts: _Parts) -> None:
    parts.frame("cuts", zstandard.compress(bytes(2**26)))


def _many_channels(parts: _Parts) -> None:
    parts.edit("cuts", lambda _: [["a", 2**20, None], ["b", None, 8]])
    parts.frame("cuts", zstandard.compress(b"\xff" * (2**17 + 1)))


DAMAGES: dict[str, tuple[Damage, str]] = {
    "no head": (lambda parts: parts.metadata.pop("head") and None, "metadata lacks head"),
    "head is no JSON": (_set("head", "{"), "no module file"),
    "head of another kind": (_set("head", '{"cubic":{}}'), "neither linear nor log-odds"),
    "head nested without end": (_set("head", "[" * 200_000), "no module file"),
    "head without columns": (_set("head", '{"log_odds":{"labels":5,"rest":true}}'), "lacks labels, columns or rest"),
    "head with more keys": (_head(extra=1), "canonical"),
    "head that is not there": (_set("head", '{"linear":{"layers":1}}'), "its tensors are"),
    "head of a million layers": (_set("head", '{"linear":{"layers":1000000}}'), "neither linear nor log-odds"),
    "head of no layers": (_set("head", '{"linear":{"layers":0}}'), "neither linear nor log-odds"),
    "column that no label has": (_head(columns=[5]), "not different ones of 5"),
    "column below 0": (_head(columns=[-1]), "not different ones of 5"),
    "column twice": (_head(columns=[3, 3]), "not different ones of 5"),
    "column as boolean": (_head(columns=[True]), "lacks labels, columns or rest"),
    "columns without a rest": (_head(labels=1, columns=[0]), "leave no rest"),
    "more labels than anybody has": (_head(labels=2**40, columns=[2]), "leave no rest"),
    "columns for other outputs": (_head(columns=[1, 2]), "for 2 labels"),
    "rest of a problem without": (_head(rest=False), "2 outputs, the head 1"),
    "scale of 0": (_value("head.scale", torch.zeros(1)), "not above 0"),
    "scale as NaN": (_value("head.scale", torch.tensor([float("nan")])), "not above 0"),
    "scale without end": (_value("head.scale", torch.tensor([float("inf")])), "NaN or infinity"),
    "scale as float16": (_value("head.scale", torch.ones(1).half()), "must be float32"),
    "bias of two": (_value("head.bias", torch.zeros(2)), "for 1 labels"),
    "no rewritten": (lambda parts: parts.metadata.pop("rewritten") and None, "metadata lacks rewritten"),
    "rewritten is an object": (_set("rewritten", "{}"), "rewritten tensors are no list"),
    "rewritten as int8": (_rewritten(lambda e: [[e[0][0], e[0][1], "I8"], *e[1:]]), "rewritten tensors are no list"),
    "rewritten twice": (_rewritten(lambda entries: [*entries, entries[-1]]), "order of their names"),
    "rewritten in another order": (_rewritten(lambda entries: entries[::-1]), "order of their names"),
    "rewritten of no entries": (_rewritten(lambda e: [[e[0][0], [0], "F16"], *e[1:]]), "rewritten tensors are no list"),
    "rewritten of more entries": (_rewritten(lambda e: [[e[0][0], [9], "F16"], *e[1:]]), "its description needs 9"),
    "rewritten of an exabyte": (_rewritten(lambda e: [[e[0][0], [2**31] * 2, "F16"], *e[1:]]), "its description needs"),
    "rewritten of another type": (_value("rewritten.F16", torch.zeros(3)), "torch.float32"),
    "rewritten in two axes": (_value("rewritten.F16", torch.zeros(3, 1).half()), "its description needs 3"),
    "rewritten that is not there": (_drop("rewritten.F16"), "its tensors are"),
    "rewritten with NaN": (_nan, "NaN or infinity"),
    "mask and rewritten that do not fit": (
        _rewritten(lambda e: [[n, [7, 5] if n == "5.weight" else s, t] for n, s, t in e]),
        "is masked as",
    ),
    "cuts are an object": (_set("cuts", "{}"), "cuts are no list"),
    "cuts of nothing": (_cuts(lambda entries: [[entries[0][0], None, None], *entries[1:]]), "cuts are no list"),
    "cuts with a negative width": (_cuts(lambda e: [[e[0][0], None, -4], *e[1:]]), "cuts are no list"),
    "cuts with a boolean width": (_cuts(lambda e: [[e[0][0], None, True], *e[1:]]), "cuts are no list"),
    "cuts of other widths": (_cuts(lambda e: [[e[0][0], None, 400], *e[1:]]), "its layout needs"),
    "cuts of more channels than there are": (_many_channels, "more than"),
    "cuts of one layer twice": (_cuts(lambda e: [[e[1][0], *e[0][1:]], *e[1:]]), "cut twice"),
    "cuts that are not there": (_drop("cuts"), "its tensors are"),
    "cuts as floats": (lambda parts: _value("cuts", parts.tensors["cuts"].float())(parts), "not U8"),
    "cuts that leave nothing": (_no_channel_stays, "need sorted, unique channels"),
    "bits behind the last channel": (_bits_behind, "behind the last"),
    "zstd bomb": (_bomb, "its layout needs"),
    "masks without a layout": (_set("layout", "[]"), "its tensors are"),
    "one tensor more": (_value("payload", torch.zeros(1)), "its tensors are"),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_or_hostile_file_is_refused(
    tmp_path: Path, rewriting_artifact: ModuleArtifact, damage: Damage, said: str
) -> None:
    path = tmp_path / "m"
    write_module(path, rewriting_artifact)
    parts = _Parts(path)
    damage(parts)
    write_tensors(path, parts.tensors, parts.metadata)
    with pytest.raises(MalformedFile, match=said) as caught:
        read_module(path)
    assert caught.value.hint
