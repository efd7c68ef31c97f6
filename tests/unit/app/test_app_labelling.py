"""A person's own words as tags: found, accepted and rejected, kept, counted, and what they narrow."""

from __future__ import annotations

import re

import pytest
from app_site import video_named

from vidembed.errors import InputError
from vidembed.index.classifying import LabelExample
from vidembed.types import Filter
from vidembed.web import Site, cards, mapping
from vidembed.web.asking import Ask, filter_of, run
from vidembed.web.changes import facets
from vidembed.web.labelling import judged, labelled_html, labels_of, save_labels


def chips(html: str) -> dict[str, int]:
    return {tag: int(number) for tag, number in re.findall(r'data-tag="([^"]+)"[^>]*>[^<]* (\d+)</button>', html)}


class TestLabels:
    def test_what_somebody_typed(self) -> None:
        animals = labels_of(" a dog\n\na  cat\na dog", " animal ", one=False)
        assert animals == {"animal": {"several": ["a dog", "a cat"]}}
        assert labels_of("dog", "", one=True) == {"label": {"one_of": ["dog"]}}
        with pytest.raises(InputError, match="no labels yet"):
            labels_of(" \n", "animal", one=False)

    def test_the_last_verdict_on_a_clip_counts(self) -> None:
        known = judged(judged((), "accept", "dog", "c1"), "reject", "dog", "c2")
        assert judged(known, "reject", "dog", "c1") == (
            LabelExample("dog", "c2", accepted=False), LabelExample("dog", "c1", accepted=False)
        )  # fmt: skip
        with pytest.raises(InputError, match="unknown action"):
            judged(known, "remove", "dog", "c1")

    def test_what_has_a_label_is_shown_and_kept_as_a_tag(self, site: Site) -> None:
        labels = labels_of("green\nblue", "colour", one=False)
        html = labelled_html(site, labels, ())
        green, blue = html.index(">green <span>1</span>"), html.index(">blue <span>1</span>")
        assert green < html.index('title="green.mp4"') < blue < html.index('title="red_blue.mp4"')
        assert html.count("ve-card") == 2
        assert "colour: " not in save_labels(site, labels, ())
        assert site.index.catalog.tags.counts()["colour"] == {"blue": 1, "green": 1}
        clip_id = re.search(r'data-action="accept" data-tag="green" data-clip="([^"]+)"', html)
        assert clip_id is not None
        taught = labelled_html(site, labels, (LabelExample("green", clip_id[1], accepted=False),))
        assert "green.mp4" not in taught, "the one that was rejected has the label no more"

    def test_nothing_found_says_so(self, site: Site) -> None:
        assert "Nothing has these labels" in labelled_html(site, labels_of("a bagpipe", "x", one=False), ())


class TestFacets:
    @pytest.fixture
    def tagged(self, site: Site) -> Site:
        green, both = (video_named(site.index, name) for name in ("green.mp4", "red_blue.mp4"))
        site.index.tag([green], {"place": "hall", "shot": "2026-05-03T12:00:00+00:00"})
        site.index.tag([both], {"place": "hall; yard", "checked": "", "shot": "2026-06-01T12:00:00+00:00"})
        return site

    def test_tags_are_counted(self, tagged: Site) -> None:
        everything = [record.info.video_id for record in tagged.videos()]
        assert chips(facets(tagged, everything)) == {"place=hall": 2, "checked": 1, "place=yard": 1}
        assert chips(facets(tagged, everything, "place=hall")) == {"checked": 1, "place=yard": 1}
        assert facets(tagged, []) == ""

    def test_an_answer_is_narrowed(self, tagged: Site) -> None:
        found = run(tagged, Ask(text="red", tags="place=yard"))
        assert chips(cards.results(tagged, found, floor=0.5)) == {"checked": 1, "place=hall": 1}

    @pytest.mark.parametrize(
        ("ask", "names"),
        [
            (Ask(), {"green.mp4", "red_blue.mp4"}),
            (Ask(tags="checked"), {"red_blue.mp4"}),
            (Ask(shot_after="2026-05-15"), {"red_blue.mp4"}),
            (Ask(shot_before="2026-05-15"), {"green.mp4"}),
            (Ask(shot_after="2026-07"), set()),
        ],
    )
    def test_without_words_the_filters_say_what_is_shown(self, tagged: Site, ask: Ask, names: set[str]) -> None:
        html = cards.welcome(tagged, filter_of(ask), address=ask.address)
        assert set(re.findall(r'class="ve-file" title="([^"]+)"', html)) == names

    def test_the_date_of_capture_limits_a_search(self, tagged: Site) -> None:
        found = run(tagged, Ask(text="green", shot_after="2026-05-15"))
        assert {moment.path.name for moment in found.moments} == {"red_blue.mp4"}
        assert found.name == "“green”, shot after 2026-05-15"
        assert "shot_after=2026-05-15" in found.address

    def test_clips_stand_in_the_order_in_which_they_were_shot(self, tagged: Site) -> None:
        made = mapping.date_map(tagged, "vision")
        names = {record.info.video_id: record.info.path.name for record in tagged.videos()}
        shown = [(names[clip.video_id], clip.span.start_s) for clip in made.clips]
        assert shown == sorted(shown), "green.mp4 was shot before red_blue.mp4"
        assert made.places[:, 0].tolist() == sorted(made.places[:, 0].tolist())
        first = [name for name, _ in shown].index("red_blue.mp4")
        assert made.ticks == ((0.0, "2026-05-03"), (first / len(shown), "2026-06-01"))

    def test_clips_without_a_date_are_left_out(self, site: Site) -> None:
        site.index.tag([video_named(site.index, "green.mp4")], {"shot": "last summer"})
        assert mapping.date_map(site, "vision").clips == []
        assert filter_of(Ask(shot_after="2026")) != Filter()
