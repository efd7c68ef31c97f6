"""A captioner without a language model: retrieves sentences of a bank by comparing embeddings.

After MeaCap (Zeng et al., CVPR 2024, arXiv 2403.03715): the sentences closest to the clip are its memory, and those
whose words several of them share go first. Where MeaCap writes with a language model, `compose` joins the first half of
one sentence with the place of another, if the result fits the clip better than either. Nothing is trained and no frame
is decoded: the clip's stored vectors are compared with the bank's.
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

HALVED = 6  # memories to compose from: up to 30 new sentences to embed
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
    """Sentences for clips by their vectors. A `protocols.Captioner` and a `captions.run.VectorCaptioner`.

    On 160 pictures of Flickr8k neither `compose` nor `agreement` changed CIDEr-D beyond chance with the bundled bank
    (0.29; composing -0.02, agreement of 0.5 0.00), so composing, which embeds up to 30 sentences a clip, is off.

    Args:
        sentences: The bank.
        memories: Closest sentences to look at.
        compose: Whether to join halves of them.
        agreement: z-score units added if other memories share all words of a sentence.
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
        """Called once, before the first clip."""
        self._judges, self._specificity, self._bank = judges, settings.specificity, {}

    def candidates(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str]]:
        """Up to n sentences per clip, best first. Raises NoSuchStream for a clip without a vector."""
        if prompt:
            raise ConfigError(
                "the retrieval captioner takes no prompt",
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
            judge = self._judges[name]
            kept = judge.embed_bank(self.sentences) if judge.embed_bank else None
            self._bank[name] = judge.embed(self.sentences) if kept is None else kept
        return self._bank[name]


def agreed(memory: Sequence[str]) -> frozenset[str]:
    """Stems that at least two of the sentences have."""
    counts = Counter(stem for sentence in memory for stem in _stems(sentence))
    return frozenset(stem for stem, count in counts.items() if count > 1)


def _share(sentence: str, shared: frozenset[str]) -> float:
    """Share of the sentence's words, 0..1, that others have too."""
    stems = _stems(sentence)
    return len(stems & shared) / len(stems) if stems else 0.0


def _stems(sentence: str) -> set[str]:
    return {_stemmer().stemWord(word) for word in _WORD.findall(sentence.casefold()) if word not in _EMPTY}


def _composed(memory: Sequence[str]) -> dict[str, tuple[str, str]]:
    """New sentences from the first half of one and the place of another, with the two they are from."""
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
    """The sentences of a file, or of the bundled bank; see `files.read_bank`."""
    return read_bank(path, resources.files("vidembed.captions") / "bank.txt", kind="caption bank")


def load(
    spec: ModelSpec, *, device: str = "auto", dtype: str = "auto", weights_dir: Path | None = None,
    offline: bool = False, bank: str | None = None, memories: int = 12, compose: bool = False, agreement: float = 0.25,
) -> RetrievalCaptioner:  # fmt: skip
    """Load it. bank: a file, one sentence a line; None = the bundled bank. Others: see the class."""
    return RetrievalCaptioner(read_sentences(bank), memories=memories, compose=compose, agreement=agreement)
