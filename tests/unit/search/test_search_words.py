"""Words that are said beside things that are seen."""

from __future__ import annotations

import pytest
from axes_index import Index, WordsEncoder

from vidembed.search.query import SearchOptions
from vidembed.types import Span, TextLine, TimedText


@pytest.fixture
def spoken(index: Index) -> Index:
    index.add_channel("speech_words", WordsEncoder())
    line = TextLine
    index.say("speech_words", "walk", TimedText((line(Span(0.5, 2), "welcome back"),)))
    index.say(
        "speech_words",
        "kitchen",
        TimedText(
            (line(Span(5, 6.5), "boil the rice"), line(Span(7, 8.2), "thanks for"), line(Span(8.2, 9), "watching"))
        ),
    )
    index.say("speech_words", "evening", TimedText((line(Span(1, 4), "watching the dog for rice thanks"),)))
    return index


def test_an_exact_phrase_comes_first_with_its_lines(spoken: Index) -> None:
    found = spoken.searcher().search("thanks for watching")
    # It stretches over two lines; the other clip has the same words in another order.
    assert found[0].video_id == "kitchen"
    assert found[0].span.iou(Span(7, 9)) > 0.9
    assert found[0].texts["speech_words"] == "thanks for watching"
    assert {hit.channel for hit in found[0].hits} >= {"speech_words"}
    assert found[0].confidence > 0.9
    assert found[1].video_id == "evening"


def test_words_find_their_line_within_a_second(spoken: Index) -> None:
    found = spoken.searcher().search("rice", SearchOptions(channels=["speech_words"]))
    assert {m.video_id for m in found} == {"kitchen", "evening"}
    kitchen = next(m for m in found if m.video_id == "kitchen")
    assert abs(kitchen.span.start_s - 5) <= 1
    assert abs(kitchen.span.end_s - 6.5) <= 1


def test_a_quoted_phrase_must_be_there_word_for_word(spoken: Index) -> None:
    found = spoken.searcher().search('"the dog"')
    assert found[0].video_id == "evening"
    assert found[0].texts["speech_words"] == "watching the dog for rice thanks"


def test_a_channel_without_an_answer_does_not_outvote_one_that_has(spoken: Index) -> None:
    # "bell" is seen in "short" alone, and nobody says it; "dog" is seen in "walk" and said in "evening".
    assert spoken.searcher().search("bell")[0].video_id == "short"
    assert {m.video_id for m in spoken.searcher().search("dog", SearchOptions(k=2, group_by_video=True))} == {
        "walk",
        "evening",
    }
    only_seen = spoken.searcher().search("dog", SearchOptions(weights={"speech_words": 0}))
    assert only_seen[0].video_id == "walk"
    assert all(hit.channel == "vision" for m in only_seen for hit in m.hits)


@pytest.mark.parametrize("fusion", ["rrf", "zscore", "dbsf", "evidence"])
def test_every_fusion_finds_them(spoken: Index, fusion: str) -> None:
    searcher = spoken.searcher()
    assert searcher.search("cook", SearchOptions(fusion=fusion))[0].video_id == "kitchen"  # type: ignore[arg-type]
    assert searcher.search("thanks for watching", SearchOptions(fusion=fusion))[0].video_id == "kitchen"  # type: ignore[arg-type]


def test_confidence_belongs_to_the_sentence_not_to_its_clip(spoken: Index) -> None:
    """One clip says both "boil the rice" and "thanks for": words of one sentence are surer than words of two."""
    searcher, only = spoken.searcher(), SearchOptions(channels=["speech_words"])
    together = searcher.search("boil rice", only)[0]
    apart = searcher.search("boil thanks", only)[0]
    assert together.texts["speech_words"] == "boil the rice"
    assert together.confidence == pytest.approx(0.88, abs=0.01)  # all words: 1 / (1 + exp(3 - 5))
    assert apart.confidence == pytest.approx(0.28, abs=0.02)  # one of two: 5 x 0.5^1.3 = 2.03


def test_an_answer_shows_the_whole_sentence_though_a_cut_divides_it(index: Index) -> None:
    def said(start: float, *words: str) -> TimedText:
        timed = tuple((start + i / 2, start + i / 2 + 0.4, word) for i, word in enumerate(words))
        return TimedText((TextLine(Span(start, timed[-1][1]), " ".join(words), words=timed),))

    index.add_channel("speech_words", WordsEncoder())
    index.say("speech_words", "kitchen", said(3.5, "now", "boil", "the"))
    index.say("speech_words", "kitchen", said(5.1, "rice", "slowly."))
    (moment, *_) = index.searcher().search("rice", SearchOptions(channels=["speech_words"]))
    assert moment.texts == {"speech_words": "now boil the rice slowly."}
    assert moment.marks == {"speech_words": ((13, 17),)}
    assert moment.span.start_s >= 4.5  # the moment is where the word is said


def test_a_lone_letter_is_no_good_match_where_it_is_said(spoken: Index) -> None:
    spoken.say("speech_words", "short", TimedText((TextLine(Span(0, 1), "x marks it"),)))
    only = SearchOptions(k=1, channels=["speech_words"])
    lone, quoted = (spoken.searcher().search(text, only)[0] for text in ("x", '"x"'))
    assert lone.video_id == quoted.video_id == "short"
    assert lone.confidence < 0.05 < 0.9 < quoted.confidence
