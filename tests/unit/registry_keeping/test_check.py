"""What a check of all blobs finds, on both stores."""

from __future__ import annotations

from typing import Any

import pytest

from modelfoundry.errors import Cancelled
from modelfoundry.registry.blobs.store import store_key
from modelfoundry.registry.maintenance.check import Fault, Finding, Progress, check_blobs


def check(keeping: Any) -> list[Finding | Progress]:
    return list(check_blobs(keeping.database, keeping.blobs, lambda: False))


def test_a_sound_store_has_no_findings(keeping: Any) -> None:
    keeping.add(b"one")
    keeping.add(b"three", used=True)
    assert check(keeping) == [Progress(2, 8, 0, complete=True)]


def test_each_fault_is_found_and_nothing_is_changed(keeping: Any) -> None:
    flipped, cut, gone, stray = (keeping.add(text) for text in (b"flipped", b"cut off", b"gone", b"stray"))
    keeping.add(b"sound")
    keeping.backend.overwrite(flipped, b"flIpped")
    keeping.backend.overwrite(cut, b"cut")
    keeping.backend.vanish(gone)
    keeping.forget_row(stray)
    before = keeping.backend.keys()

    *findings, progress = check(keeping)

    assert {(finding.fault, finding.digest, finding.key, finding.size) for finding in findings} == {
        (Fault.CORRUPT, flipped, store_key(flipped), 7),
        (Fault.CORRUPT, cut, store_key(cut), 7),
        (Fault.MISSING, gone, store_key(gone), 4),
        (Fault.STRAY, stray, store_key(stray), 5),
    }
    assert progress == Progress(4, 23, 4, complete=True)
    assert keeping.backend.keys() == before


def test_a_check_that_nobody_waits_for_ends(keeping: Any) -> None:
    keeping.add(b"one")
    with pytest.raises(Cancelled):
        list(check_blobs(keeping.database, keeping.blobs, lambda: True))
