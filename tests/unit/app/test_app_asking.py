"""What people ask of a library: sequences, parts of pictures, fields that cannot be read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import toy_videos
from app_site import search, video_named
from media_factory import colour, ffmpeg_program
from starlette.testclient import TestClient

from vidembed.errors import BadQuery, InputError
from vidembed.media.images import load_image
from vidembed.web import Site
from vidembed.web.asking import Ask, run, wrong_fields
from vidembed.web.media import Region

BOX = (0.5, 0.0, 0.5, 1.0)


class TestSequences:
    def test_what_follows_in_one_video(self, site: Site) -> None:
        found = run(site, Ask(text="red", then="blue", k=1))
        assert [moment.path.name for moment in found.moments] == ["red_blue.mp4"] * 2
        red, blue = found.moments
        assert red.span.end_s <= blue.span.start_s
        assert (red.best_s < 2, blue.best_s >= 2) == (True, True)
        assert found.name == "“red”, then “blue”"
        assert "then=blue" in found.address

    def test_further_steps_are_written_after_a_semicolon(self) -> None:
        assert Ask(text="a", then=" b ;; c").steps == ["b", "c"]
        assert Ask(text="a", then="b", gap="0:10").limits == ["steps at most 0:10 apart"]

    def test_nothing_follows_the_end(self, site: Site) -> None:
        assert not any(moment.good_match for moment in run(site, Ask(text="blue", then="red", k=3)).moments[:2])


class TestParts:
    def test_what_is_in_the_box(self, site: Site, tmp_path: Path) -> None:
        """A film that is red on the left and green on the right."""
        film = tmp_path / "halves.mp4"
        sides = [*colour("red", 1), *colour("lime", 1)]
        subprocess.run([ffmpeg_program(), "-v", "error", "-y", *sides, "-filter_complex", "hstack",
                        "-pix_fmt", "yuv444p", str(film)], check=True)  # fmt: skip
        site.index.add(film)
        halves = video_named(site.index, "halves.mp4")
        right = load_image(site.pictures.part(Region(halves, 0.5, BOX)), limits=site.index.config.media.limits)
        left = load_image(
            site.pictures.part(Region(halves, 0.5, (0.0, 0.0, 0.5, 1.0))), limits=site.index.config.media.limits
        )
        assert np.abs(right.mean(axis=(0, 1)) - (0, 255, 0)).max() < 25
        assert np.abs(left.mean(axis=(0, 1)) - (255, 0, 0)).max() < 25
        found = run(site, Ask(region=f"{halves}@0.5@0.5,0,0.5,1", k=1)).moments[0]
        assert found.path.name == "green.mp4"

    @pytest.mark.parametrize("text", ["", "x@1@0,0,1,1", f"{'0' * 32}@1@0,0,0,1", f"{'0' * 32}@1@0.6,0,0.6,1",
                                      f"{'0' * 32}@nan@0,0,1,1"])  # fmt: skip
    def test_what_is_no_box_is_refused(self, text: str) -> None:
        with pytest.raises(InputError, match="no part of a picture"):
            Region.parse(text)

    def test_a_tiny_box_is_made_large_enough_to_be_seen(self, site: Site) -> None:
        video = video_named(site.index, "green.mp4")
        made = site.pictures.part(Region(video, 0.5, (0.999, 0.999, 0.001, 0.001)))
        assert load_image(made, limits=site.index.config.media.limits).shape[:2] == (24, 24)

    def test_a_part_and_a_picture_are_too_much(self, site: Site, tmp_path: Path) -> None:
        import PIL.Image

        picture = tmp_path / "a.png"
        PIL.Image.new("RGB", (8, 8)).save(picture)
        video = video_named(site.index, "green.mp4")
        with pytest.raises(BadQuery, match="a picture and a part of a picture"):
            run(site, Ask(region=f"{video}@0.5@0,0,1,1", image=str(picture)))

    def test_over_http(self, web: TestClient, guard: object) -> None:
        site = guard.site  # type: ignore[attr-defined]
        video = video_named(site.index, "green.mp4")
        assert web.get(f"/part/{video}@0.5@0,0,1,1").headers["content-type"] == "image/jpeg"
        assert web.get(f"/part/{video}@0.5@0,0,2,1").status_code == 404


def test_an_answer_leaves_the_form_alone(web: TestClient) -> None:
    """Gradio makes every part anew that an answer names without changing it: thrice the work of the search."""
    config = web.get("/config").json()
    kinds = {part["id"]: part["type"] for part in config["components"]}
    numbers = {part["props"].get("elem_id"): part["id"] for part in config["components"]}
    pressed = [numbers["ve-go"], "click"]
    searching = next(one for one in config["dependencies"] if pressed in [list(t) for t in one["targets"]])
    assert {kinds[number] for number in searching["outputs"]} == {"html", "state"}
    update = {"__type__": "update"}
    assert update not in search(web, {"text": "red"})["data"]


class TestFields:
    def test_each_that_cannot_be_read_is_named(self, site: Site) -> None:
        wrong = wrong_fields(site, {"within": "2:00-1:00", "after": "2026-02-30", "names": "x", "gap": "soon"})
        assert set(wrong) == {"within", "after", "gap"}

    def test_the_error_stands_beside_its_field(self, web: TestClient) -> None:
        told = search(web, {"text": "red", "within": "x"})
        assert "data-marks" in told["data"][0], "the script asks what is wrong with the fields"
        told = search(web, {}, part="ve-search-said", event="select")
        marked = [part for part in told["data"] if isinstance(part, dict) and part.get("elem_classes") == ["ve-wrong"]]
        assert len(marked) == 1
        assert "0:30-2:00" in marked[0]["info"]


def test_less_hides_what_is_like_it_and_nothing_else(site: Site, library: Path) -> None:
    """The rest keeps its strength: of two red films one is named, both go, and blue is as sure as before."""
    toy_videos.make(library / "red again.mp4", "red", "red", hz=None)
    site.index.add(library)
    before = {moment.clip_id: moment for moment in run(site, Ask(text="red", k=20)).moments}
    named = next(moment for moment in before.values() if moment.path.name == "red_blue.mp4" and moment.best_s < 2)
    after = {moment.clip_id: moment for moment in run(site, Ask(text="red", unlike=[named.clip_id], k=20)).moments}
    assert "red again.mp4" in {moment.path.name for moment in before.values()}
    assert "red again.mp4" not in {moment.path.name for moment in after.values()}
    assert named.clip_id not in after
    both = set(before) & set(after)
    assert both
    assert {clip: after[clip].hits[0].score for clip in both} == {clip: before[clip].hits[0].score for clip in both}


def test_no_channel_ticked_is_said_and_nothing_is_searched(site: Site) -> None:
    from vidembed.web.search_form import Examples
    from vidembed.web.search_tab import _answer

    body, _ = _answer(site, {"text": "red", "channels": [], "weight:vision": 1.0}, Examples(), 12, "")
    assert "No channel is ticked" in body
    assert "ve-card" not in body
