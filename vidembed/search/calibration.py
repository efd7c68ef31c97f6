"""Calibrate scores against ordinary queries and the rest of the index, and turn them into confidences 0..1.

Raw cosines of contrastive models are no probabilities: their level differs between models, and some clips ("hubs") are
close to every query. A bank of ordinary queries gives every clip a background; a clip answers a query when it stands
out from it. Only clips that were found are looked at, and their backgrounds are cached, so the cost of a query does
not grow with the index.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from vidembed import files
from vidembed.protocols import Channel
from vidembed.search.confidence import confidence_from
from vidembed.search.query import text_key
from vidembed.types import Floats
from vidembed.vectors import check

Doubles = NDArray[np.float64]
Bank = Callable[[Channel], Floats | None]  # vectors of ordinary queries in a channel's space
Listener = Callable[[Floats], Doubles]

_NORMAL = NormalDist()
USUAL = 64  # clips among which an answer is usual by chance: confidence does not depend on how many there are
_RIDGE = 1.0
_SHARP = 6.0  # of the logistic curve over the regression, whose targets are 0 and 1
_LEAST_SOUNDS = 5  # in the bank, below which nothing can be told
NEAR = 10  # of the bank's queries, how many a query is compared with; 30 does nearly as well


@cache
def read_bank(path: str | None = None) -> tuple[str, ...]:
    """The queries of a file, or of the bundled bank; see `files.read_bank`."""
    return files.read_bank(path, resources.files("vidembed.search") / "query_bank.txt", kind="query bank")


@cache
def sounds_of_bank() -> frozenset[str]:
    """The lines of the bundled bank that name sounds: those below the heading that says so."""
    text = (resources.files("vidembed.search") / "query_bank.txt").read_text(encoding="utf-8")
    _, _, below = text.partition("# -- sounds")
    lines = (" ".join(line.split()) for line in below.partition("\n# --")[0].splitlines()[1:])
    return frozenset(line for line in lines if line and not line.startswith("#"))


class BankVectors:
    """The bank in each channel's space, encoded once for channels of the same towers, kept in memory and on disk.

    A call gives (B, D) float32 unit rows, or None for a channel that is sparse or takes no text. Files are plain `.npy`
    without pickle, named by channel, fingerprint, bank and prompts.
    """

    def __init__(self, queries: Sequence[str], *, folder: Path | None = None, keep: bool = True) -> None:
        """folder: of the files; None = in memory only. keep: Whether files are written."""
        self._queries = tuple(queries)
        self._folder = folder
        self._keep = keep
        self._known: dict[str, Floats | None] = {}
        self._made: dict[object, Floats | None] = {}
        self._lock = threading.Lock()

    @property
    def sounds(self) -> NDArray[np.bool_]:
        """(B,) which of the queries name sounds (see `sounds_of_bank`)."""
        return np.array([query in sounds_of_bank() for query in self._queries], dtype=bool)

    def __call__(self, channel: Channel) -> Floats | None:
        # Prompts are no part of a collection's fingerprint, but queries in other ones are other vectors.
        """The query bank in a channel's space, (B, D) unit rows; None where it takes no text or is not dense."""
        texts = (*self._queries, *getattr(channel.encoder, "templates", ()))
        key = f"{channel.collection}-{hashlib.blake2b(chr(10).join(texts).encode(), digest_size=4).hexdigest()}"
        with self._lock:
            if key not in self._known:
                self._known[key] = self._load(channel, f"bank-{key}.npy")
            return self._known[key]

    def _load(self, channel: Channel, name: str) -> Floats | None:
        if channel.encoder.space.kind != "dense":
            return None
        file = None if self._folder is None else self._folder / name
        shape = (len(self._queries), channel.encoder.space.dim)
        if file is not None and file.exists():
            with suppress(Exception):  # numpy has many for what is cut short or damaged: encode again
                return check(np.load(file, allow_pickle=False), n=shape[0], dim=shape[1], who=name)
        towers = text_key(channel)
        if towers not in self._made:
            self._made[towers] = encode_texts(channel, self._queries)
        rows = self._made[towers]
        if rows is not None and file is not None and self._keep:
            with files.replacing(file) as part:
                np.save(part, rows, allow_pickle=False)
        return rows


def encode_texts(channel: Channel, texts: Sequence[str]) -> Floats | None:
    """(N, D) float32 query vectors, in batches if the encoder has `encode_queries`; None if it takes no text."""
    batched = getattr(channel.encoder, "encode_queries", None)
    if batched is not None:
        rows = batched("text", list(texts))
        return None if rows is None else np.asarray(rows, dtype=np.float32)
    vectors: list[Floats] = []
    for text in texts:
        vector = channel.encoder.encode_query("text", text)
        if not isinstance(vector, np.ndarray):
            return None
        vectors.append(vector)
    return np.stack(vectors)


def soft_maximum(bank_scores: NDArray[np.floating], *, temperature: float = 0.05) -> Doubles:
    """(N,) smooth maximum over the bank of (B, N) scores of B ordinary queries on N clips: each clip's background.

    temperature x log(mean(exp(score / temperature))). A score minus this is the log of the inverted softmax (Smith et
    al., ICLR 2017; as query-bank normalisation, QB-Norm, in Bogolin et al., CVPR 2022, with 1 / temperature = 20), up
    to a constant that does not change the order.
    """
    scores = np.asarray(bank_scores, dtype=np.float64)
    top = scores.max(axis=0)
    return top + temperature * np.log(np.exp((scores - top) / temperature).mean(axis=0))


def near_level(bank_scores: NDArray[np.floating], *, near: int = NEAR) -> Doubles:
    """(N,) mean of the `near` best of (B, N) scores of B ordinary queries on N clips: what a clip gives a near query.

    A score minus this says whether there is a match at all: one clip is as near to many queries as another is to
    its own. It is the adaptive T-norm of speaker verification (Sturim and Reynolds, ICASSP 2005), the bank its cohort.
    """
    scores = np.asarray(bank_scores, dtype=np.float64)
    near = min(near, len(scores))
    return np.partition(scores, len(scores) - near, axis=0)[len(scores) - near :].mean(axis=0)


@dataclass(frozen=True)
class Scale:
    """Turns cosines of one collection into z-scores: hubs held back, 0 = as any query, 1 = one usual deviation.

    One scale for all clips: on the project's measurements a level of each clip's own (`near_level`) tells better
    whether there is an answer at all, but makes the order of answers worse.
    """

    mean: float = 0.0  # of ordinary queries, after the correction
    spread: float = 1.0
    background: float = 0.0  # a usual soft maximum: keeps corrected scores on the scale of cosines
    hubness: float = 0.0  # strength of the correction, 0..1

    def corrected(self, scores: NDArray[np.floating], background: NDArray[np.floating] | float = 0.0) -> Doubles:
        """Scores with each clip's background taken off: hubs no longer win by being near everything. (..., N)."""
        plain = np.asarray(scores, dtype=np.float64)
        return plain - self.hubness * (background - self.background) if self.hubness else plain

    def z(self, corrected: NDArray[np.floating]) -> Doubles:
        """z-scores of corrected scores."""
        return (np.asarray(corrected, dtype=np.float64) - self.mean) / self.spread

    def score(self, z: float, background: float = 0.0) -> float:
        """The plain score with this z."""
        return z * self.spread + self.mean + self.hubness * (background - self.background)

    @classmethod
    def of_bank(cls, bank_scores: NDArray[np.floating], background: Doubles, *, hubness: float) -> Scale:
        """From (B, N) scores of the bank on a sample of the collection, N >= 1, and (N,) the clips' backgrounds."""
        usual = float(background.mean())
        corrected = cls(background=usual, hubness=hubness).corrected(bank_scores, background)
        return cls(float(corrected.mean()), max(float(corrected.std()), 1e-3), usual, hubness)


@dataclass(frozen=True)
class Null:
    """Where the best hit of a query lies that has no answer in the index. Units are those of the scores compared."""

    location: float
    scale: float

    def odds(self, best: float) -> float:
        """Logarithm of the odds that a hit with this score is an answer; 0 two scales above the location."""
        return (best - self.location) / self.scale - 2.0

    def as_in(self, other: Null, best: float) -> float:
        """The score that lies in this null where `best` lies in the other."""
        return self.location + (best - other.location) * self.scale / other.scale

    def confidence(self, best: float) -> float:
        """0..1, rising with the score; 0.5 two scales above the location."""
        return float(confidence_from(self.odds(best)))


def null_of_bank(best_z: NDArray[np.floating], *, sampled: int, indexed: int) -> Null:
    """The null from what ordinary queries reach at best: (B,) z of each bank query's best clip in a sample.

    Some of them do have an answer in the index, so only the lower half is trusted: location is its upper end (the
    median of all), scale the distance down to the 16th percentile, one deviation of a normal distribution. What more
    clips than the sample's reach by chance alone is added, and fewer taken off: expected largest of n normal values
    (Blom 1958).
    """
    ordered = np.sort(np.asarray(best_z, dtype=np.float64))
    # np.quantile's own rule; its first call loads numpy.ma, 25 ms of a search from a cold prompt.
    low, middle = np.interp(np.array([0.16, 0.5]) * (len(ordered) - 1), np.arange(len(ordered)), ordered)
    scale = max(float(middle - low), 0.25)
    chance = expected_largest(indexed) - expected_largest(sampled)
    return Null(float(middle) + 0.5 * scale * chance, scale)


def null_of_sample(scores: NDArray[np.floating], *, indexed: int) -> Null | None:
    """The null for a query that no bank fits (a picture, a sound): from its own scores on a sample of the index.

    Robust: median and median absolute deviation, so that the true answers in the sample do not raise the bar; plus
    what `indexed` clips reach by chance. None below 8 clips: too few to tell.
    """
    values = np.asarray(scores, dtype=np.float64)
    if len(values) < 8:
        return None
    middle = float(np.median(values))
    spread = max(1.4826 * float(np.median(np.abs(values - middle))), 0.01)
    return Null(middle + spread * expected_largest(indexed), spread)


def expected_largest(n: int) -> float:
    """Expected largest of n standard normal values, by Blom's approximation (1958); 0 for n <= 1."""
    return _NORMAL.inv_cdf((n - 0.375) / (n + 0.25)) if n > 1 else 0.0


def hearable(texts: Floats, bank: Floats, sounds: NDArray[np.bool_]) -> Doubles:
    """(N,) 0..1: how surely each text names something to hear, by `listener`."""
    return listener(bank, sounds)(texts)


def listener(bank: Floats, sounds: NDArray[np.bool_]) -> Listener:
    """What tells of texts, (N, D) vectors, how surely each names something to hear, (N,) 0..1.

    A ridge regression from the bank's vectors to whether a line names a sound, both kinds counting the same.

    Args:
        bank: (B, D) vectors of the query bank.
        sounds: (B,) which of its lines name sounds; with too few of them everything can be heard.
    """
    heard, rest = int(sounds.sum()), int((~sounds).sum())
    if heard < _LEAST_SOUNDS or rest < _LEAST_SOUNDS:
        return lambda texts: np.ones(len(texts))
    share = np.where(sounds, 0.5 / heard, 0.5 / rest) * len(bank)
    centre = (bank * share[:, None]).sum(axis=0) / share.sum()
    rows = (bank - centre).astype(np.float64)
    gram = rows.T @ (rows * share[:, None]) + _RIDGE * np.eye(rows.shape[1])
    weights = np.linalg.solve(gram, rows.T @ (share * (sounds - 0.5)))
    return lambda texts: np.asarray(1 / (1 + np.exp(-_SHARP * ((texts - centre) @ weights))))


class Listeners:
    """A `listener` for each bank, made once: the same vectors come with every search. Thread-safe."""

    def __init__(self) -> None:
        self._made: list[tuple[Floats, Listener]] = []  # of each sound channel
        self._lock = threading.Lock()

    def of(self, bank: Floats, sounds: NDArray[np.bool_]) -> Listener:
        """The one for these very vectors."""
        with self._lock:
            made = next((one for rows, one in self._made if rows is bank), None)
            if made is None:
                made = listener(bank, sounds)
                self._made = [*self._made[-7:], (bank, made)]
            return made
