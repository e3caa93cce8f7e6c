"""Batch sizes at which forward passes may be timed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from modelfoundry.errors import InvalidField

MOST_BATCH_SIZES: Final = 8
LARGEST_BATCH: Final = 1024


def check_batch_sizes(sizes: Sequence[int]) -> None:
    """Checks batch sizes at which forward passes are to be timed.

    Raises:
        InvalidField: there are more than 8, or one is not from 1 to 1024.
    """
    if len(sizes) > MOST_BATCH_SIZES:
        raise InvalidField(
            f"latency_batch_sizes: {len(sizes)} are given",
            field="latency_batch_sizes",
            hint=f"give at most {MOST_BATCH_SIZES}",
        )
    for place, size in enumerate(sizes):
        if not 1 <= size <= LARGEST_BATCH:
            field = f"latency_batch_sizes[{place}]"
            raise InvalidField(f"{field}: {size} is out of range", field=field, hint=f"give 1 to {LARGEST_BATCH}")
