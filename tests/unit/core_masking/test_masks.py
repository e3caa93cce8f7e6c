"""Masks and heads as values."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modelfoundry.core.masking import WeightMasks
from modelfoundry.errors import MalformedFile

shapes = st.lists(st.lists(st.integers(1, 5), max_size=4), max_size=4)


@given(shapes=shapes, seed=st.integers(0, 1000))
def test_packed_masks_come_back_bit_by_bit(shapes: list[list[int]], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    masks = WeightMasks(
        {f"layer{place}": torch.rand(shape, generator=generator) < 0.5 for place, shape in enumerate(shapes)}
    )
    packed = masks.packed()
    assert len(packed) == math.ceil(masks.total / 8)
    assert WeightMasks.from_packed(packed, masks.layout) == masks


def test_bits_are_packed_in_order_from_the_highest() -> None:
    masks = WeightMasks({"b": torch.tensor([[True, False], [False, True]]), "a": torch.tensor([True] * 5)})
    assert masks.packed() == bytes([0b1001_1111, 0b1000_0000])


def test_retention_counts_kept_entries_over_all() -> None:
    masks = WeightMasks({"weight": torch.tensor([[True, False, False]]), "bias": torch.tensor([True])})
    assert (masks.kept, masks.total, masks.retention) == (2, 4, 0.5)


def test_masks_differ_by_one_bit_by_name_and_by_shape() -> None:
    masks = WeightMasks({"a": torch.tensor([True, False])})
    assert masks == WeightMasks({"a": torch.tensor([True, False])})
    assert masks != WeightMasks({"a": torch.tensor([True, True])})
    assert masks != WeightMasks({"b": torch.tensor([True, False])})
    assert masks != WeightMasks({"a": torch.tensor([[True, False]])})


def test_memory_format_does_not_change_what_is_packed() -> None:
    bits = torch.rand(4, 3, 2, 2, generator=torch.Generator().manual_seed(0)) < 0.5
    shuffled = bits.contiguous(memory_format=torch.channels_last)
    assert WeightMasks({"a": shuffled}).packed() == WeightMasks({"a": bits}).packed()


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\xff\xff", b"\xff\xff"], ids=["empty", "short", "long", "bits-behind-the-end"]
)
def test_bytes_that_do_not_fit_the_layout_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedFile):
        WeightMasks.from_packed(data, [("a", (3, 3))])


def test_numbers_are_no_masks() -> None:
    with pytest.raises(ValueError, match="must be bool"):
        WeightMasks({"a": torch.ones(3)})
