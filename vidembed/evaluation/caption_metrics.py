"""Metrics of captions: BLEU, ROUGE-L and CIDEr-D as the COCO caption evaluation computes them, and reference-free ones.

The COCO scripts tokenise with Stanford's PTBTokenizer, which needs Java. `tokens` here splits plain English the same
way (lower case, punctuation dropped, clitics split off), so figures may differ in the third digit on text with unusual
punctuation; given the same tokens they are the same to 1e-6. METEOR and SPICE need Java and are not computed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidembed.types import Floats

Doubles = NDArray[np.float64]
Words = Sequence[str]
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|\w+(?:-\w+)*", re.UNICODE)
_CLITIC = re.compile(r"(?<=\w)('s|'m|'d|'ll|'re|'ve)\b")
_NOT = re.compile(r"(?<=\w)n't\b")


def tokens(text: str) -> list[str]:
    """Lower-case words; punctuation dropped; "don't" is do, n't and "dog's" is dog, 's, as in the Penn Treebank."""
    text = text.lower().replace("’", "'")
    # Parts that must survive the splitting, spelt with a letter that is not in captions.
    text = _NOT.sub(" nʼt", text)
    text = _CLITIC.sub(lambda match: " ʼ" + match.group(1)[1:], text)
    return [word.replace("ʼ", "'") for word in re.findall(rf"nʼt|ʼ\w+|{_TOKEN.pattern}", text)]


def bleu(candidates: Sequence[Words], references: Sequence[Sequence[Words]], *, n: int = 4) -> list[float]:
    """Corpus BLEU-1 to BLEU-n, 0..1. candidates: words per item; references: several texts per item.

    Clipped n-gram precision times the brevity penalty against the reference closest in length, no smoothing
    (Papineni et al., ACL 2002).
    """
    _check(candidates, references)
    right, total = np.zeros(n), np.zeros(n)
    length = wanted = 0
    for words, others in zip(candidates, references):
        length += len(words)
        wanted += min((abs(len(other) - len(words)), len(other)) for other in others)[1]
        for order in range(1, n + 1):
            have = _ngrams(words, order)
            most: Counter[tuple[str, ...]] = Counter()
            for other in others:
                most |= _ngrams(other, order)
            right[order - 1] += sum((have & most).values())
            total[order - 1] += max(0, len(words) - order + 1)
    if length == 0:
        return [0.0] * n
    penalty = 1.0 if length >= wanted else math.exp(1 - wanted / length)
    scores = []
    logs = 0.0
    for order in range(n):
        if right[order] == 0 or logs == -math.inf:
            logs = -math.inf
        else:
            logs += math.log(right[order] / total[order])
        scores.append(0.0 if logs == -math.inf else penalty * math.exp(logs / (order + 1)))
    return scores


def rouge_l(candidates: Sequence[Words], references: Sequence[Sequence[Words]], *, beta: float = 1.2) -> Doubles:
    """(N,) ROUGE-L, 0..1: F of the longest common subsequence, best precision and best recall over the references.

    Lin 2004, with beta = 1.2 as in the COCO caption evaluation; the mean over items is the figure papers give.
    """
    _check(candidates, references)
    scores = []
    for words, others in zip(candidates, references):
        common = [_common_length(words, other) for other in others]
        precision = max((c / len(words) for c in common), default=0.0) if words else 0.0
        recall = max((c / len(other) if other else 0.0 for c, other in zip(common, others)), default=0.0)
        both = recall + beta**2 * precision
        scores.append((1 + beta**2) * precision * recall / both if precision and recall else 0.0)
    return np.array(scores, dtype=np.float64)


class CiderD:
    """CIDEr-D against fixed references, 0..10: cosine of TF-IDF weighted n-grams, clipped, with a Gaussian penalty on
    the length. Vedantam et al., CVPR 2015; sigma = 6, scale 10, as in the COCO caption evaluation.

    Document frequencies come from these very references, one document per item, so a score depends on the whole set;
    with a single item it is always 0.
    """

    def __init__(self, references: Sequence[Sequence[Words]], *, n: int = 4, sigma: float = 6.0) -> None:
        self._n, self._sigma = n, sigma
        self._documents = math.log(len(references)) if references else 0.0
        self._frequency: Counter[tuple[str, ...]] = Counter()
        for others in references:
            self._frequency.update(
                {gram for other in others for order in range(1, n + 1) for gram in _ngrams(other, order)}
            )
        self._references = [[self._weighted(other) for other in others] for others in references]

    def score(self, item: int, words: Words) -> float:
        """How well a caption fits the references of that item, 0..10."""
        own, own_norms, length = self._weighted(words)
        total = 0.0
        for there, norms, other_length in self._references[item]:
            penalty = math.exp(-((length - other_length) ** 2) / (2 * self._sigma**2))
            for a, b, norm_a, norm_b in zip(own, there, own_norms, norms):
                shared = sum(min(value, b[gram]) * b[gram] for gram, value in a.items() if gram in b)
                if norm_a and norm_b:
                    total += penalty * shared / (norm_a * norm_b)
        return 10.0 * total / self._n / len(self._references[item])

    def _weighted(self, words: Words) -> tuple[list[dict[tuple[str, ...], float]], list[float], int]:
        """Per order the n-grams' weights and their norm; and the length, which the reference code counts in bigrams."""
        vectors = []
        for order in range(1, self._n + 1):
            counts = _ngrams(words, order)
            vectors.append(
                {g: c * (self._documents - math.log(max(1.0, self._frequency[g]))) for g, c in counts.items()}
            )
        norms = [math.sqrt(sum(value**2 for value in vector.values())) for vector in vectors]
        return vectors, norms, max(0, len(words) - 1)


def cider_d(
    candidates: Sequence[Words], references: Sequence[Sequence[Words]], *, n: int = 4, sigma: float = 6.0
) -> Doubles:
    """(N,) `CiderD` of each candidate against its own references; the mean is the figure papers give, often x 100."""
    _check(candidates, references)
    scorer = CiderD(references, n=n, sigma=sigma)
    return np.array([scorer.score(i, words) for i, words in enumerate(candidates)], dtype=np.float64)


def caption_report(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """BLEU-1..4, ROUGE-L, CIDEr-D (0..10) and how varied the captions are, for plain texts."""
    words = [tokens(text) for text in candidates]
    others = [[tokens(text) for text in texts] for texts in references]
    report = {f"BLEU-{i}": value for i, value in enumerate(bleu(words, others), start=1)}
    report["ROUGE-L"] = float(rouge_l(words, others).mean()) if words else float("nan")
    report["CIDEr-D"] = float(cider_d(words, others).mean()) if words else float("nan")
    return {**report, **variety(words), "captions": float(len(words))}


def variety(candidates: Sequence[Words]) -> dict[str, float]:
    """Reference-free: different captions among all, different words and word pairs among all, mean length."""
    if not candidates:
        return {"unique": float("nan"), "distinct-1": float("nan"), "distinct-2": float("nan"), "words": float("nan")}
    report = {"unique": len({tuple(words) for words in candidates}) / len(candidates)}
    for order in (1, 2):
        grams: Counter[tuple[str, ...]] = Counter()
        for words in candidates:
            grams.update(_ngrams(words, order))
        report[f"distinct-{order}"] = len(grams) / max(1, sum(grams.values()))
    report["words"] = float(np.mean([len(words) for words in candidates]))
    return report


def clip_scores(media: Floats, texts: Floats, *, weight: float = 2.5) -> Doubles:
    """(N,) weight x max(cosine, 0) of each caption with its clip, both (N, D) unit rows: no reference needed.

    CLIPScore, Hessel et al., EMNLP 2021, weight as there. Figures of different models do not compare.
    """
    if media.shape != texts.shape:
        raise ValueError(f"need one caption vector per clip vector, got {texts.shape} for {media.shape}")
    return weight * np.maximum(np.einsum("nd,nd->n", media.astype(np.float64), texts.astype(np.float64)), 0.0)


def ref_clip_scores(media: Floats, texts: Floats, references: Sequence[Floats], *, weight: float = 2.5) -> Doubles:
    """(N,) harmonic mean of CLIPScore and the best cosine with a reference's vector. references[i]: (R, D)."""
    own = clip_scores(media, texts, weight=weight)
    best = np.array([max(float((refs @ text).max()), 0.0) for text, refs in zip(texts, references, strict=True)])
    both = own + best
    return np.where(both > 0, 2 * own * best / np.where(both > 0, both, 1), 0.0)


def _ngrams(words: Words, order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + order]) for i in range(len(words) - order + 1))


def _common_length(a: Words, b: Words) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for word in a:
        above_left = 0
        for j, other in enumerate(b, start=1):
            above = row[j]
            row[j] = above_left + 1 if word == other else max(above, row[j - 1])
            above_left = above
    return row[-1]


def _check(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> None:
    if len(candidates) != len(references):
        raise ValueError(f"got {len(candidates)} captions and references for {len(references)}")
    for i, others in enumerate(references):
        if not others:
            raise ValueError(f"item {i} has no reference")
