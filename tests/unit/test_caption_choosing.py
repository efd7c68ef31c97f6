"""Choosing captions by hand-made vectors: who should win can be worked out on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vidembed.captions.choose import BANK as BANK_ORIGIN
from vidembed.captions.choose import JudgeVectors, choose
from vidembed.captions.run import ClipCaptioning, Judge
from vidembed.config.schema import CaptionSettings, ChoiceSettings
from vidembed.protocols import ClipMedia
from vidembed.types import Caption, Clip, Failure, Span
from vidembed.vectors import unit_rows


def chosen_by(**rule: float) -> CaptionSettings:
    return CaptionSettings(choice=ChoiceSettings(**{"prior": 0.0, **rule}))


PLAIN = chosen_by()


def rows(*values: Sequence[float]) -> Any:
    return unit_rows(np.asarray(values, dtype=np.float32))


BANK = rows([1, 0, 0.1], [0, 1, 0.1], [0.2, 0.2, 1])


def test_the_nearest_text_wins_and_the_evidence_is_its_cosine() -> None:
    view = JudgeVectors(
        texts=rows([0, 1, 0], [1, 0, 0]), clip=rows([1, 0, 0])[0], bank=BANK, others=np.zeros((0, 3), "f4")
    )
    choice = choose(["a cat", "a dog"], {"vision": view}, PLAIN)
    assert choice.order == (1, 0)
    assert choice.candidates[1].scores["vision"] == pytest.approx(1.0)
    assert choice.candidates[0].scores["vision"] == pytest.approx(0.0)


def test_what_is_near_every_clip_loses_to_what_is_specific() -> None:
    generic, specific = [0.8, 0.8, 0.0], [0.9, 0.0, 0.45]
    clip, others = rows([1, 0.2, 0])[0], rows([0.2, 1, 0], [0.1, 1, 0.1])
    view = JudgeVectors(texts=rows(generic, specific), clip=clip, bank=BANK, others=others)
    texts = ["something is there", "a red boat"]
    fit_only = choose(texts, {"vision": view}, chosen_by(specificity=0.0))
    with_others = choose(texts, {"vision": view}, chosen_by(specificity=1.0))
    scores = [c.scores["vision"] for c in fit_only.candidates]
    assert abs(scores[0] - scores[1]) < 0.06  # raw cosine can hardly tell
    assert with_others.order[0] == 1


def test_ties_keep_the_captioners_order_and_no_view_means_its_favourite() -> None:
    view = JudgeVectors(
        texts=rows([1, 0, 0], [1, 0, 0]), clip=rows([1, 0, 0])[0], bank=BANK, others=np.zeros((0, 3), "f4")
    )
    assert choose(["first", "second"], {"vision": view}, PLAIN).order == (0, 1)
    blind = choose(["first", "second"], {}, PLAIN)
    assert blind.order == (0, 1)
    assert blind.score == 0.0
    assert not blind.confident


def test_a_fitting_text_is_confident_and_an_unrelated_one_is_not() -> None:
    clip = rows([0.05, 0.05, 1.0])[0]
    bank = rows([1, 0, 0], [0, 1, 0], [0.7, 0.7, 0], [1, 0.2, 0.1])
    none = np.zeros((0, 3), "f4")
    good = choose(["fits"], {"vision": JudgeVectors(rows([0, 0, 1]), clip, bank, none)}, PLAIN)
    poor = choose(["does not"], {"vision": JudgeVectors(rows([1, 0.3, 0]), clip, bank, none)}, PLAIN)
    assert good.confident
    assert good.score > 0.9
    assert not poor.confident
    assert poor.score < 0.2


def test_near_ties_go_to_what_the_captioner_says_in_several_ways() -> None:
    # All three fit alike; the first two are alike, the third says something else.
    texts = rows([1, 0.3, 0], [1, 0.25, 0.1], [1, -0.3, 0.0])
    view = JudgeVectors(texts=texts, clip=rows([1, 0, 0])[0], bank=BANK, others=np.zeros((0, 3), "f4"))
    said = ["a red boat on a lake", "a red boat", "a red lamp"]
    own, agreeing = chosen_by(consensus=0.0), chosen_by(consensus=10.0)
    assert choose(said[::-1], {"vision": replace(view, texts=texts[::-1])}, own).order[0] != 0
    agreed = choose(said[::-1], {"vision": replace(view, texts=texts[::-1])}, agreeing)
    assert agreed.order == (1, 2, 0)
    alone = choose(["one"], {"vision": replace(view, texts=texts[:1])}, agreeing)
    assert alone.order == (0,)


def test_a_sentence_of_the_bank_must_win_by_a_margin() -> None:
    clip, none = rows([1, 0, 0])[0], np.zeros((0, 3), "f4")
    spread = float((BANK @ clip).std())
    view = JudgeVectors(texts=rows([0.9, 0.4, 0], [1, 0, 0]), clip=clip, bank=BANK, others=none)
    ahead = float((view.texts[1] - view.texts[0]) @ clip) / spread  # of the bank's sentence, in z-score units
    for margin, winner in ((ahead - 0.01, 1), (ahead + 0.01, 0)):
        settings = chosen_by(bank_margin=margin)
        choice = choose(["said", "kept"], {"vision": view}, settings, ["", BANK_ORIGIN])
        assert choice.order[0] == winner
    assert [c.origin for c in choice.candidates] == ["", "bank"]


def test_channels_count_by_their_weight() -> None:
    clip, none = rows([1, 0, 0])[0], np.zeros((0, 3), "f4")
    seen = JudgeVectors(rows([1, 0, 0], [0, 1, 0]), clip, BANK, none, weight=1.0)  # for the first text
    heard = JudgeVectors(rows([0, 1, 0], [1, 0, 0]), clip, BANK, none, weight=1.0)  # as much for the second
    for weight, winner in ((0.9, 0), (1.1, 1)):
        views = {"vision": seen, "sound": replace(heard, weight=weight)}
        assert choose(["a red boat", "a bell"], views, PLAIN).order[0] == winner


def test_bad_weights_are_refused() -> None:
    with pytest.raises(ValueError, match=r"rerank\.vision"):
        CaptionSettings(rerank={"vision": -1.0})


WORDS = {"red": [1, 0, 0], "green": [0, 1, 0], "blue": [0, 0, 1]}
CLIPS = [Clip.make("a" * 32, i, Span(i, i + 1)) for i in range(4)]
LOOKS = dict(zip([c.clip_id for c in CLIPS], ["red", "red", "green", "blue"], strict=True))


def media(clip: Clip) -> ClipMedia:
    return ClipMedia(clip, info=None, frames=None, video=None)  # type: ignore[arg-type]


class ScriptedCaptioner:
    """Proposes what the test says; a text of None raises for that clip."""

    name = "scripted"

    def __init__(self, answers: dict[str, list[str] | None]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def candidates(self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0) -> Any:
        for m in clips:
            if self.answers[m.clip.clip_id] is None:
                raise RuntimeError("this clip breaks the model")
        self.asked += [m.clip.clip_id for m in clips]
        return [self.answers[m.clip.clip_id] for m in clips]


def judge() -> Judge:
    return Judge(
        embed=lambda texts: rows(*(WORDS[t.split()[1]] for t in texts)),
        bank=rows([1, 1, 0], [0, 1, 1], [1, 0, 1]),
        vector=lambda clip: rows(WORDS[LOOKS[clip.clip_id]])[0],
        others=lambda clip: np.zeros((0, 3), "f4"),
    )


def run(captioner: ScriptedCaptioner, **settings: Any) -> list[Caption | Failure]:
    batch_size = settings.pop("batch_size", 8)
    options = PLAIN.model_copy(update=settings)
    captioning = ClipCaptioning(captioner, {"vision": judge()}, options, batch_size=batch_size)
    return list(captioning.run(media(c) for c in CLIPS))


ALL = ["a blue thing", "a green thing", "a red thing"]


def test_each_clip_gets_the_colour_it_shows() -> None:
    results = run(ScriptedCaptioner({c.clip_id: ALL for c in CLIPS}))
    assert [r.text for r in results if isinstance(r, Caption)] == [
        "a red thing",
        "a red thing",
        "a green thing",
        "a blue thing",
    ]


def test_a_clip_that_looks_the_same_is_captioned_once() -> None:
    captioner = ScriptedCaptioner({c.clip_id: ALL for c in CLIPS})
    results = run(captioner, batch_size=1)
    assert captioner.asked == [CLIPS[0].clip_id, CLIPS[2].clip_id, CLIPS[3].clip_id]
    assert isinstance(results[1], Caption)
    assert results[1].clip == CLIPS[1]


def test_one_breaking_clip_costs_only_itself() -> None:
    answers: dict[str, list[str] | None] = {c.clip_id: ALL for c in CLIPS}
    answers[CLIPS[2].clip_id] = None
    results = run(ScriptedCaptioner(answers), reuse_above=2.0)
    assert [type(r).__name__ for r in results] == ["Caption", "Caption", "Failure", "Caption"]
    assert isinstance(results[2], Failure)
    assert results[2].message == "this clip breaks the model"


@pytest.mark.parametrize("useless", [[""], ["  \n "], [], ["red red red red red red"], ["a b a b a b a b"]])
def test_empty_and_endless_texts_are_a_failure_with_the_reason(useless: list[str]) -> None:
    answers: dict[str, list[str] | None] = {c.clip_id: ALL for c in CLIPS}
    answers[CLIPS[0].clip_id] = useless
    first = run(ScriptedCaptioner(answers), reuse_above=2.0)[0]
    assert isinstance(first, Failure)
    assert "no usable caption" in first.message


def test_choosing_again_calls_no_captioner() -> None:
    captioner = ScriptedCaptioner({c.clip_id: ALL for c in CLIPS})
    work = ClipCaptioning(captioner, {"vision": judge()}, PLAIN)
    first = next(iter(work.run([media(CLIPS[3])])))
    assert isinstance(first, Caption)
    asked = len(captioner.asked)
    again = work.rechoose(first)
    assert isinstance(again, Caption)
    assert (again.text, again.model, len(captioner.asked)) == (first.text, "scripted", asked)


def test_the_banks_sentences_are_chosen_where_the_captioner_is_far_off() -> None:
    wrong = ScriptedCaptioner({c.clip_id: ["a blue thing"] for c in CLIPS})
    bank = ScriptedCaptioner({c.clip_id: ["a red thing", "a green thing"] for c in CLIPS})
    settings = chosen_by(bank_margin=0.5).model_copy(update={"bank_candidates": 2})
    captioning = ClipCaptioning(wrong, {"vision": judge()}, settings, bank=bank)
    results = [r for r in captioning.run(media(c) for c in CLIPS) if isinstance(r, Caption)]
    assert [r.text for r in results] == ["A red thing", "A red thing", "A green thing", "a blue thing"]
    assert [c.origin for c in results[0].candidates] == ["", "bank", "bank"]
    again = captioning.rechoose(results[0])
    assert isinstance(again, Caption)
    assert (again.text, again.score, again.candidates) == (results[0].text, results[0].score, results[0].candidates)
