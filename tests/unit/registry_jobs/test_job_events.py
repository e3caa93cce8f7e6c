"""What is told about a job, in which order, and for how long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.errors import InvalidField, NotFound
from modelfoundry.registry.jobs import archive
from modelfoundry.registry.jobs.operation import EventType


@pytest.fixture
def running(queue: Any) -> Any:
    queue.enqueue()
    return queue.take()


def told_progress(queue: Any, name: Any) -> list[int]:
    payloads = [event.payload for event in queue.events(name) if event.type == EventType.PROGRESS]
    return [operation_pb2.Progress.FromString(payload).done_units for payload in payloads]


def test_progress_becomes_an_event_about_once_a_second(queue: Any, running: Any) -> None:
    for done in range(1, 41):
        queue.leases.report(running.name, running.token, queue.progress(done), [])
        queue.clock.move(0.1)
    assert told_progress(queue, running.name) == [1, 11, 21, 31]
    newest = queue.archive.get(running.name)
    assert operation_pb2.Progress.FromString(newest.progress).done_units == 40


def test_every_new_phase_is_told_and_the_last_progress_of_the_one_before(queue: Any, running: Any) -> None:
    for done, phase in ((1, "data"), (2, "data"), (3, "search"), (4, "head"), (5, "head")):
        queue.leases.report(running.name, running.token, queue.progress(done, phase), [])
    assert told_progress(queue, running.name) == [1, 2, 3, 4]


def test_progress_that_was_held_back_is_told_with_the_next_sign_of_life_and_before_the_end(
    queue: Any, running: Any
) -> None:
    for done in (1, 2):
        queue.leases.report(running.name, running.token, queue.progress(done), [])
    queue.clock.move(1)
    queue.leases.report(running.name, running.token, None, [])
    assert told_progress(queue, running.name) == [1, 2]
    queue.leases.report(running.name, running.token, queue.progress(3), [])
    queue.leases.complete(running.name, running.token, queue.packed("the module"))
    assert told_progress(queue, running.name) == [1, 2, 3]
    assert queue.events(running.name)[-1].ends


def test_a_clock_that_is_set_back_does_not_silence_a_job(queue: Any, running: Any) -> None:
    queue.leases.report(running.name, running.token, queue.progress(1), [])
    queue.clock.move(-3600)
    queue.leases.report(running.name, running.token, queue.progress(2), [])
    assert told_progress(queue, running.name) == [1, 2]


def test_log_lines_are_told_in_their_order(queue: Any, running: Any) -> None:
    queue.leases.report(running.name, running.token, None, [queue.log_line(text) for text in ("one", "two")])
    texts = [operation_pb2.LogLine.FromString(event.payload).text for event in queue.events(running.name)[2:]]
    assert texts == ["one", "two"]


def test_events_of_simultaneous_reporters_are_numbered_without_gaps(queue: Any, running: Any) -> None:
    def report(number: int) -> None:
        queue.leases.report(
            running.name, running.token, None, [queue.log_line(f"{number}:{line}") for line in range(5)]
        )

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(report, range(40)))
    events = queue.events(running.name)
    assert [event.sequence for event in events] == list(range(1, 2 + 200 + 1))
    assert queue.archive.get(running.name).last_sequence == events[-1].sequence
    lines = [operation_pb2.LogLine.FromString(event.payload).text for event in events[2:]]
    assert sorted(lines) == sorted(f"{number}:{line}" for number in range(40) for line in range(5))
    for number in range(40):
        assert [line for line in lines if line.startswith(f"{number}:")] == [f"{number}:{line}" for line in range(5)]


def test_pages_of_events_say_whether_there_are_more_and_whether_the_job_is_done(queue: Any, running: Any) -> None:
    queue.leases.complete(running.name, running.token, queue.packed("the module"))
    first = queue.archive.events(running.name, 0, 2)
    assert ([event.sequence for event in first.events], first.more, first.done) == ([1, 2], True, False)
    second = queue.archive.events(running.name, 2, 2)
    assert ([event.sequence for event in second.events], second.more, second.done) == ([3], False, True)
    third = queue.archive.events(running.name, 3, 2)
    assert (third.events, third.more, third.done) == ((), False, True)


def test_a_page_of_events_stays_below_the_message_limit(queue: Any, running: Any) -> None:
    line = queue.log_line("x" * 4096)
    for _ in range(8):
        queue.leases.report(running.name, running.token, None, [line] * 100)
    page = queue.archive.events(running.name, 0, 1000)
    assert page.more
    assert sum(len(event.payload) for event in page.events) <= archive.PAGE_BYTES


@pytest.mark.parametrize("after", [-1, 3])
def test_a_number_that_no_event_has_is_refused(queue: Any, running: Any, after: int) -> None:
    with pytest.raises(InvalidField) as error:
        queue.archive.events(running.name, after, 10)
    assert error.value.field == "after_sequence"


def test_a_talkative_job_keeps_its_last_ten_thousand_events(queue: Any, running: Any) -> None:
    for _ in range(101):
        queue.leases.report(running.name, running.token, None, [queue.log_line("so much to say")] * 100)
    queue.archive.forget_old()
    kept = [event.sequence for event in queue.archive.events(running.name, 0, 100_000).events]
    assert kept == list(range(103, 10_103))


def test_jobs_are_forgotten_thirty_days_after_their_end(queue: Any) -> None:
    old, unfinished = queue.enqueue(cache_key="k"), queue.enqueue(kind="train")
    lease = queue.take()
    queue.leases.complete(old.name, lease.token, queue.packed("the module"))
    queue.clock.now += timedelta(days=30)
    queue.archive.forget_old()
    assert queue.archive.get(old.name)
    queue.clock.move(1)
    queue.archive.forget_old()
    with pytest.raises(NotFound):
        queue.archive.get(old.name)
    assert queue.archive.get(unfinished.name).state == "queued"
    assert queue.enqueue(cache_key="k").name != old.name


class TestLists:
    def test_jobs_are_listed_newest_first_in_pages(self, queue: Any) -> None:
        names = [queue.enqueue().name for _ in range(5)]
        queue.enqueue(project="another")
        listed, token = [], ""
        while True:
            page = queue.archive.list("default", 2, token, "")
            listed += [operation.name for operation in page.operations]
            token = page.next_page_token
            if not token:
                break
        assert listed == names[::-1]

    def test_jobs_are_filtered_by_state_kind_and_time(self, queue: Any) -> None:
        first = queue.enqueue().name
        queue.take()
        queue.clock.move(60)
        second = queue.enqueue(kind="evaluate", target="projects/default/modules/horse").name
        found = {
            text: [operation.name for operation in queue.archive.list("default", 0, "", text).operations]
            for text in ("state = RUNNING", 'target:"horse"', 'create_time > "2026-01-01T00:00:30Z"', "kind = train")
        }
        assert list(found.values()) == [[first], [second], [second], []]

    def test_an_unknown_field_in_a_filter_is_refused(self, queue: Any) -> None:
        with pytest.raises(InvalidField):
            queue.archive.list("default", 0, "", "lease_token = x")

    def test_a_page_of_large_results_stays_below_the_message_limit_and_loses_none(self, queue: Any) -> None:
        for _ in range(5):
            lease_name = queue.enqueue().name
            queue.leases.complete(lease_name, queue.take().token, queue.packed("x" * 1_000_000))
        sizes, token = [], ""
        while True:
            page = queue.archive.list("default", 0, token, "")
            sizes.append(len(page.operations))
            token = page.next_page_token
            if not token:
                break
        assert sizes == [2, 2, 1]
