"""One thread for all tensor operations: networks are tiny, and results are compared bit by bit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from distilling import DroppingOut, trained
from torch import nn


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The number of threads is part of what must be equal for equal bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return trained(DroppingOut())


@pytest.fixture(params=[True, False], ids=["with instructions", "without"])
def able(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": request.param})
    return request.param
