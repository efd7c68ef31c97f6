"""Media over HTTP: ranges, pieces, thumbnails, and nothing outside the library."""

from __future__ import annotations

import io
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from app_site import red_answer, toy_videos_path, video_named
from media_factory import ffmpeg_program
from starlette.testclient import TestClient

from vidembed import Query, VideoIndex
from vidembed.errors import MediaNotFound
from vidembed.media.reading.reader import open_video
from vidembed.types import Span
from vidembed.web import Site
from vidembed.web.searches import SearchAnswer
from vidembed.web.security import Guard


def opened_picture(content: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(PIL.Image.open(io.BytesIO(content)).convert("RGB"))


class TestExports:
    def test_json_is_what_the_command_line_prints(self, web: TestClient, guard: Guard) -> None:
        answer = red_answer(guard)
        record = web.get(f"/export/{answer.token}.json").json()["moments"][0]
        assert record["file"] == "red_blue.mp4"
        assert (record["start_s"], record["end_s"]) == (0.0, pytest.approx(2.0, abs=0.5))

    @pytest.mark.parametrize("kind", ["json", "csv", "edl", "fcpxml", "otio"])
    def test_people_elsewhere_see_no_folders(self, web: TestClient, guard: Guard, kind: str) -> None:
        answer = web.get(f"/export/{red_answer(guard).token}.{kind}")
        assert answer.headers["content-disposition"] == f'attachment; filename="moments.{kind}"'
        assert b"red_blue" in answer.content
        assert str(Path(toy_videos_path(guard.site.index)).parent) not in answer.text

    def test_only_the_chosen_moments(self, web: TestClient, guard: Guard) -> None:
        moments = guard.site.index.search("red", k=3)
        token = guard.site.answers.keep(SearchAnswer((Query.text("red"),), "red", tuple(moments))).token
        chosen = web.get(f"/export/{token}.json?only=0,2").json()["moments"]
        assert [one["clip_id"] for one in chosen] == [moments[0].clip_id, moments[2].clip_id]
        assert web.get(f"/export/{token}.json?only=9").status_code == 404
        assert web.get(f"/export/{token}.json?only=x").status_code == 404
        assert web.get(f"/export/{token}.exe").status_code == 404

    def test_a_reel_of_the_chosen(self, web: TestClient, guard: Guard, tmp_path: Path) -> None:
        from vidembed.media.reading.probe import probe

        answer = red_answer(guard)
        (tmp_path / "reel.mp4").write_bytes(web.get(f"/export/{answer.token}.mp4?only=0").content)
        assert probe(tmp_path / "reel.mp4").duration_s == pytest.approx(answer.moments[0].span.duration_s, abs=0.1)


class TestMedia:
    def test_ranges(self, web: TestClient, shared: VideoIndex, library: Path) -> None:
        whole = (library / "red_blue.mp4").read_bytes()
        address = f"/media/{video_named(shared, 'red_blue.mp4')}"
        part = web.get(address, headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, whole[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
        assert web.get(address).content == whole
        assert web.get(address, headers={"Range": "bytes=99999999-"}).status_code == 416

    def test_a_piece_says_where_it_begins(self, web: TestClient, shared: VideoIndex) -> None:
        answer = web.get(f"/piece/{video_named(shared, 'red_blue.mp4')}?start_s=2.5")
        assert (answer.status_code, answer.headers["x-start-s"]) == (200, "0.000")
        assert answer.content[4:8] == b"ftyp"

    def test_a_piece_from_the_start_of_an_avi_begins_with_its_first_picture(self, site: Site, library: Path) -> None:
        film = library / "film.avi"
        source = f"-v error -i {library / 'red_blue.mp4'} -c:v mpeg4 -bf 2 -g 100 -an {film}"
        subprocess.run([ffmpeg_program(), *source.split()], check=True, capture_output=True)
        site.index.add(film)
        piece, span = site.media.piece(video_named(site.index, "film.avi"), 0.0)
        with open_video(piece, site.index.config.media) as opened:
            red, blue = opened.frames([0.0, 3.0], short_side_px=48).rgb.astype(int).mean(axis=(1, 2))
        assert span.start_s == 0
        assert red[0] > 200 > 60 > red[2]
        assert blue[2] > 200 > 60 > blue[0]

    def test_what_browsers_play_is_known_by_all_codecs(self, site: Site, library: Path, web: TestClient) -> None:
        assert web.get(f"/playable/{video_named(site.index, 'green.mp4')}").json() == {"plays": True}
        mute = library / "mute.mp4"
        source = f"-v error -i {library / 'red_blue.mp4'} -f lavfi -i sine=440:duration=4"
        made = f"-map 0:v -map 1:a -c:v copy -c:a ac3 {mute}"
        command = [ffmpeg_program(), *source.split(), *made.split()]
        subprocess.run(command, check=True, capture_output=True)
        site.index.add(mute)
        assert not site.media.plays(video_named(site.index, "mute.mp4"))

    def test_a_frame_is_the_decoders(self, web: TestClient, shared: VideoIndex, library: Path) -> None:
        """The film is eight frames side by side: four of the red half, four of the blue."""
        video = video_named(shared, "red_blue.mp4")
        with open_video(library / "red_blue.mp4", shared.config.media) as opened:
            times = Span(0.0, 4.0).middles_s(8)
            decoded = opened.frames(times, short_side_px=240).rgb
        film = opened_picture(web.get(f"/film/{video}?start=0&end=4").content)
        height, width = decoded.shape[1:3]
        assert film.shape == (height, 8 * width, 3)
        for place, picture in enumerate(decoded):
            part = film[:, place * width : (place + 1) * width]
            assert abs(part.astype(int) - picture.astype(int)).mean() < 3
        shown = opened_picture(web.get(f"/frame/{video}?at={times[5]}").content)
        assert abs(shown.astype(int) - decoded[5].astype(int)).mean() < 3
        assert shown[..., 2].mean() > 200 > 60 > shown[..., 0].mean()

    def test_frames_beyond_the_ends_and_no_stretch(self, web: TestClient, shared: VideoIndex) -> None:
        video = video_named(shared, "red_blue.mp4")
        for at in ("-5", "1e9", "nan", "inf"):
            assert web.get(f"/frame/{video}?at={at}").status_code == 200
        for query in ("start=3&end=1", "start=0&end=inf", "start=nan&end=2"):
            assert web.get(f"/film/{video}?{query}").status_code == 404

    def test_a_thumbnail_is_the_clips_own_colour(self, web: TestClient, shared: VideoIndex) -> None:
        clip = shared.search("red", k=1)[0].clip_id
        answer = web.get(f"/thumb/{clip}")
        assert answer.headers["content-type"] == "image/jpeg"
        colour = np.asarray(PIL.Image.open(io.BytesIO(answer.content)).convert("RGB")).mean(axis=(0, 1))
        assert colour[0] > 200 > 60 > colour[2]

    @pytest.mark.parametrize("what", ["media", "piece", "thumb", "captions"])
    @pytest.mark.parametrize("name", ["0" * 32, "..%2f..%2fetc%2fpasswd", "%2e%2e", "x" * 5000, "a%00b"])
    def test_only_ids_of_the_library(self, web: TestClient, what: str, name: str) -> None:
        answer = web.get(f"/{what}/{name}")
        assert answer.status_code == 404
        assert "root:" not in answer.text

    def test_a_file_swapped_for_a_link_elsewhere_is_not_served(
        self, site: Site, library: Path, films: Path, tmp_path: Path
    ) -> None:
        secret = tmp_path / "secret.mp4"
        secret.write_text("the secret")
        video = video_named(site.index, "green.mp4")
        assert site.media.original(video) == library / "green.mp4"
        (library / "green.mp4").unlink()
        (library / "green.mp4").symlink_to(secret)
        with pytest.raises(MediaNotFound):
            site.media.original(video)
        (library / "green.mp4").unlink()
        (library / "green.mp4").symlink_to(films / "green.mp4")
        assert site.media.original(video)  # the same film by another way is what was indexed

    @pytest.mark.parametrize(
        "address",
        ["/gradio_api/file=/etc/passwd", "/file=/etc/passwd", "/gradio_api/file=../../../../etc/passwd",
         "/static/../../../etc/passwd", "/gradio_api/proxy=http://127.0.0.1:1/"],
    )  # fmt: skip
    def test_gradios_own_addresses_give_no_files(self, web: TestClient, address: str) -> None:
        answer = web.get(address)
        assert answer.status_code in (400, 403, 404)
        assert "root:" not in answer.text

    def test_nor_files_of_the_index(self, web: TestClient, shared: VideoIndex) -> None:
        for name in ("index.json", "catalog.sqlite"):
            assert web.get(f"/gradio_api/file={shared.path / name}").status_code in (403, 404)


def test_originals_that_are_gone_are_said(site: Site, library: Path) -> None:
    video = video_named(site.index, "green.mp4")
    (library / "green.mp4").unlink()
    with pytest.raises(MediaNotFound):
        site.media.original(video)


def test_tidying_goes_on_where_another_was_first(tmp_path: Path) -> None:
    """A link that leads nowhere is as a file that went between the listing and the look."""
    from vidembed.web.media import tidy

    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    for age, name in enumerate(["new.jpg", "old.jpg", "older.jpg"]):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    tidy(tmp_path, "*.jpg", 200, keep=tmp_path / "older.jpg")
    assert sorted(path.name for path in tmp_path.iterdir() if path.exists()) == ["new.jpg", "old.jpg", "older.jpg"]
    tidy(tmp_path, "*.jpg", 200, keep=tmp_path / "new.jpg")
    assert sorted(path.name for path in tmp_path.iterdir() if path.exists()) == ["new.jpg", "old.jpg"]


def test_pieces_are_made_once_and_tidied(index: VideoIndex, tmp_path: Path) -> None:
    from vidembed.web.media import MediaFiles

    files = MediaFiles(index, tmp_path / "pieces", max_bytes=1)
    video = video_named(index, "green.mp4")
    made: list[Path] = []
    threads = [threading.Thread(target=lambda: made.append(files.piece(video, 0.0)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    files.piece(video_named(index, "red_blue.mp4"), 0.0)
    assert len(list((tmp_path / "pieces").glob("*.mp4"))) == 1  # above the limit only the newest stays
