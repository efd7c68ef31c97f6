"""The pane's HTML and the answers' HTML: whole, escaped, and honest about what is left out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from media_factory import Media
from toy_index import filled

from vidembed.errors import BadQuery, ConfigError
from vidembed.web import AppSettings, Site
from vidembed.web.answer_view import answered
from vidembed.web.asking import Ask
from vidembed.web.captioning import transcript_html

SAID = "1\n00:00:00,200 --> 00:00:00,900\nThe budget is {9} &lt;img src=x&gt; euros.\n"
WORDS = {"channels.speech_words.source": "speech", "channels.speech_words.model": "words", "segment.window_s": 1}


@pytest.fixture
def talk(media: Media, tmp_path: Path) -> Iterator[Site]:
    """A site over one video with a subtitle, and one that is silent."""
    (tmp_path / "videos").mkdir()
    shutil.copy(media.path("three_shots.mp4"), tmp_path / "videos" / "talk.mp4")
    shutil.copy(media.path("vfr.mp4"), tmp_path / "videos" / "silent.mp4")
    (tmp_path / "videos" / "talk.en.srt").write_text(SAID)
    with filled(tmp_path / "index", tmp_path / "videos", **WORDS) as index:
        made = Site(index)
        yield made
        made.close()


def ids(site: Site) -> dict[str, str]:
    return {record.info.path.stem: record.info.video_id for record in site.videos()}


def test_lines_have_their_times_and_no_html_of_their_own(talk: Site) -> None:
    shown = transcript_html(talk, ids(talk)["talk"])
    assert 'data-start="0.200" data-end="0.900"' in shown
    assert "The budget is &#123;9&#125; &lt;img src=x&gt; euros." in shown
    assert 'title="en, talk.en.srt"' in shown
    assert transcript_html(talk, ids(talk)["silent"]) == ""


def test_an_answer_cites_the_words_and_what_was_looked_at_follows(talk: Site) -> None:
    *_, shown = answered(talk, Ask(text="What is the budget?"))
    head, _, below = shown.partition("</section>")
    assert "The budget is &#123;9&#125; &lt;img src=x&gt; euros." in head
    assert 'data-start="0.200" data-end="0.900"' in head
    assert "In the videos&#x27; own words" in head
    assert "ve-card" in below


def test_filters_hold_for_questions_too(talk: Site) -> None:
    *_, shown = answered(talk, Ask(text="What is the budget?", names="silent"))
    assert "The library does not show it" in shown


def test_a_question_too_long_is_refused_and_a_model_needs_its_endpoints_name(talk: Site) -> None:
    with pytest.raises(BadQuery, match="too long"):
        list(answered(talk, Ask(text="why " * 1000)))
    with pytest.raises(ConfigError, match="needs --ask-model"):
        AppSettings(ask_endpoint="http://127.0.0.1:1/v1")
