"""Speech: what is believed of what was recognised, and how it is sliced."""

from __future__ import annotations

from typing import Any

import pytest

from vidembed.errors import ConfigError
from vidembed.sources._transcript import Thresholds, Transcript, Utterance, Word, is_loop, sentences, without_echoes
from vidembed.sources.speech import SpeechSource
from vidembed.types import Span, TimedText

BELIEVED = {
    "logprob": -0.3,
    "compression": 1.2,
    "no_speech": 0.1,
    "probability": 0.8,
    "temperature": 0.0,
    "text": "Hello there.",
}


def words(text: str, start_s: float = 0.0, step_s: float = 0.5) -> list[Word]:
    return [Word(start_s + i * step_s, start_s + (i + 0.8) * step_s, f" {w}", 0.9) for i, w in enumerate(text.split())]


def utterance(text: str, start_s: float = 0.0) -> Utterance:
    return Utterance(tuple(words(text, start_s)), "en")


class TestWhatIsBelieved:
    def test_an_ordinary_sentence_is(self) -> None:
        assert Thresholds().believes(**BELIEVED)  # type: ignore[arg-type]

    def test_a_chorus_that_is_clearly_sung_is(self) -> None:
        assert Thresholds().believes(**{**BELIEVED, "compression": 2.8, "probability": 0.9})  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "signs",
        [
            {"logprob": -1.1},
            {"compression": 2.5, "probability": 0.75},
            {"no_speech": 0.5, "logprob": -0.75},
            {"probability": 0.4},
            {"probability": 0.55, "temperature": 0.4},
            {"text": "Thanks for watching!", "probability": 0.7},
            {"text": "[Music]"},
            {"text": " (applause) "},
            {"text": "♪ la ♪"},
            {"text": "... !"},
            {"text": "no no no no no no no"},
        ],
    )
    def test_signs_of_invention(self, signs: dict[str, Any]) -> None:
        assert not Thresholds().believes(**{**BELIEVED, **signs})

    @pytest.mark.parametrize(
        ("text", "loop"),
        [
            ("one two one two one two one two", True),
            ("thank you very much thank you very much thank you very much", True),
            ("ＡＢ" * 12, True),
            ("now is the time for all good men to come to the aid of the party", False),
            ("yes yes yes", False),
            ("今天天气很好我们去公园散步吧", False),
        ],
    )
    def test_loops(self, text: str, loop: bool) -> None:
        assert is_loop(text) is loop

    def test_echoes_are_reduced_to_one(self) -> None:
        said = [utterance(t) for t in ("Hi.", "Thank you.", "thank you.", "Thank you.", "Yes.", "Yes.")]
        assert [u.text for u in without_echoes(said)] == ["Hi.", "Thank you.", "Yes.", "Yes."]

    def test_unknown_thresholds_are_refused(self) -> None:
        with pytest.raises(ConfigError, match="loudness") as caught:
            SpeechSource(thresholds={"loudness": 1})
        assert "min_logprob" in caught.value.hint


class TestSlicing:
    def test_sentences_end_at_full_stops_and_pauses(self) -> None:
        said = [*words("It was late. We went home"), *words("and slept", 10.0)]
        assert [u.text for u in sentences(said, "en")] == ["It was late.", "We went home", "and slept"]

    def test_a_word_goes_to_the_clip_that_holds_its_middle(self) -> None:
        transcript = Transcript((utterance("zero one two three four five", 0.0),))  # word i: i/2 .. i/2 + 0.4
        first, second = transcript.of(Span(0, 1.1)), transcript.of(Span(1.1, 9))
        assert first is not None
        assert second is not None
        assert (first.text, second.text) == ("zero one", "two three four five")
        assert second.lines[0].span == Span(1.0, 2.9)
        assert second.lines[0].words[0] == pytest.approx((1.0, 1.4, "two")) or second.lines[0].words[0][2] == "two"
        assert second.language == "en"
        assert transcript.of(Span(5, 9)) is None

    def test_words_without_length_still_make_a_span(self) -> None:
        line = Utterance((Word(3.0, 3.0, " oh", 1.2),)).line()
        assert line.span == Span(3.0, 3.01)
        assert line.confidence == 1.0

    def test_scripts_without_spaces_are_joined_as_written(self) -> None:
        assert Utterance((Word(0, 1, "今天"), Word(1, 2, "天气"))).text == "今天天气"


def test_texts_are_timed_text() -> None:
    assert isinstance(Transcript((utterance("hello there"),)).of(Span(0, 2)), TimedText)
