"""What a camera wrote into a file, and filters by it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from media_factory import ffmpeg_program
from toy_index import filled
from toy_videos import make

from vidembed.errors import InputError
from vidembed.media.captured import captured, distance_km, facts_of, point
from vidembed.types import Filter
from vidembed.types.time import parse_date, parse_place


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("+48.8600+002.3500+035.000/", (48.86, 2.35)),
        ("-33.8568+151.2153/", (-33.8568, 151.2153)),
        ("+4830.0-00221.00/", (48.5, -2.35)),  # minutes
        ("+483000+0022100/", (48.5, 2.35)),  # minutes and seconds
        ("Paris", None),
        ("+95.0+002.0/", None),
    ],
)
def test_places_of_iso_6709(text: str, degrees: tuple[float, float] | None) -> None:
    assert point(text) == (None if degrees is None else pytest.approx(degrees))


def test_facts_of_phones_and_cameras() -> None:
    apple = {
        "creation_time": "2026-05-03T10:00:00.000000Z",
        "com.apple.quicktime.creationdate": "2026-05-03T12:00:00+0200",
        "com.apple.quicktime.location.iso6709": "+48.8600+002.3500+035/",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.model": "iPhone 15",
    }
    assert facts_of([apple]) == {
        "shot": "2026-05-03T12:00:00+02:00", "gps": "48.86000,2.35000", "camera_model": "Apple iPhone 15"
    }  # fmt: skip
    gopro = [{"creation_time": "2025-01-02T03:04:05.000000Z"}, {"handler_name": "GoPro AVC  "}]
    assert facts_of(gopro) == {"shot": "2025-01-02T03:04:05+00:00", "camera_model": "GoPro"}
    assert facts_of([{"make": "Canon", "model": "Canon EOS R5"}]) == {"camera_model": "Canon EOS R5"}
    assert facts_of([{"creation_time": "1904-01-01T00:00:00.000000Z", "date": "2026", "location": "here"}]) == {}


def test_distances() -> None:
    assert distance_km((48.8566, 2.3522), (52.52, 13.405)) == pytest.approx(878, abs=2)  # Paris, Berlin
    assert distance_km((0, 179.5), (0, -179.5)) == pytest.approx(111.2, abs=0.1)  # over the date line


def test_dates_and_places_of_the_command_line() -> None:
    assert parse_date("2026-05", name="--shot-after") == parse_date("2026-05-01", name="--shot-after")
    assert parse_place("48.86, 2.35", name="--near") == (48.86, 2.35)
    with pytest.raises(InputError, match="--near takes LAT,LON in degrees"):
        parse_place("91,2", name="--near")


def test_videos_are_found_by_what_the_camera_wrote(tmp_path: Path) -> None:
    plain = make(tmp_path / "plain.mp4", "red", hz=None)
    videos = tmp_path / "videos"
    videos.mkdir()
    for name, date, place in (
        ("paris", "2026-05-03T10:00:00Z", "+48.8600+002.3500/"),
        ("berlin", "2024-01-01T00:00:00Z", "+52.5200+013.4050/"),
    ):
        tags = ["-metadata", f"creation_time={date}", "-metadata", f"location={place}"]
        target = f"file:{videos / name}.mp4"
        subprocess.run(
            [ffmpeg_program(), "-v", "error", "-i", f"file:{plain}", "-c", "copy", *tags, target], check=True
        )
    assert captured(videos / "paris.mp4") == {"shot": "2026-05-03T10:00:00+00:00", "gps": "48.86000,2.35000"}
    assert captured(plain) == {}
    assert captured(tmp_path / "none.mp4") == {}
    make(videos / "unknown.mp4", "red", "blue", hz=None)
    with filled(tmp_path / "index", videos) as index:

        def found(**wanted: object) -> set[str]:
            return {moment.path.stem for moment in index.search("red", where=Filter(**wanted))}  # type: ignore[arg-type]

        assert found() == {"paris", "berlin", "unknown"}
        assert found(shot_after=parse_date("2026-05", name="x")) == {"paris"}
        assert found(shot_before=parse_date("2025", name="x")) == {"berlin"}
        assert found(near=(48.85, 2.29), within_km=5.0) == {"paris"}
        assert found(near=(48.85, 2.29), within_km=1.0) == set()
        assert found(tags=["shot>=2026"]) == {"paris"}
