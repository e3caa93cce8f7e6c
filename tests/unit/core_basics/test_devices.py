"""Devices and random numbers."""

from __future__ import annotations

import pytest
import torch

from modelfoundry.core.devices import environment, seeded, select_device, stream_seed
from modelfoundry.errors import DeviceUnavailable, InvalidField

CPU = torch.device("cpu")


def test_the_cpu_is_always_there() -> None:
    assert select_device("cpu") == CPU


def test_auto_takes_cuda_when_there_is_one() -> None:
    assert select_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_a_card_is_refused_with_a_remedy() -> None:
    with pytest.raises(DeviceUnavailable) as caught:
        select_device("cuda")
    assert "auto" in caught.value.hint


def test_other_words_are_no_devices() -> None:
    with pytest.raises(InvalidField):
        select_device("tpu")


def test_the_environment_names_what_touches_numbers() -> None:
    found = environment(CPU)
    assert found.device == "cpu"
    assert found.threads == torch.get_num_threads()
    assert {"torch", "numpy"} <= set(found.libraries)


def test_a_seeded_block_repeats_its_numbers_and_leaves_those_outside_alone() -> None:
    before = torch.get_rng_state()
    drawn = []
    for _ in range(2):
        with seeded(1, CPU):
            assert torch.are_deterministic_algorithms_enabled()
            drawn.append(torch.rand(3))
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()


def test_streams_of_one_seed_differ_and_are_the_same_everywhere() -> None:
    assert stream_seed(0, "order") != stream_seed(0, "dropout") != stream_seed(1, "dropout")
    assert stream_seed(-5, "order") == stream_seed(-5, "order")
    assert 0 <= stream_seed(2**63, "order") < 2**63
    assert stream_seed(0, "order") == 3958417628845602065
