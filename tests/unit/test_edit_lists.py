"""Edit lists: frames counted by hand, and read by OpenTimelineIO."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from vidembed.config.schema import LimitSettings
from vidembed.media.editing import edit_lists
from vidembed.media.editing.cuts import Cut, cuts_of, rate_of
from vidembed.media.editing.timecode import frame_of, label, list_rate, nominal_rate, own_timecode
from vidembed.types import Clip, Moment, Span

NTSC = Fraction(30000, 1001)
VIDEO = "0" * 31 + "1"


def moment(start: float, end: float, name: str = "dog.mp4", **more: Any) -> Moment:
    clip = Clip.make(VIDEO, 0, Span(start, end))
    fields: dict[str, Any] = {"best_s": start, "score": 1.0, "confidence": 0.8} | more
    return Moment(video_id=VIDEO, path=Path("/films") / name, span=Span(start, end), clip_id=clip.clip_id, **fields)


def cut(start: float, end: float, rate: Fraction = Fraction(25), timecode: str | None = None, **more: Any) -> Cut:
    fields: dict[str, Any] = {"name": "dog.mp4", "url": "file:///films/dog.mp4", "reel": "DOG", "duration_s": 3000.0,
                              "size_px": (1920, 1080), "has_audio": True} | more  # fmt: skip
    return Cut(moment(start, end), rate=rate, timecode=timecode, **fields)


def lines(*cuts: Cut) -> list[str]:
    return edit_lists.edl("a dog", cuts).decode().split("\r\n")


# (frames a second of a film, the rate of its list)
RATES = [(Fraction(24000, 1001), 24000 / 1001), (Fraction(25), 25), (NTSC, 30000 / 1001), (Fraction(50), 50),
         (2 * NTSC, 60000 / 1001), (Fraction(25, 2), 25), (Fraction(29949, 1000), 30000 / 1001)]  # fmt: skip


def random_cuts(count: int, rate: Fraction, timecode: str | None = None) -> list[Cut]:
    draw = random.Random(5)
    starts = [draw.uniform(0, 2900) for _ in range(count)]
    return [cut(start, start + draw.uniform(0.01, 30), rate, timecode) for start in starts]


class TestTimecode:
    @pytest.mark.parametrize(
        ("fps", "nominal"),
        [(Fraction(29949, 1000), NTSC), (Fraction(25), Fraction(25)), (Fraction(25, 2), Fraction(25, 2)),
         (Fraction(2997, 125), Fraction(24000, 1001)), (Fraction(24), Fraction(24)), (Fraction(120), Fraction(120)),
         (Fraction(0), Fraction(25)), (Fraction(273, 10), Fraction(25))],
    )  # fmt: skip
    def test_averages_stand_for_a_rate(self, fps: Fraction, nominal: Fraction) -> None:
        assert nominal_rate(fps) == nominal

    @pytest.mark.parametrize(
        ("rate", "of_list"),
        [(Fraction(25, 2), 25), (Fraction(15), 30), (Fraction(10), 30), (Fraction(120), 60), (NTSC, NTSC),
         (Fraction(7), 25)],
    )  # fmt: skip
    def test_lists_have_rates_that_editors_know(self, rate: Fraction, of_list: Fraction) -> None:
        assert list_rate(rate) == of_list

    @pytest.mark.parametrize(
        ("frame", "rate", "drop", "text"),
        [(0, NTSC, True, "00:00:00;00"), (1799, NTSC, True, "00:00:59;29"), (1800, NTSC, True, "00:01:00;02"),
         (17982, NTSC, True, "00:10:00;00"), (107892, NTSC, True, "01:00:00;00"), (3600, 2 * NTSC, True, "00:01:00;04"),
         (1800, NTSC, False, "00:01:00:00"), (61 * 24 + 12, Fraction(24000, 1001), False, "00:01:01:12")],
    )  # fmt: skip
    def test_labels(self, frame: int, rate: Fraction, drop: bool, text: str) -> None:
        assert label(frame, rate, drop=drop) == text
        assert frame_of(text, rate) == frame

    def test_every_label_names_its_frame(self) -> None:
        assert all(frame_of(label(frame, NTSC, drop=True), NTSC) == frame for frame in range(0, 40_000, 7))

    def test_a_files_own_timecode_is_read(self, tmp_path: Path) -> None:
        import av
        import numpy as np

        for value in ("19:26:48:04", None):
            path = tmp_path / f"{value is None}.mov"
            with av.open(str(path), "w") as container:
                if value:
                    container.metadata["timecode"] = value
                stream = container.add_stream("mpeg4", rate=30)
                stream.width = stream.height = 32
                for _ in range(3):
                    frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
            assert own_timecode(path, LimitSettings()) == value
        assert own_timecode(tmp_path / "none.mov", LimitSettings()) is None


class TestEdl:
    def test_by_hand(self) -> None:
        got = lines(cut(1, 3), cut(4, 4.52))
        assert got[1] == "FCM: NON-DROP FRAME"
        assert got[3] == "001  DOG      AA/V  C        00:00:01:00 00:00:03:00 00:00:00:00 00:00:02:00"
        assert got[4] == "* FROM CLIP NAME: dog.mp4"
        assert got[7] == "002  DOG      AA/V  C        00:00:04:00 00:00:04:13 00:00:02:00 00:00:02:13"

    def test_the_files_own_timecode_is_added(self) -> None:
        got = lines(cut(1, 3, NTSC, "19:26:48:04"))
        # 1 s is frame 29.97 -> 30; 3 s is frame 89.91 -> 90: 60 frames.
        assert got[1] == "FCM: NON-DROP FRAME"
        assert got[3].endswith("19:26:49:04 19:26:51:04 00:00:00:00 00:00:02:00")

    def test_drop_frame_is_marked(self) -> None:
        got = lines(cut(60.06, 62.0, NTSC))
        assert got[1] == "FCM: DROP FRAME"
        assert got[3].endswith("00:01:00;02 00:01:02;00 00:00:00;00 00:00:01;28")  # frames 1800 to 1858

    def test_frames_stay_below_the_lists_rate(self) -> None:
        assert lines(cut(2.96, 3.0, Fraction(25, 2)))[3].endswith("00:00:02:24 00:00:03:00 00:00:00:00 00:00:00:01")

    def test_sound_alone_and_pictures_alone(self) -> None:
        assert "  AA  " in lines(cut(1, 2, size_px=(0, 0)))[3]
        assert "  V  " in lines(cut(1, 2, has_audio=False))[3]

    def test_reels_have_eight_characters_and_differ(self) -> None:
        names = ["holiday in Rome 1.mp4", "holiday in Rome 2.mp4", "AX.mp4", "видео.mp4"]
        found = cuts_of([moment(1, 2, name) for name in names], {}, LimitSettings(), show_paths=False)
        assert [one.reel for one in found] == ["HOLIDAYI", "HOLIDAY2", "AX2", "FILE"]
        assert found[0].url == "holiday%20in%20Rome%201.mp4"

    @pytest.mark.parametrize(("fps", "reads"), RATES)
    def test_opentimelineio_takes_every_list(self, fps: Fraction, reads: float) -> None:
        """Its reader refuses a list whose source and record lengths differ, or that overlaps."""
        otio = pytest.importorskip("opentimelineio")
        for timecode in (None, "19:26:48:04"):
            cuts = random_cuts(200, nominal_rate(fps), timecode)
            read = otio.adapters.read_from_string(edit_lists.edl("x", cuts).decode(), "cmx_3600", rate=reads)
            clips = list(read.video_tracks()[0].find_clips())
            assert len(clips) == 200
            own = rate_of(cuts)
            assert [clip.duration().value for clip in clips] == [one.frames(own)[1] for one in cuts]


@pytest.mark.parametrize("kind", ["otio", "fcpxml"])
@pytest.mark.parametrize("fps", [fps for fps, _ in RATES])
def test_two_hundred_moments_of_every_rate_are_read(kind: str, fps: Fraction) -> None:
    otio = pytest.importorskip("opentimelineio")
    adapter = {"otio": "otio_json", "fcpxml": "fcpx_xml"}[kind]
    if adapter not in otio.adapters.available_adapter_names():
        pytest.skip("OpenTimelineIO reads FCPXML with otio-fcpx-xml-adapter")
    cuts = random_cuts(200, nominal_rate(fps), "01:00:00:00")
    read = otio.adapters.read_from_string(getattr(edit_lists, kind)("x", cuts).decode(), adapter)
    pictures = [clip for clip in read.find_clips() if clip.parent().kind == otio.schema.TrackKind.Video]
    # The FCPXML reader counts in whole frames a second, 29 of 29.97: it knows a length to a frame.
    frame_s = 1.001 / int(nominal_rate(fps))
    own = rate_of(cuts)
    lengths_s = [clip.source_range.duration.to_seconds() for clip in pictures]
    assert lengths_s == pytest.approx([float(one.frames(own)[1] / own) for one in cuts], abs=frame_s)


class TestOtio:
    def test_read_by_its_own_library(self, tmp_path: Path) -> None:
        otio = pytest.importorskip("opentimelineio")
        cuts = [cut(1, 3, NTSC, "19:26:48:04"), cut(4, 4.52, size_px=(0, 0))]
        (tmp_path / "x.otio").write_bytes(edit_lists.otio("a dog", cuts))
        read = otio.adapters.read_from_file(str(tmp_path / "x.otio"))
        assert read.name == "a dog"
        assert [(track.kind, len(track.find_clips())) for track in read.tracks] == [("Video", 1), ("Audio", 2)]
        first = read.tracks[0].find_clips()[0]
        assert first.media_reference.target_url == "file:///films/dog.mp4"
        assert first.source_range.start_time.value == (19 * 3600 + 26 * 60 + 49) * 30 + 4
        assert (first.source_range.duration.value, first.source_range.duration.rate) == (60, float(NTSC))
        assert first.markers[0].marked_range.start_time == first.source_range.start_time
        assert first.media_reference.available_range.contains(first.source_range)

    def test_it_is_plain_json(self) -> None:
        assert json.loads(edit_lists.otio("x", [cut(1, 2)]))["OTIO_SCHEMA"] == "Timeline.1"


class TestFcpxml:
    def test_times_are_exact_fractions(self) -> None:
        root = ElementTree.fromstring(edit_lists.fcpxml("a dog", [cut(1, 3), cut(4, 4.52)]))
        clips = root.findall(".//asset-clip")
        assert [(c.get("offset"), c.get("start"), c.get("duration")) for c in clips] == [
            ("0s", "1s", "2s"), ("2s", "4s", "13/25s")]  # fmt: skip
        assert [media.get("src") for media in root.iter("media-rep")] == ["file:///films/dog.mp4"]
        assert len(root.findall(".//asset")) == 1  # one file, two clips of it

    def test_opentimelineio_takes_it(self) -> None:
        otio = pytest.importorskip("opentimelineio")
        cuts = [cut(1, 3, NTSC, "19:26:48:04"), cut(4, 4.52, NTSC, "19:26:48:04")]
        read = otio.adapters.read_from_string(edit_lists.fcpxml("x", cuts).decode(), "fcpx_xml")
        assert [clip.name for clip in read.find_clips()][:2] == ["dog.mp4", "dog.mp4"]

    def test_one_format_a_rate_and_nominal(self) -> None:
        other = {"url": "file:///films/cat.mp4", "duration_s": 2.0}
        cuts = [cut(1, 3, nominal_rate(Fraction(29949, 1000))), cut(1, 2.1, Fraction(25), **other)]
        root = ElementTree.fromstring(edit_lists.fcpxml("x", cuts))
        assert [one.get("frameDuration") for one in root.iter("format")] == ["1001/30000s", "1/25s"]
        assert [one.get("format") for one in root.iter("asset")] == ["f0", "f1"]

    def test_an_asset_begins_at_its_timecode_and_ends_no_earlier_than_its_cuts(self) -> None:
        root = ElementTree.fromstring(
            edit_lists.fcpxml("x", [cut(1, 3.4, Fraction(25), "01:00:00:00", duration_s=3.0)])
        )
        asset, clip = root.find(".//asset"), root.find(".//asset-clip")
        assert asset is not None
        assert clip is not None
        assert (asset.get("start"), asset.get("duration"), clip.get("start")) == ("3600s", "17/5s", "3601s")


class TestTables:
    def test_an_empty_caption_is_an_empty_cell(self) -> None:
        record = {"file": "=cmd().mp4", "start_s": 1.0, "end_s": 3.0, "caption": "", "clip_id": "c"}
        rows = edit_lists.table("x", [record, {**record, "caption": "@x"}]).decode("utf-8-sig").splitlines()
        assert rows[1] == "'=cmd().mp4,1.0,3.0,,,,,c,"
        assert ",'@x," in rows[2]
