"""Work in the background gives way to people who search, and equal questions are answered once."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vidembed import VideoIndex
from vidembed.index.pipeline.run import Progress, ProgressCallback
from vidembed.types import Moment
from vidembed.web import Site, searches
from vidembed.web.asking import Ask, run
from vidembed.web.jobs import Jobs
from vidembed.web.searches import Courtesy, Recent, step_back

STEP = Progress("a.mp4", "index", 0, 1, 1.0, 2.0, 1.0)


def test_a_job_waits_between_its_steps_while_somebody_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "LONGEST_WAIT_S", 60.0)
    monkeypatch.setattr(searches, "_SHARE", 1e9)
    gate = Courtesy()
    jobs, begun, gone_on = Jobs(gate), threading.Event(), threading.Event()

    def work(report: ProgressCallback) -> str:
        begun.set()
        report(STEP)
        gone_on.set()
        return "done"

    with gate.searching():
        job = jobs.start("Adding a.mp4", work)
        assert begun.wait(30)
        assert not gone_on.wait(0.2)
    job.wait()
    assert gone_on.is_set()
    jobs.close()


def test_searches_without_end_do_not_stop_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "LONGEST_WAIT_S", 0.05)
    gate = Courtesy()
    with gate.searching():
        assert gate.give_way() <= 30  # it came back at all
    assert gate.give_way() < 0.05  # nobody searches


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no priority for one thread")
def test_a_job_has_a_lower_priority_than_what_answers() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def lowered() -> int:
        step_back()
        return priority()

    with ThreadPoolExecutor(1) as other:
        assert other.submit(lowered).result() == min(19, priority() + 10)


def test_equal_questions_are_searched_once() -> None:
    recent, begun, go_on, times = Recent(), threading.Event(), threading.Event(), []

    def search() -> tuple[Moment, ...]:
        times.append(1)
        begun.set()
        assert go_on.wait(30)
        return ()

    with ThreadPoolExecutor(2) as people:
        first = people.submit(recent.found, "red", search)
        assert begun.wait(30)
        second = people.submit(recent.found, "red", search)
        go_on.set()
        assert (first.result(), second.result(), len(times)) == ((), (), 1)
    recent.found("blue", search)
    assert len(times) == 2


def test_a_search_that_fails_is_made_again() -> None:
    recent = Recent()
    answers: list[Callable[[], tuple[Moment, ...]]] = [lambda: 1 / 0, lambda: ()]  # type: ignore[list-item,return-value]
    with pytest.raises(ZeroDivisionError):
        recent.found("red", answers[0])
    assert recent.found("red", answers[1]) == ()


def test_an_answer_is_kept_until_the_library_changes(index: VideoIndex, library: Path) -> None:
    site = Site(index)
    before = run(site, Ask(text="red"))
    again = run(site, Ask(text="red"))
    assert again.moments is before.moments  # not searched once more
    assert again.token != before.token  # an answer is one person's
    gone = before.moments[0].video_id
    index.hide([gone])
    assert gone not in {moment.video_id for moment in run(site, Ask(text="red")).moments}
    site.close()
