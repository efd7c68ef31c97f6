"""A captioner without a language model: sentences of a bank, found by comparing embeddings.

In the way of MeaCap (Zeng et al., CVPR 2024, arXiv 2403.03715): the sentences nearest to the clip are its memory; the
memory's words are kept where several of its sentences agree on them, and sentences of kept words go first. Where
MeaCap writes with a language model, this can put the first half of one remembered sentence before the place of
another, if the clip fits the result better than either (`compose`). Nothing is trained and no frame is decoded: the
clip's stored vectors are compared with the bank's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import regex

from vidembed.captions.choose import z_scores
from vidembed.captions.run import Judge
from vidembed.config.schema import ChoiceSettings
from vidembed.errors import ConfigError, NoSuchStream
from vidembed.files import read_bank
from vidembed.models.spec import ModelSpec
from vidembed.protocols import ClipMedia
from vidembed.types import Clip, Floats

HALVED = 6  # memories that are put together anew: up to 30 new sentences to embed
# Where the place begins in a sentence such as "two dogs run | across the grass"; English only: others stay whole.
_PLACE = regex.compile(
    r"(?<=\p{L})\s+(?=(?:in|on|at|along|across|through|under|behind|beside|near|over|above|by|next to|in front of)\s)"
)
_WORD = regex.compile(r"\p{L}+")
_LITTLE = (
    "a an the and or of in on at to with by for from into through over under up down out is are be its his her their "
    "it this that as next front"
)
_EMPTY = frozenset(_LITTLE.split())


class RetrievalCaptioner:
    """Sentences for clips by their vectors. Implements `protocols.Captioner` and `captions.run.VectorCaptioner`.

    memories: how many nearest sentences are looked at; compose: whether halves of them are put together;
    agreement: z-score units that a sentence gains when all its words are shared by other memories. On 160 pictures of
    Flickr8k neither changed CIDEr-D beyond chance with the bundled bank (0.29; composing -0.02, agreement of 0.5 0.00),
    so composing, which costs up to 30 sentences to embed a clip, waits to be asked for.
    """

    name = "retrieval"
    needs_frames = False

    def __init__(
        self, sentences: Sequence[str], *, memories: int = 12, compose: bool = False, agreement: float = 0.25
    ) -> None:
        if memories < 1 or agreement < 0:
            raise ConfigError(
                f"caption.options: memories must be at least 1 and agreement at least 0, got {memories}, {agreement}"
            )
        self.sentences = tuple(sentences)
        self.memories, self.compose, self.agreement = memories, compose, agreement
        self._judges: Mapping[str, Judge] = {}
        self._specificity = 0.0
        self._bank: dict[str, Floats] = {}  # channel -> (sentences, D), made when the first clip has a vector there

    def compare_by(self, judges: Mapping[str, Judge], settings: ChoiceSettings) -> None:
        self._judges, self._specificity, self._bank = judges, settings.specificity, {}

    def candidates(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str]]:
        """Up to n sentences a clip, the best first; the seed changes nothing. NoSuchStream: the clip has no vector."""
        if prompt:
            raise ConfigError(
                "the retrieval captioner takes no prompt: it finds sentences",
                hint="leave caption.prompt empty, or choose a vision-language model as caption.model",
            )
        return [self._of_one(media.clip, n) for media in clips]

    def _of_one(self, clip: Clip, n: int) -> list[str]:
        views = {name: judge.view(clip, partial(self._rows, name)) for name, judge in self._judges.items()}
        seen = {name: view for name, view in views.items() if view is not None}
        if not seen:
            raise NoSuchStream("the clip has no vector in any channel that compares clips with text")
        z = z_scores(seen, len(self.sentences), self._specificity)
        nearest = np.argsort(-z, kind="stable")[: max(self.memories, n)]
        memory = [self.sentences[i] for i in nearest]
        scores = dict(zip(memory, (float(z[i]) for i in nearest), strict=True))
        new = _composed(memory[: self.memories]) if self.compose else {}
        if new:
            embedded = {name: replace(v, texts=self._judges[name].embed(list(new))) for name, v in seen.items()}
            values = z_scores(embedded, len(new), self._specificity)
            for (text, parents), value in zip(new.items(), values, strict=True):
                if value > max(scores[parent] for parent in parents):
                    scores[text] = float(value)
        shared = agreed(memory[: self.memories])
        ranked = sorted(scores, key=lambda text: -(scores[text] + self.agreement * _share(text, shared)))
        return ranked[:n]

    def _rows(self, name: str) -> Floats:
        if name not in self._bank:
            self._bank[name] = self._judges[name].embed(self.sentences)
        return self._bank[name]


def agreed(memory: Sequence[str]) -> frozenset[str]:
    """The stems that at least two of the sentences have."""
    counts = Counter(stem for sentence in memory for stem in _stems(sentence))
    return frozenset(stem for stem, count in counts.items() if count > 1)


def _share(sentence: str, shared: frozenset[str]) -> float:
    """0..1: how many of the sentence's words others have too."""
    stems = _stems(sentence)
    return len(stems & shared) / len(stems) if stems else 0.0


def _stems(sentence: str) -> set[str]:
    return {_stemmer().stemWord(word) for word in _WORD.findall(sentence.casefold()) if word not in _EMPTY}


def _composed(memory: Sequence[str]) -> dict[str, tuple[str, str]]:
    """New sentences of one memory's beginning and another's place, with the two they are from."""
    halves = [(text, parts) for text in memory if len(parts := _PLACE.split(text, maxsplit=1)) == 2][:HALVED]
    new: dict[str, tuple[str, str]] = {}
    for one, (begin, _) in halves:
        for other, (_, place) in halves:
            text = f"{begin} {place}"
            if text not in memory:
                new.setdefault(text, (one, other))
    return new


@cache
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


def read_sentences(path: str | Path | None = None) -> tuple[str, ...]:
    """The sentences of a bank file, or of the bank that comes along; see `files.read_bank`."""
    return read_bank(path, resources.files("vidembed.captions") / "bank.txt", kind="caption bank")


def load(
    spec: ModelSpec, *, device: str = "auto", dtype: str = "auto", weights_dir: Path | None = None,
    offline: bool = False, bank: str | None = None, memories: int = 12, compose: bool = False, agreement: float = 0.25,
) -> RetrievalCaptioner:  # fmt: skip
    """bank: a file of one's own sentences, one a line; None = the bank that comes along. Others: the class."""
    return RetrievalCaptioner(read_sentences(bank), memories=memories, compose=compose, agreement=agreement)
