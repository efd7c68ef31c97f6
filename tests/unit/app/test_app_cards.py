"""What the page shows of an answer: cards, sequences, the strip under the player."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vidembed.types import Clip, Hit, Moment, Query, Span, VideoInfo
from vidembed.web import cards, html
from vidembed.web import html as timeline
from vidembed.web.media import plays_in_browsers
from vidembed.web.searches import SearchAnswer
from vidembed.web.site import AppSettings

VIDEO = "0" * 31 + "1"
NASTY = "<img src=x onerror=alert(1)>\"${alert(2)}{{x}}'.mp4"


def moment(name: str = "dog.mp4", start: float = 1.0, end: float = 3.0, **more: Any) -> Moment:
    fields: dict[str, Any] = {
        "video_id": VIDEO, "path": Path("/films") / name, "span": Span(start, end), "best_s": start, "score": 0.5,
        "confidence": 0.8, "clip_id": Clip.make(VIDEO, 0, Span(start, end)).clip_id,
        "hits": (Hit("c", "vision", 0.31, 1),),
    } | more  # fmt: skip
    return Moment(**fields)


def site(*, show_paths: bool = True, fps: int = 25, has_audio: bool = True) -> Any:
    """What the pure functions look at: settings, addresses, and one video of 25 frames a second, ten seconds long."""
    info = VideoInfo(VIDEO, Path("/films/dog.mp4"), 1, 0, 10.0, 64, 48, Fraction(fps), 48000 if has_audio else None,
                     2 if has_audio else None, "h264")  # fmt: skip
    videos = SimpleNamespace(get=lambda video_id: SimpleNamespace(info=info))
    settings = AppSettings(show_paths=show_paths)
    return SimpleNamespace(
        settings=settings,
        readonly=False,
        index=SimpleNamespace(
            catalog=SimpleNamespace(videos=videos, tags=SimpleNamespace(of_many=lambda ids: [])),
            info=lambda: SimpleNamespace(clips=1),
            config=SimpleNamespace(channels={"c": SimpleNamespace(source="frames")}),
        ),
        url=lambda path: f"/p/{path}",
        shown=lambda path: str(path) if show_paths else path.name,
    )


def answer(*moments: Moment) -> SearchAnswer:
    return SearchAnswer((Query.text("a dog"),), "“a dog”", moments, token="token")


class TestCards:
    def test_a_card_says_where_what_and_why(self) -> None:
        text = cards.results(site(), answer(moment(caption="a dog swims", texts={"speech": "fetch"})), floor=0.5)
        for part in ("dog.mp4", "0:01 – 0:03", "Strong", "80% sure", "a dog swims", "0.31", f"/p/media/{VIDEO}",
                     f"/p/frame/{VIDEO}?at=1.000", f"/p/film/{VIDEO}?start=1.000"):  # fmt: skip
            assert part in text
        assert "No good match" not in text

    def test_weak_answers_are_called_weak(self) -> None:
        assert "No good match" in cards.results(site(), answer(moment(confidence=0.2)), floor=0.5)
        both = cards.results(site(), answer(moment(), moment(confidence=0.2)), floor=0.5)
        assert "No good match" not in both  # one is convincing

    def test_what_is_unlikely_has_a_heading_of_its_own(self) -> None:
        text = cards.results(site(), answer(moment(start=4, end=6, confidence=0.2), moment(confidence=0.9)), floor=0.5)
        assert text.index("Strong") < text.index("Less likely") < text.index("Weak")
        assert (
            '"/p/curve/token/1"' in text.partition("Less likely")[0]
        )  # its place among all answers, not among the good

    def test_a_search_by_example_claims_no_certainty(self) -> None:
        text = cards.results(site(), answer(moment(confidence=0.5), moment(start=4, end=6, confidence=0.5)), floor=0.3)
        assert "ve-conf" not in text

    @pytest.mark.parametrize(
        ("confidence", "word"), [(0.6, "Strong"), (0.59, "Possible"), (0.2, "Possible"), (0.19, "Weak")]
    )
    def test_strength_in_words(self, confidence: float, word: str) -> None:
        assert cards.strength(confidence, 0.2) == word

    def test_only_what_helped_is_evidence(self) -> None:
        """Sound of a tenth of the best score, and a caption below nothing, say nothing for this moment."""
        here = site()
        sources = {"vision": "frames", "sound": "audio", "caption": "captions", "speech": "speech"}
        here.index.config.channels = {name: SimpleNamespace(source=source) for name, source in sources.items()}
        one = moment(hits=(Hit("a", "vision", 0.3, 1), Hit("a", "sound", 0.02, 9), Hit("a", "caption", -0.04, 2),
                           Hit("a", "speech", 4.0, 1)), texts={"speech": "fetch"})  # fmt: skip
        other = moment(start=4, end=6, hits=(Hit("b", "sound", 0.2, 1),))
        text = cards.evidence(here, answer(one, other), one)
        assert re.findall(r'">([^<]*)</span>', text) == ["seen", "said “fetch”"]

    def test_a_sequence_is_one_card_of_its_steps(self) -> None:
        steps = (moment(), moment(start=4, end=6), moment(start=1, end=2, confidence=0.9),
                 moment(start=7, end=8, confidence=0.1))  # fmt: skip
        two = SearchAnswer((Query.text("a dog"), Query.text("a cat")), "“a dog”, then “a cat”", steps, token="token")
        text = cards.results(site(), two, floor=0.5)
        sure, _, rest = text.partition("Less likely")
        assert text.count("<article") == 2
        assert "1 sequence for “a dog”, then “a cat”" in sure
        assert re.findall(r'data-place="(\d)"', sure) == ["0", "1"]
        assert re.findall(r'data-place="(\d)"', rest) == ["2", "3"]  # as sure as the least certain step
        assert [two.query_of(place).terms[0].value for place in range(4)] == ["a dog", "a cat", "a dog", "a cat"]

    def test_long_names_are_shortened_in_the_middle(self) -> None:
        assert html.middle("holiday in Rome with everybody, take 07.mp4", 21) == "holiday in…ake 07.mp4"
        assert html.middle("dog.mp4") == "dog.mp4"

    def test_names_captions_and_queries_are_text(self) -> None:
        nasty = moment(NASTY, caption=NASTY, texts={NASTY: NASTY})
        text = cards.results(site(), SearchAnswer((Query.text("x"),), NASTY, (nasty,)), floor=0.5)
        assert "<img src=x" not in text
        assert "${" not in text
        assert "{{" not in text

    def test_only_what_browsers_know_is_tried_as_it_is(self) -> None:
        assert plays_in_browsers(Path("a.MP4"), "h264")
        assert plays_in_browsers(Path("a.mp3"), "")
        assert not plays_in_browsers(Path("a.mp4"), "hevc")
        assert not plays_in_browsers(Path("a.avi"), "h264")
        assert not plays_in_browsers(Path("a.ogv"), "theora")
        assert not plays_in_browsers(Path("a.mp4"), "h264", "aac", "yuv422p10le")
        assert plays_in_browsers(Path("a.wav"), "", "pcm_s16le")

    @pytest.mark.parametrize("sound", ["ac3", "eac3", "dts", "alac", "adpcm_ima_wav", "pcm_s16le"])
    def test_films_that_would_play_mute_are_transcoded(self, sound: str) -> None:
        assert not plays_in_browsers(Path("a.mp4"), "h264", sound)
        assert 'data-src=""' in cards.results(site(), answer(moment("dog.avi")), floor=0.5)

    @pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (2.5, "0:02.5"), (83.04, "1:23"), (3723.9, "1:02:03")])
    def test_clock(self, seconds: float, text: str) -> None:
        assert html.clock(seconds) == text


class TestTimeline:
    def test_marks_lie_where_the_moments_are(self) -> None:
        text = timeline.strip(np.array([0.5, 5.0, 9.5]), np.array([-1.0, 2.0, 1.0]), 10.0, [moment()])
        assert 'data-time="1.000"' in text
        assert "left:10.000%;width:20.000%" in text
        # Below the background level counts as nothing: the first point is on the floor, the highest near the top.
        assert f"M50.0,{timeline.HEIGHT}L50.0,80.0L500.0,6.0L950.0,43.0" in text

    def test_thinning_keeps_the_peak(self) -> None:
        scores = np.zeros(100_000)
        scores[77_777] = 5.0
        times, kept = timeline.thin(np.arange(100_000.0), scores)
        assert len(kept) <= 600
        assert (kept.max(), times[kept.argmax()]) == (5.0, 77_777)

    def test_no_curve_is_a_flat_line(self) -> None:
        assert "L1000,80Z" in timeline.strip(np.zeros(0), np.zeros(0), 10.0, [])
