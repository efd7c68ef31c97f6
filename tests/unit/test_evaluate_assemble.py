"""Long videos from pieces: every piece is where it is said to be, to the frame."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_videos import make

from vidembed.errors import InputError, MediaUnreadable
from vidembed.evaluation.assemble import FPS, Piece, assemble, deal
from vidembed.media.reading.reader import open_video
from vidembed.types import Span


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> list[Piece]:
    folder = tmp_path_factory.mktemp("given")
    red = make(folder / "it's red.mp4", "red", hz=1000, second_each=2.0)
    Image.new("RGB", (300, 100), (0, 0, 255)).save(folder / "blue.jpg")
    short = make(folder / "short.mp4", "lime", hz=None, second_each=1.0)
    return [
        Piece("red", 2.0, red, red),
        Piece("still", 1.6, folder / "blue.jpg"),
        Piece("longer than its file", 2.4, short),
        Piece("heard only", 0.8, None, red),
    ]


def test_pieces_lie_where_they_are_said_to(pieces: list[Piece], tmp_path: Path) -> None:
    made = assemble([*pieces, pieces[0]], tmp_path / "out" / "long.mkv")
    names = [name for name, _ in made.placed]
    assert names == ["red", "still", "longer than its file", "heard only", "red"]
    assert [span.start_s for _, span in made.placed] == pytest.approx([0, 2, 3.6, 6, 6.8])
    assert made.spans_of("red") == (Span(0, 2), Span(6.8, 8.8))
    with open_video(made.path) as video:
        assert video.info.duration_s == pytest.approx(8.8, abs=0.002)
        frames = list(video.stream(rate_hz=FPS, short_side_px=240))
        assert len(frames) == round(8.8 * FPS)
        colours = {"red": (0, 255), "still": (2, 255), "longer than its file": (1, 255), "heard only": (0, 0)}
        for frame in frames:
            name = next(name for name, span in made.placed if span.contains(frame.time_s + 0.01))
            band, level = colours[name]
            middle = frame.rgb[120, 160].astype(int)
            assert abs(int(middle[band]) - level) < 12, (name, frame.time_s, middle)
        loud = video.audio(Span(6.0, 8.8), rate_hz=16_000)
        silent = video.audio(Span(2.1, 5.9), rate_hz=16_000)
    assert loud.rms > 0.05
    assert np.abs(silent.samples).max() < 0.001


def test_deals_are_alike_for_a_seed_and_never_repeat_a_neighbour(pieces: list[Piece]) -> None:
    one = deal(pieces, videos=4, duration_s=30, seed=3)
    assert one == deal(pieces, videos=4, duration_s=30, seed=3)
    assert one != deal(pieces, videos=4, duration_s=30, seed=4)
    for hand in one:
        assert sum(piece.frames for piece in hand) / FPS >= 30
        assert all(a.name != b.name for a, b in itertools.pairwise(hand))
    counts = [sum(piece.name == p.name for hand in one for piece in hand) for p in pieces]
    assert max(counts) - min(counts) <= 2


def test_what_cannot_be_assembled_says_so(pieces: list[Piece], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pieces"):
        assemble([], tmp_path / "x.mkv")
    with pytest.raises(InputError, match="at least two pieces"):
        deal(pieces[:1], videos=1, duration_s=5, seed=0)
    with pytest.raises(InputError, match="shorter than a frame"):
        Piece("blink", 0.01, None)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    with pytest.raises(MediaUnreadable, match="bringing broken into form"):
        assemble([Piece("broken", 1.0, broken)], tmp_path / "x.mkv")
    assert not (tmp_path / "x.mkv").exists()
