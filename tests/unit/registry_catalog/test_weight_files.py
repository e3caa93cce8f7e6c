"""Weights: sound files are taken, and every way of being wrong has its own answer."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelfoundry import errors

SPEC = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
EIGHT = bytes(8)


def _header_as_bytes(text: str) -> bytes:
    return text.encode()


BROKEN: dict[str, tuple[Any, bytes, str]] = {
    "header is no JSON": (b"{nonsense", EIGHT, "header is not JSON"),
    "header is not UTF-8": (b'{"\xff\xfe": 1}', EIGHT, "header is not JSON"),
    "header is nested too deep": (b'{"a":' + b"[" * 100_000, EIGHT, "header is not JSON"),
    "no tensors": ({}, b"", "no tensors"),
    "metadata with numbers": ({"__metadata__": {"a": 1}, "w": SPEC}, EIGHT, "__metadata__"),
    "metadata is a list": ({"__metadata__": [], "w": SPEC}, EIGHT, "__metadata__"),
    "tensor twice": (
        _header_as_bytes(
            '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
        ),
        EIGHT,
        "'w' twice",
    ),
    "entry is a number": ({"w": 1}, EIGHT, "no type, shape and offsets of tensor 'w'"),
    "no offsets": ({"w": {"dtype": "F32", "shape": [2]}}, EIGHT, "no type, shape and offsets"),
    "offsets are text": ({"w": {**SPEC, "data_offsets": ["0", "8"]}}, EIGHT, "no type, shape and offsets"),
    "unknown type": ({"w": {**SPEC, "dtype": "F31"}}, EIGHT, "unknown type 'F31'"),
    "negative extent": ({"w": {**SPEC, "shape": [-2]}}, EIGHT, "impossible shape"),
    "extent is a float": ({"w": {**SPEC, "shape": [2.0]}}, EIGHT, "impossible shape"),
    "extent is a boolean": ({"w": {**SPEC, "shape": [True, 2]}}, EIGHT, "impossible shape"),
    "extent above 64 bits": ({"w": {**SPEC, "shape": [2**64]}}, EIGHT, "impossible shape"),
    "too many dimensions": ({"w": {**SPEC, "shape": [1] * 10_000}}, EIGHT, "impossible shape"),
    "shape product overflows": ({"w": {**SPEC, "shape": [2**40, 2**40]}}, EIGHT, "overflows"),
    "overflow hidden behind 0": ({"w": {**SPEC, "shape": [2**62, 2**62, 0], "data_offsets": [0, 0]}}, b"", "overflows"),
    "shape and offsets differ": ({"w": {**SPEC, "shape": [3]}}, EIGHT, "needs 12 bytes, its offsets are"),
    "offsets backwards": ({"w": {**SPEC, "data_offsets": [8, 0]}}, EIGHT, "its offsets are"),
    "negative offset": ({"w": {**SPEC, "data_offsets": [-8, 0]}}, EIGHT, "its offsets are"),
    "does not begin at 0": ({"w": {**SPEC, "data_offsets": [4, 12]}}, bytes(12), "does not begin behind the header"),
    "overlap": ({"v": SPEC, "w": {**SPEC, "data_offsets": [4, 12]}}, bytes(12), "overlap or leave a gap"),
    "same bytes twice": ({"v": SPEC, "w": SPEC}, EIGHT, "overlap or leave a gap"),
    "gap": ({"v": SPEC, "w": {**SPEC, "data_offsets": [12, 20]}}, bytes(20), "overlap or leave a gap"),
    "truncated": ({"w": SPEC}, bytes(7), "truncated"),
    "too long": ({"w": SPEC}, bytes(9), "1 bytes follow its last tensor"),
    "offsets far out": ({"w": {**SPEC, "data_offsets": [2**60, 2**60 + 8]}}, EIGHT, "does not begin behind"),
    "very many tensors": (
        {f"tensor-{index:06}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for index in range(100_000)},
        b"",
        "take more than",
    ),
}


@pytest.mark.parametrize(("header", "data", "what"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_refused_and_leaves_nothing(
    registry: Any, make_raw_safetensors: Any, header: Any, data: bytes, what: str
) -> None:
    with pytest.raises(errors.MalformedFile, match=what) as caught:
        registry.create_model(weights=make_raw_safetensors(header, data))

    assert caught.value.field == "model.weights.digest"
    assert caught.value.hint
    assert len(caught.value.message) < 500
    assert registry.models() == []


def _pickled() -> bytes:
    return pickle.dumps(OrderedDict(weight=[1.0]), protocol=2)


def _zipped_pickle() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", _pickled())
    return file.getvalue()


@pytest.mark.parametrize("content", [_pickled(), _zipped_pickle(), b"\x80\x05."], ids=["pickle", "zip", "short"])
def test_a_pickle_is_refused_with_the_command_that_converts_it(registry: Any, content: bytes) -> None:
    with pytest.raises(errors.MalformedFile, match="it is a pickle") as caught:
        registry.create_model(weights=content)

    assert "modelfoundry model push FILE.pth" in caught.value.hint
    assert registry.models() == []


@pytest.mark.parametrize("length", [0x0280, 0x0580, 0x4B50])
def test_a_sound_file_that_begins_like_a_pickle_is_taken(registry: Any, make_raw_safetensors: Any, length: int) -> None:
    entry = '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    content = make_raw_safetensors(entry.ljust(length).encode(), EIGHT)

    registry.create_model("net", content)

    assert content[0] in {0x80, 0x50}
    assert registry.models() == ["net"]


@pytest.mark.parametrize("content", [b"\x08", bytes(7), bytes(8), bytes(9), b"hello, world, this is text"])
def test_bytes_that_are_no_file_of_the_kind_are_refused(registry: Any, content: bytes) -> None:
    with pytest.raises(errors.MalformedFile, match="does not begin like one"):
        registry.create_model(weights=content)


@pytest.mark.parametrize(
    ("length", "what"), [(100_000_001, "its header would be"), (2**63, "its header would be"), (1000, "truncated")]
)
def test_a_header_that_is_longer_than_the_file_or_the_limit_is_not_read(registry: Any, length: int, what: str) -> None:
    with pytest.raises(errors.MalformedFile, match=what):
        registry.create_model(weights=struct.pack("<Q", length) + b"{}" + bytes(50))


def test_every_truncation_of_a_file_is_refused(registry: Any) -> None:
    whole = registry.weights()

    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        if length:
            with pytest.raises(errors.MalformedFile):
                registry.create_model(weights=whole[:length])

    assert registry.models() == []


VALUES: dict[str, tuple[str, bytes, bytes]] = {
    # type: finite values, one bad value
    "F64 NaN": ("F64", struct.pack("<2d", 1.0, 3.4e38), struct.pack("<d", float("nan"))),
    "F64 infinity": ("F64", struct.pack("<2d", -3.4e38, 5e-324), struct.pack("<d", float("-inf"))),
    "F32 NaN": ("F32", struct.pack("<2f", 1.0, 3e38), struct.pack("<f", float("nan"))),
    "F32 infinity": ("F32", struct.pack("<2f", -3e38, 1e-45), struct.pack("<f", float("inf"))),
    "F16 NaN": ("F16", struct.pack("<2e", 1.0, 65504.0), struct.pack("<e", float("nan"))),
    "F16 infinity": ("F16", struct.pack("<2e", -65504.0, 6e-8), struct.pack("<e", float("-inf"))),
    "BF16 NaN": ("BF16", struct.pack("<2H", 0x3F80, 0x7F7F), struct.pack("<H", 0x7FC0)),
    "BF16 infinity": ("BF16", struct.pack("<2H", 0xFF7F, 0x0001), struct.pack("<H", 0xFF80)),
    "F8_E5M2 infinity": ("F8_E5M2", bytes([0x7B, 0x00]), bytes([0x7C])),
    "F8_E4M3 NaN": ("F8_E4M3", bytes([0x7E, 0x80]), bytes([0xFF])),
}


@pytest.mark.parametrize(("dtype", "finite", "bad"), VALUES.values(), ids=VALUES.keys())
def test_nan_and_infinity_are_found_and_their_tensors_named(
    registry: Any, make_raw_safetensors: Any, dtype: str, finite: bytes, bad: bytes
) -> None:
    size = len(finite)
    sound = {"dtype": dtype, "shape": [2], "data_offsets": [0, size]}
    spoilt = {"dtype": dtype, "shape": [3], "data_offsets": [size, 2 * size + len(bad)]}

    with pytest.raises(errors.NonFiniteWeights) as caught:
        registry.create_model(weights=make_raw_safetensors({"sound": sound, "spoilt": spoilt}, finite + finite + bad))
    registry.create_model("net", make_raw_safetensors({"sound": sound}, finite))

    assert caught.value.message == "model.weights: NaN or infinity in spoilt"
    assert caught.value.metadata == {"tensors": "spoilt"}
    assert registry.models() == ["net"]


LARGEST_FLOAT32 = 2.0**128 - 2.0**104


@pytest.mark.parametrize("value", [1e300, -1e300, 1e39, LARGEST_FLOAT32 + 2.0**103])
def test_what_becomes_infinity_in_float32_is_refused(registry: Any, make_safetensors: Any, value: float) -> None:
    with pytest.raises(errors.NonFiniteWeights, match="values beyond float32 in far"):
        registry.create_model(weights=make_safetensors({"far": np.array([value]), "near": np.ones(3)}))


def test_what_float32_rounds_to_its_largest_is_taken(registry: Any, make_safetensors: Any) -> None:
    below = np.nextafter(LARGEST_FLOAT32 + 2.0**103, 0.0)
    assert np.isfinite(np.float32(below))
    registry.create_model("net", make_safetensors({"w": np.array([below, -LARGEST_FLOAT32])}))
    assert registry.models() == ["net"]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_a_variance_below_zero_is_refused(registry: Any, make_safetensors: Any, dtype: Any) -> None:
    negative = {"bn.running_var": np.array([1, -1, 0], dtype=dtype)}
    sound = {"bn.running_var": np.array([1, -0.0, 0], dtype=dtype), "bn.running_mean": np.array([-1], dtype=dtype)}

    with pytest.raises(errors.NonFiniteWeights, match=r"a variance below zero in bn\.running_var"):
        registry.create_model(weights=make_safetensors(negative))
    registry.create_model("net", make_safetensors(sound))

    assert registry.models() == ["net"]


def test_integers_of_any_bits_are_finite(registry: Any, make_raw_safetensors: Any) -> None:
    header = {"n": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}}

    registry.create_model("net", make_raw_safetensors(header, b"\xff" * 8))

    assert registry.models() == ["net"]


def test_a_bad_value_is_found_wherever_it_lies_in_a_file_of_many_pieces(registry: Any, make_safetensors: Any) -> None:
    odd = np.zeros(3, dtype=np.uint8)  # what follows is not aligned to its element size
    big = np.zeros(700_001, dtype=np.float32)
    for position in (0, 262_143, 262_144, 523_000, 700_000):
        spoilt = big.copy()
        spoilt[position] = np.nan
        with pytest.raises(errors.NonFiniteWeights, match="NaN or infinity in big"):
            registry.create_model(weights=make_safetensors({"odd": odd, "big": spoilt, "last": big[:5]}))


def test_many_bad_tensors_are_counted_not_all_named(registry: Any, make_safetensors: Any) -> None:
    tensors = {f"w{index:02}": np.array([np.inf], dtype=np.float32) for index in range(30)}

    with pytest.raises(errors.NonFiniteWeights, match=r"w00, w01.*w09 and 20 more"):
        registry.create_model(weights=make_safetensors(tensors))


def test_a_large_file_is_looked_through_in_little_memory(registry: Any, make_safetensors: Any) -> None:
    content = make_safetensors({"w": np.zeros(8 * 1024 * 1024, dtype=np.float32)})
    ref = registry.ref(content)
    del content

    tracemalloc.start()
    registry.create_model("net", weights_ref=ref)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 12 * 1024 * 1024  # the file has 32 MiB


def test_stored_bytes_that_rotted_are_not_registered(registry: Any, tmp_path: Any) -> None:
    ref = registry.ref(registry.weights())
    (path,) = (tmp_path / "blobs" / "sha256").rglob(ref.digest.removeprefix("sha256:"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(content))

    with pytest.raises(errors.CorruptBlob):
        registry.create_model(weights_ref=ref)

    assert registry.models() == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrays=st.dictionaries(
        st.text(min_size=1, max_size=20).filter(lambda name: name != "__metadata__"),
        st.tuples(
            st.sampled_from(["float32", "float64", "float16", "int64", "uint8", "int16", "bool"]),
            st.lists(st.integers(0, 4), max_size=4),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_the_safetensors_library_writes_is_taken(registry: Any, arrays: Any) -> None:
    tensors = {name: np.zeros(shape, dtype=dtype) for name, (dtype, shape) in arrays.items()}

    made = registry.create_model(weights=safetensors.numpy.save(tensors))

    assert {spec.name: list(spec.shape) for spec in made.tensors} == {
        name: list(array.shape) for name, array in tensors.items()
    }


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 300), value=st.integers(0, 255))
def test_a_changed_byte_is_either_harmless_or_refused_in_our_words(registry: Any, position: int, value: int) -> None:
    content = bytearray(registry.weights())
    content[position] = value

    with contextlib.suppress(errors.MalformedFile, errors.NonFiniteWeights):
        made = registry.create_model(weights=bytes(content))
        assert made.weights.size_bytes == len(content)
