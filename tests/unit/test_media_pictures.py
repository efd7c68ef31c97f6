"""Query pictures and sounds, thumbnails, and leaving out repeats."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from media_factory import Media

from vidembed.config.schema import LimitSettings, SampleSettings, ThumbnailSettings
from vidembed.errors import BadQuery, MediaNotFound, MediaUnreadable
from vidembed.media.images import jpeg, load_image
from vidembed.media.reading.audio import load_audio
from vidembed.media.reading.reader import open_video
from vidembed.media.segmenting.sampling import distance, distinct, distinct_frames, kept, thumbprint
from vidembed.protocols import Frame


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    picture = np.zeros((20, 40, 3), dtype=np.uint8)
    picture[:, :20] = (255, 0, 0)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # "turn clockwise to see it upright": left becomes top
    PIL.Image.fromarray(picture).save(tmp_path / "phone.png", exif=exif)
    rgb = load_image(tmp_path / "phone.png")
    assert rgb.shape == (40, 20, 3)
    assert rgb[5, 10].tolist() == [255, 0, 0]
    assert rgb[35, 10].tolist() == [0, 0, 0]


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "1", "I;16", "CMYK"])
def test_every_kind_of_picture_becomes_rgb(tmp_path: Path, mode: str) -> None:
    suffix = ".jpg" if mode == "CMYK" else ".png"
    PIL.Image.new(mode, (8, 6)).save(tmp_path / f"x{suffix}")
    rgb = load_image(tmp_path / f"x{suffix}")
    assert (rgb.shape, rgb.dtype) == ((6, 8, 3), np.uint8)
    if mode == "RGBA":
        assert rgb[0, 0].tolist() == [255, 255, 255], "what is transparent shows white"


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
def test_grey_of_16_bits_keeps_its_shades(tmp_path: Path, suffix: str) -> None:
    shades = np.array([[0, 257, 128 * 257, 65535]], dtype=np.uint16)
    PIL.Image.fromarray(shades).save(tmp_path / f"depth{suffix}")
    assert load_image(tmp_path / f"depth{suffix}")[0].tolist() == [[v, v, v] for v in (0, 1, 128, 255)]


def test_bad_pictures(tmp_path: Path, media: Media) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(BadQuery, match=r"text\.jpg: not a picture"):
        load_image(tmp_path / "text.jpg")
    PIL.Image.new("RGB", (300, 300)).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:60])
    with pytest.raises(BadQuery):
        load_image(tmp_path / "cut.png")
    with pytest.raises(BadQuery):
        load_image(media.path("three_shots.mp4"))
    with pytest.raises(MediaNotFound):
        load_image(tmp_path / "none.png")
    PIL.Image.new("1", (400, 300)).save(tmp_path / "bomb.png")
    with pytest.raises(MediaUnreadable, match="400 x 300"):
        load_image(tmp_path / "bomb.png", limits=LimitSettings(max_pixels=100_000))


def test_sound_of_a_query(media: Media) -> None:
    audio = load_audio(media.path("audio_only.m4a"), 16000)
    assert audio.duration_s == pytest.approx(2.0, abs=0.1)
    assert load_audio(media.path("ladder.mp4"), 8000, max_s=3.0).duration_s == 3.0
    assert load_audio(media.path("tone.mp4"), 8000).rms == pytest.approx(0.0884, rel=0.1)
    with pytest.raises(BadQuery, match="no sound to search with"):
        load_audio(media.path("three_shots.mp4"), 16000)
    with pytest.raises(MediaUnreadable):
        load_audio(media.path("junk.mp4"), 16000)


def test_thumbnail() -> None:
    rgb = np.full((900, 1600, 3), (10, 200, 30), dtype=np.uint8)
    with PIL.Image.open(io.BytesIO(jpeg(rgb, ThumbnailSettings()))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (320, 180))
        assert np.abs(np.asarray(picture)[90, 160].astype(int) - (10, 200, 30)).max() < 5
    with PIL.Image.open(io.BytesIO(jpeg(rgb[:10, :20], ThumbnailSettings()))) as picture:
        assert picture.size == (20, 10), "never enlarged"


def noisy(base: np.ndarray, seed: int, level: int = 6) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(-level, level + 1, base.shape)
    return np.clip(base.astype(int) + noise, 0, 255).astype(np.uint8)


def test_noise_repeats_and_a_small_figure_does_not() -> None:
    scene = np.random.default_rng(0).integers(0, 255, (9, 16, 3), dtype=np.uint8).repeat(20, 0).repeat(20, 1)
    walker = scene.copy()
    walker[100:150, 150:170] = 255  # 1.7 % of the picture
    frames = [Frame(float(n), noisy(scene, n)) for n in range(5)] + [Frame(5.0, noisy(walker, 5))]
    assert [frame.repeats for frame in distinct(frames, SampleSettings())] == [False, True, True, True, True, False]
    assert [frame.repeats for frame in distinct(frames, SampleSettings(mode="fixed"))] == [False] * 6


def test_slow_change_is_noticed_when_it_adds_up() -> None:
    """Each frame is compared with the last one kept, not with its neighbour."""
    frames = [Frame(float(n), np.full((48, 64, 3), 2 * n, dtype=np.uint8)) for n in range(40)]
    firsts = [frame.time_s for frame in distinct(frames, SampleSettings()) if not frame.repeats]
    assert firsts[:3] == [0.0, 4.0, 8.0]  # 4 steps of 2/255 = 0.031 > 0.03


def test_the_first_frame_of_a_clip_is_kept_even_when_it_repeats() -> None:
    still = [Frame(float(n), np.zeros((48, 64, 3), dtype=np.uint8)) for n in range(6)]
    marked = list(distinct(still, SampleSettings()))
    assert [marked[place].time_s for place in kept(marked[:3])] == [0.0]
    assert [marked[3:][place].time_s for place in kept(marked[3:])] == [3.0]
    assert kept([]) == []


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (16, 16), (17, 31), (1080, 1920)])
def test_thumbprint_is_the_mean_grey_of_each_cell(shape: tuple[int, int]) -> None:
    white, black = np.full((*shape, 3), 255, dtype=np.uint8), np.zeros((*shape, 3), dtype=np.uint8)
    assert thumbprint(white).shape == (16, 16)
    assert distance(thumbprint(white), thumbprint(black)) == pytest.approx(1.0)
    green = black.copy()
    green[..., 1] = 255
    assert thumbprint(green).mean() == pytest.approx(0.587, abs=1e-3)


def test_a_static_video_costs_one_frame_a_clip(media: Media) -> None:
    with open_video(media.path("silent_track.mp4")) as video:
        frames = list(distinct(video.stream(rate_hz=10, short_side_px=48), SampleSettings()))
    assert len(frames) == 20
    assert len(kept(frames)) == 1


def test_more_distinct_frames_than_wanted_are_thinned_evenly() -> None:
    frames = [Frame(float(n), np.full((4, 4, 3), n, dtype=np.uint8), repeats=n % 2 == 1) for n in range(10)]
    some, all_ = distinct_frames(frames, 3), distinct_frames(frames, 8)
    assert some is not None
    assert all_ is not None
    assert all_.times_s.tolist() == [0, 2, 4, 6, 8]
    assert (some.times_s.tolist(), some.rgb[:, 0, 0, 0].tolist()) == ([0, 4, 8], [0, 4, 8])
    assert distinct_frames([], 3) is None
