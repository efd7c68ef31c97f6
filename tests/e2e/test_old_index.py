"""An index that version 0.1.0 left behind opens, answers as it did then, and can be added to.

tests/data/index-0.1.0.tar.gz holds three films, two seconds a colour, whose files are gone: red_blue.mp4 (red, blue, a
low tone), green.mp4 (silent), trip/exit.mp4 (blue with the words EXIT 42, red, green, a high tone). Its channels are
the profile toy's, exact words of the captions, and exact words on screen. One caption was written by a person.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_videos

import vidembed
from vidembed import Filter, Query, VideoIndex

ARCHIVE = Path(__file__).parents[1] / "data" / "index-0.1.0.tar.gz"
RED_BLUE, GREEN, EXIT = "/videos/red_blue.mp4", "/videos/green.mp4", "/videos/trip/exit.mp4"
BEACH, TRIP = Filter(tags=("place=beach",)), Filter(paths=("trip/*",))

Answer = tuple[str, float, float, float]  # path, start_s, end_s, confidence

# What 0.1.0 answered with at least `search.min_confidence`; the rest is noise.
ANSWERS: list[tuple[str, dict[str, Any], set[Answer]]] = [
    ("red", {}, {(EXIT, 2, 4, 1.0), (RED_BLUE, 0, 2, 1.0)}),
    ("green", {}, {(EXIT, 4, 6, 1.0), (GREEN, 0, 4, 1.0)}),
    ("blue low", {}, {(RED_BLUE, 0, 4, 1.0), (EXIT, 0, 2, 1.0)}),
    ("high tone", {"channels": ["sound"]}, {(EXIT, 0, 6, 1.0)}),
    ("low tone", {"channels": ["sound"]}, {(RED_BLUE, 0, 4, 1.0)}),
    ('"meadow at noon"', {"channels": ["caption_words"]}, {(GREEN, 0, 2, 0.9707)}),
    ("exit 42", {"channels": ["ocr_words"]}, {(EXIT, 0, 2, 0.9707)}),
    ("blue", {"where": BEACH}, {(RED_BLUE, 2, 4, 1.0)}),
    ("blue", {"where": TRIP}, {(EXIT, 0, 2, 1.0)}),
    ("red", {"group_by_video": True}, {(EXIT, 2, 4, 1.0), (RED_BLUE, 0, 2, 1.0)}),
    ("red", {"fusion": "rrf"}, {(EXIT, 2, 4, 1.0), (RED_BLUE, 0, 2, 1.0)}),
    ("a violin", {}, set()),
]


def unpacked(folder: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "index-0.1.0"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoIndex]:
    """The index, for tests that change nothing."""
    with vidembed.open_index(unpacked(tmp_path_factory.mktemp("old")), readonly=True) as index:
        yield index


@pytest.mark.parametrize(("text", "options", "answers"), ANSWERS, ids=[f"{text} {also}" for text, also, _ in ANSWERS])
def test_it_answers_as_it_did(kept: VideoIndex, text: str, options: dict[str, Any], answers: set[Answer]) -> None:
    least = kept.config.search.min_confidence
    found = [moment for moment in kept.search(text, **options) if moment.confidence >= least]
    told = sorted((m.path.as_posix(), m.span.start_s, m.span.end_s) for m in found)
    assert told == sorted(answer[:3] for answer in answers)
    sure = {answer[:3]: answer[3] for answer in answers}
    for moment in found:
        place = (moment.path.as_posix(), moment.span.start_s, moment.span.end_s)
        assert moment.confidence == pytest.approx(sure[place], abs=1e-3)


def test_the_evidence_is_the_same(kept: VideoIndex) -> None:
    best = kept.search("blue low", k=1)[0]
    scores = {hit.channel: hit.score for hit in best.hits}
    # Blue frames, and a low tone, are each half of the query: cosine 1 / sqrt(2); the caption names both.
    assert scores["vision"] == pytest.approx(0.7071, abs=1e-3)
    assert scores["sound"] == pytest.approx(0.7071, abs=1e-3)
    assert scores["caption"] == pytest.approx(1.0, abs=1e-3)
    assert best.caption == "blue frames, low tone"
    assert kept.search("exit 42", k=1)[0].texts["ocr_words"] == "EXIT 42"


def test_a_clip_finds_its_like(kept: VideoIndex) -> None:
    red = kept.search("red", k=1, where=BEACH)[0]
    like = kept.search(Query.clip(red.clip_id), k=1, channels=["vision"])[0]
    assert (like.path.as_posix(), like.span.start_s) == (EXIT, 2.0)


def test_it_knows_what_is_in_it(kept: VideoIndex) -> None:
    info = kept.info()
    assert (info.profile, info.videos, info.gone, info.clips) == ("toy", 3, 0, 7)
    assert (info.captions, info.failures, info.duration_s) == (7, 0, pytest.approx(14.0))
    stored = {name: (channel.done, channel.absent, channel.stored) for name, channel in info.channels.items()}
    assert stored == {
        "vision": (3, 0, 7),
        "sound": (2, 1, 5),  # green.mp4 is silent
        "caption": (3, 0, 7),
        "caption_words": (3, 0, 7),
        "ocr_words": (1, 2, 1),
    }
    tags = {record.paths[0].as_posix(): dict(record.tags) for record in kept.videos()}
    assert tags == {GREEN: {}, RED_BLUE: {"place": "beach", "year": "2024"}, EXIT: {"place": "station"}}
    assert [caption.text for caption in kept.captions() if caption.human] == ["A meadow at noon"]
    assert kept.config.search.rrf_k == 30  # set when the index was made


def test_it_can_be_added_to(tmp_path: Path) -> None:
    film = toy_videos.make(tmp_path / "yellow.mp4", "yellow", "yellow", hz=None)
    folder = unpacked(tmp_path)
    with vidembed.open_index(folder) as index:
        report = index.add(film, channels=["vision", "sound"])
        assert (report.done, report.failed) == ((film.as_posix(),), ())
        index.tag(GREEN, {"place": "meadow"})
        index.remove(EXIT)
    with vidembed.open_index(folder, readonly=True) as index:
        assert index.search("yellow", k=1)[0].path == film
        assert {m.path.as_posix() for m in index.search("green", where=Filter(tags=("place=meadow",)))} == {GREEN}
        assert EXIT not in {moment.path.as_posix() for moment in index.search("red", k=20)}
        assert (index.info().videos, index.info().captions) == (3, 4)  # 7 captions less those of three clips
