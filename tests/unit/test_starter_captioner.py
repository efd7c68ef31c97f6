"""The starter captioner: writing against a network whose words can be worked out, then the shipped weights."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from vidembed.errors import ConfigError, NoSuchStream
from vidembed.models.captioners._decoder import END, CaptionNet, DecoderShape, Writing, beam_search, sample
from vidembed.models.captioners.starter import StarterCaptioner
from vidembed.protocols import ClipMedia, VideoReader
from vidembed.types import Clip, Floats, FrameBatch, Image, Span, VideoInfo

WORDS = ("<pad>", "<start>", "<end>", "<unknown>", "a", "dog", "cat", "runs", "sits", "red")
SHAPE = DecoderShape(len(WORDS), features=6, tokens=4, width=16, heads=2, inner=24, layers=2, positions=24)


def tensors() -> dict[str, Floats]:
    """Random values for a network of that shape."""
    random = np.random.default_rng(1)
    wide, inner = SHAPE.width, SHAPE.inner
    shapes: dict[str, tuple[int, ...]] = {
        "mean": (6,), "project.weight": (wide, 6), "project.bias": (wide,), "places": (4, wide),
        "words.weight": (len(WORDS), wide), "positions": (24, wide), "bias": (len(WORDS),),
    }  # fmt: skip
    norms = ["encoded", "norm"]
    for name in ("encoder", "layers.0", "layers.1"):
        looks = ("own",) if name == "encoder" else ("own", "cross")
        norms += [f"{name}.norms.{i}" for i in range(len(looks) + 1)]
        layers = {f"{look}.{part}": (times * wide, wide) for look in looks
                  for part, times in (("query", 1), ("key_value", 2), ("out", 1))}  # fmt: skip
        for layer, shape in (layers | {"up": (inner, wide), "down": (wide, inner)}).items():
            shapes |= {f"{name}.{layer}.weight": shape, f"{name}.{layer}.bias": shape[:1]}
    found = {name: random.standard_normal(shape) / max(shape[-1], 1) ** 0.5 for name, shape in shapes.items()}
    found |= {"spread": np.ones(6)}
    for name in norms:
        found |= {f"{name}.weight": 1 + random.normal(0, 0.1, wide), f"{name}.bias": random.normal(0, 0.1, wide)}
    return {name: value.astype(np.float32) for name, value in found.items()}


@pytest.fixture
def net() -> CaptionNet:
    return CaptionNet(tensors(), SHAPE)


class Chain:
    """Stands in for the network: the next word's probabilities follow from the last word alone, by a table."""

    shape = SHAPE

    def __init__(self, table: dict[int, dict[int, float]]) -> None:
        self.table = table

    def memory(self, seen: Floats) -> list[Any]:
        return [(seen, seen)]

    def step(self, ids: Any, at: int, memory: Any, past: Any, mask: Any) -> tuple[Floats, Any]:
        raw = np.full((len(ids), len(WORDS)), -30.0, np.float32)
        for row, word in enumerate(ids.tolist()):
            for follower, share in self.table.get(word, {END: 1.0}).items():
                raw[row, follower] = float(np.log(share))
        return raw, [(ids[:, None], ids[:, None])]


def ids(text: str) -> list[int]:
    return [WORDS.index(word) for word in text.split()]


def test_what_was_said_and_seen_is_looked_at(net: CaptionNet) -> None:
    """The next word's scores change with an earlier word and with a picture, but not with one that is masked."""
    pictures = np.random.default_rng(2).standard_normal((2, 4, 6)).astype(np.float32)
    seen = np.stack([np.concatenate([net.look(pictures[:1]), net.look(pictures[i : i + 1])]) for i in (0, 1)])
    both, first = np.ones((2, 1, 1, 8), bool), np.arange(8) < np.full((2, 1, 1, 1), 4)

    def after(words: str, mask: Any) -> Floats:
        past: list[Any] = []
        for at, word in enumerate(ids(words)):
            raw, past = net.step(np.array([word, word]), at, net.memory(seen), past, mask)
        return raw

    scores = after("<start> a dog", both)
    assert scores.shape == (2, len(WORDS))
    assert not np.allclose(scores, after("<start> red dog", both), atol=1e-3)
    assert not np.allclose(scores[0], scores[1], atol=1e-3)
    masked = after("<start> a dog", first)
    np.testing.assert_allclose(masked[0], masked[1], atol=1e-5)


def test_pictures_are_looked_at_one_by_one(net: CaptionNet) -> None:
    pictures = np.random.default_rng(3).standard_normal((2, 4, 6)).astype(np.float32)
    apart = np.concatenate([net.look(pictures[:1]), net.look(pictures[1:])])
    np.testing.assert_allclose(net.look(pictures), apart, atol=1e-5)


def test_beam_search_beats_greed() -> None:
    """Greed takes "a" (0.6) and then only weak followers; "red cat" is likelier as a whole: 0.4 x 0.9 > 0.6 x 0.4."""
    chain = Chain({1: {4: 0.6, 9: 0.4}, 4: {5: 0.4, 6: 0.35, 7: 0.25}, 9: {6: 0.9, 5: 0.1}})
    writing = Writing(beams=3, min_words=1, length_power=0.0)
    found = beam_search(cast(CaptionNet, chain), np.zeros((1, 4, 16), np.float32), np.ones((1, 4), bool), writing)[0]
    assert found[0][0] == ids("red cat")
    assert found[0][1] == pytest.approx(np.log(0.4 * 0.9), abs=1e-3)
    assert found[1][0] == ids("a dog")


def test_no_word_pair_twice_and_length_limits() -> None:
    """A table that would go round in circles for ever stops at its first repeat or at the longest length."""
    circle = Chain({1: {4: 1.0}, 4: {5: 1.0}, 5: {4: 0.9, END: 0.1}})
    seen, mask = np.zeros((1, 4, 16), np.float32), np.ones((1, 4), bool)
    best = beam_search(cast(CaptionNet, circle), seen, mask, Writing(min_words=2, max_words=7))[0]
    for words, _ in best:
        pairs = list(pairwise(words))
        assert len(pairs) == len(set(pairs))
        assert 2 <= len(words) <= 7
    drawn = sample(cast(CaptionNet, circle), seen, mask, [np.full((3, 8), 0.5)], Writing(min_words=2, max_words=7))[0]
    assert all(len(words) <= 7 for words in drawn)


def test_sampling_follows_its_draws() -> None:
    """First word: "a" 0.6, "red" 0.3, "dog" 0.1; top_p 0.8 keeps two, so 0.7 falls on "red" only above 2/3."""
    chain = Chain({1: {4: 0.6, 9: 0.3, 5: 0.1}})
    luck = np.array([[0.0, 0.0], [0.66, 0.0], [0.68, 0.0], [0.999, 0.0]])
    writing = Writing(top_p=0.8, temperature=1.0, min_words=1, max_words=1)
    drawn = sample(cast(CaptionNet, chain), np.zeros((1, 4, 16), np.float32), np.ones((1, 4), bool), [luck], writing)
    assert drawn == [[ids("a"), ids("a"), ids("red"), ids("red")]]


def look(images: list[Image]) -> Floats:
    """Picture tokens for tests: mean red, green, blue in three places each, on four tokens."""
    means = np.stack([image.reshape(-1, 3).mean(0) / 255 for image in images]).astype(np.float32)
    return np.repeat(np.concatenate([means, 1 - means], axis=1)[:, None], 4, axis=1)


def clip(number: int, frames: int = 3, value: int = 90) -> ClipMedia:
    info = VideoInfo("0" * 32, Path("x.mp4"), 1, 1, 9.0, 4, 4, Fraction(1), None, None)
    rgb = np.full((frames, 4, 4, 3), value, np.uint8) + np.arange(frames, dtype=np.uint8)[:, None, None, None]
    made = Clip.make(info.video_id, number, Span(float(number), number + 1.0))
    return ClipMedia(made, info, FrameBatch(rgb, np.arange(frames, dtype=np.float64)), cast(VideoReader, None))


def captioner(net: CaptionNet, **writing: Any) -> StarterCaptioner:
    return StarterCaptioner(net, WORDS, look, frames=2, writing=Writing(**writing))


def test_candidates_differ_and_do_not_depend_on_the_batch(net: CaptionNet) -> None:
    speaks = captioner(net, max_words=8, min_words=2, beams=2)  # so that two of the four are sampled
    clips = [clip(0, value=20), clip(1, frames=1, value=200), clip(2, frames=7)]
    together = speaks.candidates(clips, n=4, seed=5)
    assert together == [speaks.candidates([one], n=4, seed=5)[0] for one in clips]
    assert together == speaks.candidates(clips, n=4, seed=5)
    assert together != speaks.candidates(clips, n=4, seed=6)
    for texts in together:
        assert 1 <= len(texts) <= 4
        assert len(set(texts)) == len(texts)
        assert all(2 <= len(text.split()) <= 8 and text[0].isupper() for text in texts)
    assert speaks.candidates([], n=4) == []


def test_one_candidate_is_the_best_beam(net: CaptionNet) -> None:
    speaks = captioner(net)
    assert speaks.candidates([clip(0)], n=1)[0] == speaks.candidates([clip(0)], n=5)[0][:1]


def test_it_says_what_it_cannot_do(net: CaptionNet) -> None:
    speaks = captioner(net)
    blind = clip(0)
    with pytest.raises(NoSuchStream):
        speaks.candidates([ClipMedia(blind.clip, blind.info, None, blind.video)], n=2)
    with pytest.raises(ConfigError, match="takes no prompt"):
        speaks.candidates([blind], n=2, prompt="Say it in French")
    with pytest.raises(ConfigError, match="words"):
        StarterCaptioner(net, WORDS[:-1], look)


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="are not those of"):
        CaptionNet(tensors(), DecoderShape(len(WORDS) + 1, features=6, tokens=4, width=16, positions=24))


def test_the_shipped_captioner_writes_sentences_of_its_words() -> None:
    """Any picture gives different sentences within the limits, alike on every call; a missing file is named."""
    from vidembed.models.captioners.starter import load
    from vidembed.models.spec import ModelSpec

    spec = ModelSpec("starter-captioner", "captioner", "vidembed.models.captioners.starter:load")
    speaks = load(spec)
    texts = speaks.candidates([clip(0), clip(1, value=200)], n=5, seed=0)
    assert texts == speaks.candidates([clip(0), clip(1, value=200)], n=5, seed=0)
    for one in texts:
        assert len(one) == len(set(one)) == 5
        assert all({word.lower() for word in text.split()} <= set(speaks.words) for text in one)
        assert all(4 <= len(text.split()) <= 20 for text in one)
    with pytest.raises(ConfigError, match="colour"):
        load(spec, colour="red")


def test_a_folder_without_the_captioner_is_refused(tmp_path: Path) -> None:
    from vidembed.errors import WeightsMissing
    from vidembed.models.captioners.starter import load
    from vidembed.models.spec import ModelSpec

    with pytest.raises(WeightsMissing):
        load(ModelSpec("mine", "captioner", "vidembed.models.captioners.starter:load", path=tmp_path))
