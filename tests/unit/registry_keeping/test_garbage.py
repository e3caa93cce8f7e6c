"""What garbage collection removes and what it leaves alone, on both stores."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from modelfoundry.errors import InUse, InvalidField
from modelfoundry.registry.blobs.holds import Hold

NOW = timedelta(0)


def test_only_old_blobs_that_nothing_uses_are_removed(keeping: Any) -> None:
    used = keeping.add(b"used", used=True, hours_ago=48)
    orphan = keeping.add(b"orphan", hours_ago=48)
    young = keeping.add(b"young", hours_ago=23)

    collected = keeping.collector.collect()

    assert keeping.there(used, orphan, young) == [True, False, True]
    assert (collected.removed_blobs, collected.removed_bytes) == (1, 6)
    assert (collected.kept_blobs, collected.kept_bytes) == (2, 9)
    assert len(keeping.backend.keys()) == 2


def test_a_dry_run_counts_the_same_and_removes_nothing(keeping: Any) -> None:
    orphan = keeping.add(b"orphan", hours_ago=48)
    stray = keeping.add(b"stray")
    keeping.forget_row(stray)
    keeping.add(b"used", used=True)

    counted = keeping.collector.collect(dry_run=True, min_age=NOW)
    assert keeping.there(orphan) == [True]
    assert len(keeping.backend.keys()) == 3
    assert keeping.collector.collect(min_age=NOW) == counted
    assert (counted.removed_blobs, counted.removed_strays, counted.kept_blobs) == (1, 1, 1)


@pytest.mark.parametrize("ask", ["touch", "missing", "add_file"])
def test_a_blob_that_somebody_was_told_of_is_left_alone(keeping: Any, ask: str) -> None:
    orphan = keeping.add(b"orphan", hours_ago=48)
    match ask:
        case "touch":
            assert keeping.blobs.touch(orphan) is not None
        case "missing":
            assert keeping.blobs.missing([orphan]) == []
        case _:
            path = keeping.folder / "again"
            path.write_bytes(b"orphan")
            keeping.blobs.add_file(path, keeping.blobs.get(orphan))

    keeping.collector.collect()
    assert keeping.there(orphan) == [True]


def test_a_blob_that_is_touched_after_it_was_marked_is_not_swept(keeping: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    orphan = keeping.add(b"orphan", hours_ago=48)
    unused = keeping.blobs.unused

    def marked_then_touched(*arguments: Any) -> Any:
        found = list(unused(*arguments))
        keeping.blobs.touch(orphan)
        return found

    monkeypatch.setattr(keeping.blobs, "unused", marked_then_touched)
    assert keeping.collector.collect().removed_blobs == 0
    assert keeping.there(orphan) == [True]


def test_files_of_a_finished_job_stay(keeping: Any) -> None:
    exported = keeping.add(b"exported", hours_ago=48)
    keeping.finish_job(b"\x0a\x47" + exported.encode() + b"\x10\x08")

    keeping.collector.collect()
    assert keeping.there(exported) == [True]


def test_bytes_without_a_row_go_when_they_are_old(keeping: Any) -> None:
    keeping.forget_row(keeping.add(b"stray"))
    assert keeping.collector.collect(min_age=timedelta(hours=1)).removed_strays == 0
    assert keeping.collector.collect(min_age=NOW).removed_strays == 1
    assert keeping.backend.keys() == []


def test_nothing_is_removed_while_a_backup_holds_all_blobs(keeping: Any) -> None:
    orphan = keeping.add(b"orphan", hours_ago=48)
    hold = Hold(keeping.database, "backup")
    hold.take()
    with pytest.raises(InUse) as caught:
        keeping.collector.collect()
    assert "backup" in caught.value.message
    assert not keeping.blobs.discard(orphan)
    hold.release()
    assert keeping.collector.collect().removed_blobs == 1


def test_a_negative_age_is_refused(keeping: Any) -> None:
    with pytest.raises(InvalidField):
        keeping.collector.collect(min_age=timedelta(seconds=-1))
