"""What is remembered of a search: exports, timelines, tokens; libraries that are empty or change meanwhile."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from app_site import red_answer, video_named
from starlette.testclient import TestClient

from vidembed import VideoIndex, open_index
from vidembed.web import Site
from vidembed.web.asking import Ask, run
from vidembed.web.security import Guard


class TestAnswers:
    def test_exports_and_timeline(self, web: TestClient, guard: Guard) -> None:
        answer = red_answer(guard)
        body = json.loads(web.get(f"/export/{answer.token}.json").text)
        assert body["moments"][0]["file"] == "red_blue.mp4"
        csv = web.get(f"/export/{answer.token}.csv")
        assert "attachment" in csv.headers["content-disposition"]
        curve = web.get(f"/curve/{answer.token}/0").text
        assert 'data-duration="4.0' in curve
        assert 'data-time="0.000"' in curve

    def test_the_cut_clip_shows_what_was_found(self, web: TestClient, guard: Guard, tmp_path: Path) -> None:
        from vidembed.media.reading.reader import open_video

        answer = red_answer(guard)
        with zipfile.ZipFile(io.BytesIO(web.get(f"/export/{answer.token}.zip").content)) as archive:
            name = next(n for n in archive.namelist() if n.endswith(".mp4"))
            archive.extract(name, tmp_path)
        with open_video(tmp_path / name) as video:
            red, _, blue = video.frames([0.1], short_side_px=16).rgb[0].mean(axis=(0, 1))
        assert red > 200 > 60 > blue

    def test_tokens_cannot_be_guessed(self, web: TestClient, guard: Guard) -> None:
        answer = red_answer(guard)
        assert web.get(f"/curve/{answer.token}/7").status_code == 404
        assert web.get("/curve/nothing/0").status_code == 404
        assert web.get(f"/export/{answer.token}.exe").status_code == 404


def test_searching_an_empty_library_is_no_error(tmp_path: Path) -> None:
    with open_index(tmp_path / "index", profile="toy", overrides={"store.kind": "memory"}) as empty:
        made = Site(empty)
        assert run(made, Ask(text="red")).moments == ()
        made.close()


def test_a_video_taken_out_during_a_search_is_no_answer(
    index: VideoIndex, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, real = video_named(index, "red_blue.mp4"), index.catalog.videos.paths_of_many
    monkeypatch.setattr(index.catalog.videos, "paths_of_many", lambda ids: real(v for v in ids if v != gone))
    assert {moment.path.name for moment in index.search("red", k=5)} == {"green.mp4"}
