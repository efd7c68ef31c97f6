"""Changes on many videos at once, captions that are taken back, channels that are switched on, progress of cutting."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from app_site import red_answer, video_named
from PIL import Image, ImageDraw, ImageFont
from starlette.testclient import TestClient

from vidembed import open_index
from vidembed.errors import InputError
from vidembed.types import Candidate, Caption
from vidembed.web import Site, cards
from vidembed.web.asking import Ask, run
from vidembed.web.captioning import edit
from vidembed.web.captions_tab import lines_html
from vidembed.web.changes import delete_caption, offers, offers_html, revert_caption, switch_on
from vidembed.web.export import written
from vidembed.web.library_tab import act
from vidembed.web.library_view import table_html
from vidembed.web.security import Guard


def tags_of(site: Site) -> dict[str, dict[str, str]]:
    return {record.info.path.name: dict(record.tags) for record in site.videos()}


def written_film(path: Path, text: str) -> Path:
    """Two seconds of a text on white."""
    picture = Image.new("RGB", (640, 360), "white")
    ImageDraw.Draw(picture).text((60, 130), text, "black", ImageFont.load_default(64))
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=5, options={"crf": "15"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for _ in range(10):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        film.mux(stream.encode())
    return path


class TestTags:
    def test_of_the_ticked_videos(self, site: Site) -> None:
        both = ",".join(record.info.video_id for record in site.videos())
        assert "2 videos tagged place" in act(site, "tag-chosen", {"videos": both, "text": " place = hall "})
        assert tags_of(site) == {"green.mp4": {"place": "hall"}, "red_blue.mp4": {"place": "hall"}}
        green = video_named(site.index, "green.mp4")
        act(site, "tag", {"video": green, "text": "seen"})
        page = cards.video_page(site, green)
        assert "place=hall" in page
        assert 'data-tag="seen"' in page
        act(site, "untag", {"video": green, "tag": "place"})
        assert tags_of(site)["green.mp4"] == {"seen": ""}

    @pytest.mark.parametrize("given", [{"videos": "", "text": "a"}, {"videos": "0" * 32, "text": "a"}])
    def test_nothing_chosen_says_so(self, site: Site, given: dict[str, str]) -> None:
        with pytest.raises(InputError, match="tick some|choose a video"):
            act(site, "tag-chosen", given)

    def test_a_tag_has_a_name(self, site: Site) -> None:
        with pytest.raises(InputError, match="needs a name"):
            act(site, "tag", {"video": video_named(site.index, "green.mp4"), "text": "=hall"})

    def test_ticked_videos_are_removed_together(self, site: Site) -> None:
        assert table_html(site, "").count('type="checkbox"') == 2
        act(site, "remove-chosen", {"videos": ",".join(record.info.video_id for record in site.videos())})
        assert site.videos() == []
        assert {one.name for one in site.bin.all()} == {"green.mp4", "red_blue.mp4"}


class TestCaptions:
    def test_of_all_ticked_videos(self, site: Site) -> None:
        videos = [record.info.video_id for record in site.videos()]
        assert act(site, "caption-chosen", {"videos": ",".join(videos)}) == ""
        assert site.jobs.wait(60)
        (job,) = site.jobs.all()
        assert (job.state, job.title) == ("done", "Captioning green.mp4 and 1 more")
        assert all(site.index.captions(video_id) for video_id in videos)

    def given(self, site: Site, *, confident: bool = True) -> Caption:
        clip = site.index.clips(video_named(site.index, "green.mp4"))[0]
        best = Candidate("a green wall", {"vision": 0.4})
        return Caption(
            clip, "a meadow", 0.7, (Candidate("a meadow", {"vision": 0.1}), best), "toy", confident=confident
        )

    def test_a_deleted_one_is_found_no_more(self, site: Site) -> None:
        one = self.given(site)
        site.index.save_captions([one])
        assert "Delete" in lines_html(site, [one.clip.video_id])
        delete_caption(site, one.clip.clip_id)
        assert site.index.captions() == []
        assert "Delete" not in lines_html(site, [one.clip.video_id])
        with pytest.raises(InputError, match="no caption"):
            delete_caption(site, one.clip.clip_id)

    def test_the_models_comes_back_in_place_of_a_persons(self, site: Site) -> None:
        one = self.given(site)
        site.index.save_captions([one])
        with pytest.raises(InputError, match="go back to"):
            revert_caption(site, one.clip.clip_id)
        edit(site, one.clip.clip_id, "my own words")
        revert_caption(site, one.clip.clip_id)
        (held,) = site.index.captions()
        assert (held.text, held.human) == ("a green wall", False)  # the best of the candidates

    def test_guesses_are_left_out_of_a_videos_page(self, site: Site) -> None:
        one = self.given(site, confident=False)
        site.index.save_captions([one])
        assert "a meadow" not in cards.video_page(site, one.clip.video_id)
        edit(site, one.clip.clip_id, "a meadow, surely")
        assert "a meadow, surely" in cards.video_page(site, one.clip.video_id)


class TestChannels:
    @pytest.mark.filterwarnings("ignore")  # of the package that reads
    def test_what_is_written_is_found_once_it_is_switched_on(self, tmp_path: Path) -> None:
        pytest.importorskip("rapidocr")
        with open_index(tmp_path / "index", profile="starter") as index:
            index.add(written_film(tmp_path / "sign.mp4", "PLATFORM NINE"), channels=["vision"])
            site = Site(index)
            offer = next(one for one in offers(site) if (one.source, one.model) == ("ocr", "words"))
            (film,) = site.videos()
            assert 0 < offer.seconds < film.info.duration_s  # faster than real time
            assert {one.name for one in offers(site)}.isdisjoint(index.parts.specs)
            assert f'data-channel="{offer.name}"' in offers_html(site)
            assert act(site, "channel", {"channel": offer.name}) == ""
            assert site.jobs.wait(120)
            assert [job.state for job in site.jobs.all()] == ["done"]
            best = run(site, Ask(text="platform nine")).moments[0]
            assert best.texts[offer.name].upper() == "PLATFORM NINE"
            assert offer.name not in {one.name for one in offers(site)}  # it is on now
            site.close()

    def test_only_what_is_offered_is_switched_on(self, site: Site) -> None:
        with pytest.raises(InputError, match="cannot be switched on"):
            switch_on(site, "vision")


def test_the_progress_of_cutting(web: TestClient, guard: Guard) -> None:
    answer, told = red_answer(guard), []
    written(guard.site, answer, "mp4", progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 1), (1, 1)]
    assert web.get(f"/export/{answer.token}.zip?ticket=abc").status_code == 200
    assert web.get("/cutting/abc").json() == {"done": 1, "total": 1}
    assert web.get("/cutting/other").json() == {"done": 0, "total": 0}
