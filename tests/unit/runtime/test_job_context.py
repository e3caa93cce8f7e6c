from __future__ import annotations

import threading

import pytest

from modelfoundry.errors import Cancelled, LeaseLost
from modelfoundry.runtime.jobs import JobContext, Ticket
from modelfoundry.runtime.jobs.context import LOG_LINES_KEPT
from modelfoundry.values.resources import BlobRef
from modelfoundry.values.results import Severity


@pytest.fixture
def saved() -> list[BlobRef]:
    return []


@pytest.fixture
def context(saved) -> JobContext:
    return JobContext(
        name="projects/default/operations/o",
        attempt=1,
        checkpoint=None,
        registry="127.0.0.1:1",
        save=saved.append,
        stopped=threading.Event(),
    )


def test_a_job_goes_on_until_it_is_cancelled(context) -> None:
    context.check_cancelled()
    context.cancel_requested.set()
    with pytest.raises(Cancelled):
        context.check_cancelled()


def test_a_job_that_is_lost_is_not_told_to_be_cancelled(context) -> None:
    context.cancel_requested.set()
    context.stopped.set()
    with pytest.raises(LeaseLost):
        context.check_cancelled()


def test_the_blob_to_be_taken_up_again_from_is_told(context, saved) -> None:
    context.save_checkpoint(BlobRef("sha256:0", 3, "m"))
    assert saved == [BlobRef("sha256:0", 3, "m")]


def test_lines_that_could_not_be_reported_come_first_again(context) -> None:
    for number in range(3):
        context.log(f"line {number}", severity="error")
    taken = context.take_lines(2)
    context.put_lines_back(taken)
    assert [line.text for line in context.take_lines(10)] == ["line 0", "line 1", "line 2"]
    assert taken[0].severity is Severity.ERROR
    assert not context.has_lines


def test_a_job_that_talks_without_end_keeps_its_newest_lines(context) -> None:
    for number in range(LOG_LINES_KEPT + 5):
        context.log(str(number))
    assert [line.text for line in context.take_lines(1)] == ["5"]


def test_a_long_line_is_cut_between_characters(context) -> None:
    context.log("x" + "ü" * 5000)
    assert context.take_lines(1)[0].text == "x" + "ü" * 2047


def test_a_ticket_travels_as_one_line_of_text() -> None:
    ticket = Ticket(
        name="projects/default/operations/o",
        handler="a.b:c",
        request=bytes(range(256)),
        attempt=2,
        checkpoint=b"",
        lease_token="secret",
        registry="127.0.0.1:1",
    )
    line = ticket.to_json()
    assert b"\n" not in line
    assert Ticket.from_json(line) == ticket
