"""What a check of all blobs finds, on both stores."""

from __future__ import annotations

from typing import Any

import pytest

from modelfoundry.errors import Cancelled
from modelfoundry.registry.blobs.store import store_key
from modelfoundry.registry.maintenance.check import check_blobs
from modelfoundry.values.maintenance import BlobFinding, CheckProgress, FindingKind


def check(keeping: Any) -> list[BlobFinding | CheckProgress]:
    return list(check_blobs(keeping.database, keeping.blobs, lambda: False))


def test_a_sound_store_has_no_findings(keeping: Any) -> None:
    keeping.add(b"one")
    keeping.add(b"three", used=True)
    assert check(keeping) == [CheckProgress(checked_blobs=2, checked_bytes=8, findings=0, complete=True)]


def test_each_fault_is_found_and_nothing_is_changed(keeping: Any) -> None:
    flipped, cut, gone, stray = (keeping.add(text) for text in (b"flipped", b"cut off", b"gone", b"stray"))
    keeping.add(b"sound")
    keeping.backend.overwrite(flipped, b"flIpped")
    keeping.backend.overwrite(cut, b"cut")
    keeping.backend.vanish(gone)
    keeping.forget_row(stray)
    before = keeping.backend.keys()

    *findings, progress = check(keeping)

    assert {(finding.kind, finding.digest, finding.key, finding.size_bytes) for finding in findings} == {
        (FindingKind.CORRUPT, flipped, store_key(flipped), 7),
        (FindingKind.CORRUPT, cut, store_key(cut), 7),
        (FindingKind.MISSING, gone, store_key(gone), 4),
        (FindingKind.STRAY, stray, store_key(stray), 5),
    }
    assert progress == CheckProgress(checked_blobs=4, checked_bytes=23, findings=4, complete=True)
    assert keeping.backend.keys() == before


def test_a_check_that_nobody_waits_for_ends(keeping: Any) -> None:
    keeping.add(b"one")
    with pytest.raises(Cancelled):
        list(check_blobs(keeping.database, keeping.blobs, lambda: True))
