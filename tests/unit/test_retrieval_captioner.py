"""The retrieval captioner on a space of words, where what is nearest can be counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from vidembed import open_index
from vidembed.captions.retrieval import RetrievalCaptioner, agreed, read_sentences
from vidembed.captions.run import ClipCaptioning, Judge
from vidembed.config.schema import CaptionSettings
from vidembed.errors import ConfigError, InputError, NoSuchStream
from vidembed.models import registry
from vidembed.protocols import Channel, ClipMedia
from vidembed.search.calibration import encode_texts
from vidembed.types import Caption, Clip, Failure, Floats, Span
from vidembed.vectors import unit_rows

WORDS = "dog cat man runs sleeps sings beach bed stage a the on in".split()  # noqa: SIM905
BANK = ["a dog sleeps on a bed", "a dog runs on a beach", "a cat sleeps on a bed", "a cat runs on a beach",
        "a man sings on a stage", "a man sleeps on a beach", "the cat sings"]  # fmt: skip
CLIPS = [Clip.make("a" * 32, i, Span(i, i + 1)) for i in range(3)]
SHOWS = {CLIPS[0].clip_id: "dog runs bed", CLIPS[1].clip_id: "man sings stage"}


def embed(texts: Sequence[str]) -> Floats:
    """Each of the nine words that say something counts one; the rest a little, so that no row is zero."""
    counts = np.array([[text.split().count(w) * (1.0 if w in WORDS[:9] else 0.1) for w in WORDS] for text in texts])
    return unit_rows(counts.astype(np.float32))


def judge() -> Judge:
    return Judge(
        embed=embed,
        bank=embed(WORDS[:9]),
        vector=lambda clip: embed([SHOWS[clip.clip_id]])[0] if clip.clip_id in SHOWS else None,
        others=lambda clip: np.zeros((0, len(WORDS)), np.float32),
    )


SETTINGS = CaptionSettings(candidates=3)


def media(clip: Clip) -> ClipMedia:
    return cast(ClipMedia, type("Media", (), {"clip": clip})())


def finder(**options: object) -> RetrievalCaptioner:
    made = RetrievalCaptioner(BANK, **{"memories": 4, "agreement": 0.0, "compose": True, **options})  # type: ignore[arg-type]
    made.compare_by({"vision": judge()}, SETTINGS.choice)
    return made


def test_the_nearest_sentences_come_first() -> None:
    found = finder(compose=False).candidates([media(CLIPS[1])], n=2)[0]
    assert found[0] == "a man sings on a stage"  # three words of three
    assert found[1] in ("a man sleeps on a beach", "the cat sings")  # one word


def test_the_bank_is_encoded_once_for_an_index(films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()

    def counted(channel: Channel, texts: Sequence[str]) -> Floats | None:
        asked.append(len(texts))
        return encode_texts(channel, texts)

    for module in ("search.calibration", "index.judging"):
        monkeypatch.setattr(f"vidembed.{module}.encode_texts", counted)
    said = []
    for _ in range(2):
        with open_index(tmp_path / "index", profile="toy") as index:
            index.add(films)
            said.append([video.captions for video in index.caption(model="retrieval", redo=True)])
    assert said[0] == said[1] != []
    assert asked.count(len(read_sentences())) == 1, "pictures and sound have the same towers"


def test_halves_make_the_sentence_that_no_memory_has() -> None:
    """The clip shows a dog that runs on a bed: the bank has dogs that run on beaches and dogs that sleep on beds."""
    assert finder(compose=False).candidates([media(CLIPS[0])], n=1)[0][0] in BANK
    assert finder().candidates([media(CLIPS[0])], n=1)[0] == ["a dog runs on a bed"]


def test_agreement_prefers_words_that_memories_share() -> None:
    assert agreed(["a dog runs on grass", "two dogs play", "a cat running"]) == {"dog", "run"}
    # Memories: the two dogs (two words of three) and the first cat (one). They share dog, sleeps and bed.
    dog_bed, dog_beach, cat_bed = BANK[:3]
    plain = finder(compose=False, memories=3).candidates([media(CLIPS[0])], n=3)[0]
    assert plain == [dog_bed, dog_beach, cat_bed]
    agreeing = finder(compose=False, memories=3, agreement=100.0).candidates([media(CLIPS[0])], n=3)[0]
    assert agreeing == [dog_bed, cat_bed, dog_beach]


def test_the_run_hands_it_the_vectors_and_a_clip_without_one_is_a_failure() -> None:
    captioning = ClipCaptioning(RetrievalCaptioner(BANK, memories=4, compose=True), {"vision": judge()}, SETTINGS)
    first, second, third = captioning.run(media(clip) for clip in CLIPS)
    assert isinstance(first, Caption)
    assert first.text == "a dog runs on a bed"
    assert isinstance(second, Caption)
    assert second.text == "a man sings on a stage"
    assert isinstance(third, Failure)
    assert "no vector" in third.message


def test_it_says_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="takes no prompt"):
        finder().candidates([media(CLIPS[0])], n=1, prompt="Who?")
    with pytest.raises(NoSuchStream):
        finder().candidates([media(CLIPS[2])], n=1)
    with pytest.raises(ConfigError, match="memories"):
        RetrievalCaptioner(BANK, memories=0)
    few = tmp_path / "few.txt"
    few.write_text("one\n# two\n\none\n")
    with pytest.raises(ConfigError, match="1 different lines"):
        registry.load_captioner("retrieval", bank=str(few))
    with pytest.raises(InputError, match="cannot read"):
        read_sentences(tmp_path / "none.txt")


def test_the_bank_is_varied_and_well_formed() -> None:
    sentences = read_sentences()
    assert len(sentences) > 800
    assert len({sentence.split()[-1] for sentence in sentences}) > 200
    for sentence in sentences:
        assert 2 <= len(sentence.split()) <= 16
        assert sentence == sentence.strip()
        assert not set(sentence) & set('.,;:|/"')
        assert not (sentence.startswith(("two ", "four ")) and " its " in sentence)
