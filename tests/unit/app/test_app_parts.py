"""The page's pure parts: what is shown, exported, laid out; what people type; jobs."""

from __future__ import annotations

import threading
from typing import Any, cast

import numpy as np
import pytest

from vidembed.errors import BadQuery, ConfigError, InputError
from vidembed.index.pipeline.run import Progress
from vidembed.types import Clip, Span
from vidembed.web import mapping
from vidembed.web.arrivals import safe_name
from vidembed.web.asking import Ask, filter_of, from_address, query_of
from vidembed.web.jobs import Jobs
from vidembed.web.media import piece_at
from vidembed.web.search_form import Examples
from vidembed.web.site import AppSettings

VIDEO = "0" * 31 + "1"


class TestAsking:
    def test_terms_and_weights(self) -> None:
        query = query_of(Ask(text=" a dog ", without="snow", like=["a"], unlike=["b"]))
        assert [(t.modality, t.value, t.weight) for t in query.terms] == [
            ("text", "a dog", 1.0), ("clip", "a", 1.0), ("clip", "b", -1.0), ("text", "snow", -0.5)]  # fmt: skip

    @pytest.mark.parametrize("ask", [Ask(), Ask(text="  "), Ask(unlike=["x"]), Ask(text="x" * 2001)])
    def test_nothing_and_too_much_are_refused(self, ask: Ask) -> None:
        with pytest.raises(BadQuery):
            query_of(ask)

    def test_filters(self) -> None:
        found = filter_of(Ask(names="holiday, *.mkv", within="0:30-2:00", at_most="1:00"))
        assert found.paths == ("*holiday*", "*.mkv")
        assert found.within == Span(30, 120)
        assert (found.min_duration_s, found.max_duration_s) == (None, 60)

    @pytest.mark.parametrize("wrong", [{"within": "2:00-1:00"}, {"within": "x"}, {"after": "yesterday"}])
    def test_wrong_filters_say_what_is_meant(self, wrong: dict[str, str]) -> None:
        with pytest.raises(InputError, match="looks like|needs|takes"):
            filter_of(Ask(text="x", **cast("Any", wrong)))

    def test_an_address_holds_words_and_filters(self) -> None:
        ask = Ask(text="a dog & cat", names="holiday", within="0:30-2:00", channels=("vision",), by_video=True)
        assert ask.address == "q=a+dog+%26+cat&channels=vision&names=holiday&within=0%3A30-2%3A00&by_video=1"
        said = {"q": "a dog & cat", "channels": "vision", "names": "holiday", "within": "0:30-2:00", "by_video": "1"}
        assert from_address(f"?{ask.address}") == said
        assert Ask().address == ""
        assert len(from_address("q=" + "x" * 9999)["q"]) == 500

    def test_the_answer_names_the_filters(self) -> None:
        ask = Ask(text="dog", names="holiday", within="0:30-2:00", channels=("vision",))
        assert ask.label == "“dog”, in files named “holiday”, within 0:30-2:00, by vision"

    def test_an_example_is_either_like_or_unlike(self) -> None:
        chosen = Examples().with_("like", "a").with_("like", "b").with_("unlike", "a")
        assert chosen == Examples(("b",), ("a",))
        assert chosen.with_("drop", "a") == Examples(("b",), ())


class TestNames:
    @pytest.mark.parametrize(
        ("given", "name"),
        [("../../etc/passwd.mp4", "passwd.mp4"), ("..\\..\\x.MP4", "x.mp4"), (".hidden.mp4", "hidden.mp4"),
         ("-rf.mp4", "rf.mp4"), ("a\x00b<c>.mp4", "a_b_c.mp4"), ("видео 日本語.mkv", "видео 日本語.mkv"),
         ("...", "video")],
    )  # fmt: skip
    def test_safe(self, given: str, name: str) -> None:
        assert safe_name(given) == name

    def test_short(self) -> None:
        assert len(safe_name("x" * 500 + ".mp4")) <= 120

    @pytest.mark.parametrize(
        ("start", "duration", "span"),
        [(0.0, 10.0, (0, 10)), (34.0, 500.0, (0, 90)), (36.0, 500.0, (30, 120)), (499.0, 500.0, (480, 500)),
         (9999.0, 10.0, (9.9, 10))],
    )  # fmt: skip
    def test_pieces_lie_on_a_grid_and_hold_the_moment(
        self, start: float, duration: float, span: tuple[float, float]
    ) -> None:
        made = piece_at(start, duration)
        assert (made.start_s, made.end_s) == pytest.approx(span)

    @pytest.mark.parametrize("wrong", [{"max_upload_mb": 0}, {"check_s": -1.0}])
    def test_settings_are_checked(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ConfigError):
            AppSettings(**wrong)

    def test_root_path_has_one_slash_in_front(self) -> None:
        assert [AppSettings(root_path=p).root_path for p in ("", "/", "x", "/x/")] == ["", "", "/x", "/x"]


class TestMap:
    def test_axes_of_largest_variance(self) -> None:
        # Points on a line in three dimensions: the first axis is the line, the second is nothing.
        rows = np.outer(np.arange(5.0), [3.0, 4.0, 0.0]).astype(np.float32)
        flat = mapping.principal(rows)
        assert np.diff(flat[:, 0]) == pytest.approx(np.full(4, 5.0), abs=1e-4)
        assert flat[:, 1] == pytest.approx(np.zeros(5), abs=1e-4)

    def test_groups(self) -> None:
        rows = np.array([[1, 0], [0.99, 0.141], [0, 1], [0.141, 0.99]], np.float32)
        a, b, c, d = mapping.cluster(rows, 2).tolist()
        assert a == b != c == d
        assert mapping.cluster(np.zeros((0, 2), np.float32), 3).shape == (0,)

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_few_clips_have_a_place(self, count: int) -> None:
        places, method = mapping.lay_out(np.ones((count, 4), np.float32))
        assert places.shape == (count, 2)
        assert method == "PCA"

    def test_near_duplicates_leave_neighbours_out(self) -> None:
        other = "0" * 31 + "2"
        clips = [Clip.make(VIDEO, 0, Span(0, 2)), Clip.make(VIDEO, 1, Span(2, 4)), Clip.make(other, 0, Span(0, 2)),
                 Clip.make(other, 1, Span(2, 4))]  # fmt: skip
        rows = np.array([[1, 0], [1, 0], [0.8, 0.6], [0, 1]], np.float32)
        assert mapping.near_duplicates(clips, rows, above=0.9) == []
        pairs = mapping.near_duplicates(clips, rows, above=0.79)
        assert [(p.one, p.other, round(p.cosine, 3)) for p in pairs if p.one is clips[0]] == [(clips[0], clips[2], 0.8)]


class TestJobs:
    def step(self, stage: str = "index") -> Progress:
        return Progress("/x/a.mp4", stage, 1, 4, 10.0, 40.0, 2.0)

    def test_one_after_the_other(self) -> None:
        jobs, order = Jobs(), []
        made = [jobs.start(str(i), lambda report, i=i: (order.append(i), f"did {i}")[1]) for i in range(3)]
        for job in made:
            job.wait()
        assert order == [0, 1, 2]
        assert [job.message for job in made] == ["did 0", "did 1", "did 2"]
        jobs.close()

    def test_time_left_by_the_rate(self) -> None:
        jobs, seen = Jobs(), threading.Event()
        go = threading.Event()

        def work(report: Any) -> str:
            report(self.step())
            seen.set()
            go.wait(10)
            return ""

        job = jobs.start("x", work)
        assert seen.wait(10)
        assert job.left_s == pytest.approx(15.0)  # 30 of 40 seconds of video are left, at twice real time
        go.set()
        jobs.close()

    def test_cancel_stops_at_the_next_step_and_drops_the_rest(self) -> None:
        jobs, begun, go = Jobs(), threading.Event(), threading.Event()

        def work(report: Any) -> str:
            begun.set()
            go.wait(10)
            report(self.step())
            return "not reached"

        first, second = jobs.start("a", work), jobs.start("b", lambda report: "no")
        assert begun.wait(10)
        assert jobs.cancel() == 2
        assert first.state == "stopping"
        go.set()
        for job in (first, second):
            with pytest.raises(InputError, match="cancelled"):
                job.wait()
        assert jobs.wait(10)
        third = jobs.start("c", lambda report: (report(self.step()), "yes")[1])
        third.wait()
        assert third.message == "yes"  # a cancel holds for what was there, not for what comes
        jobs.close()

    def test_each_job_has_its_own_cancel(self) -> None:
        jobs, begun, go = Jobs(), threading.Event(), threading.Event()
        first = jobs.start("theirs", lambda report: (begun.set(), go.wait(10), report(self.step()), "done")[3])
        second, third = jobs.start("mine", lambda report: "no"), jobs.start("another", lambda report: "yes")
        assert begun.wait(10)
        assert jobs.cancel(second.job_id) == 1
        go.set()
        assert jobs.wait(10)
        assert [job.state for job in (first, second, third)] == ["done", "cancelled", "done"]
        assert [job.title for job in jobs.all()] == ["mine", "theirs", "another"]
        jobs.forget(first.job_id)
        assert [job.title for job in jobs.all()] == ["mine", "another"]
        jobs.close()

    def test_progress_never_goes_back(self) -> None:
        jobs, shares = Jobs(), []

        def work(report: Any) -> str:
            for done, total in ((10.0, 10.0), (10.0, 20.0), (20.0, 20.0)):
                report(Progress("x", "index", 1, 2, done, total, 1.0))
                shares.append(job.share)
            return ""

        ready = threading.Event()
        job = jobs.start("x", lambda report: (ready.wait(10), work(report))[1])
        ready.set()
        job.wait()
        assert shares == [1.0, 1.0, 1.0]
        jobs.close()

    def test_what_a_person_wrote_is_not_cancelled(self) -> None:
        jobs, begun, go, saved = Jobs(), threading.Event(), threading.Event(), threading.Event()
        jobs.start("a", lambda report: (begun.set(), go.wait(10), "")[2])
        jobs.start("words", lambda report: (saved.set(), "")[1], keep=True)
        assert begun.wait(10)
        assert jobs.cancel() == 1
        go.set()
        assert saved.wait(10)
        jobs.close()

    def test_errors_are_said_and_the_worker_lives(self) -> None:
        jobs = Jobs()

        def refuse(report: Any) -> str:
            raise InputError("no such film", hint="look again")

        job = jobs.start("a", refuse)
        with pytest.raises(InputError):
            job.wait()
        assert (job.state, job.message) == ("failed", "no such film. look again")
        after = jobs.start("b", lambda report: "fine")
        after.wait()
        jobs.close()
        with pytest.raises(InputError, match="stopping"):
            jobs.start("c", lambda report: "")

    def test_the_queue_has_an_end(self) -> None:
        jobs, begun, go = Jobs(), threading.Event(), threading.Event()
        jobs.start("first", lambda report: (begun.set(), go.wait(10), "")[2])
        assert begun.wait(10)
        for number in range(16):
            jobs.start(str(number), lambda report: "")
        with pytest.raises(InputError, match="waiting already"):
            jobs.start("too much", lambda report: "")
        go.set()
        jobs.close()
