"""Captions of an index against human ones: BLEU, ROUGE-L, CIDEr-D by the COCO scorers, and reference-free metrics.

The COCO scripts tokenise with Stanford's PTBTokenizer, which needs Java. `tokens` here splits plain English the same
way (lower case, punctuation dropped, clitics split off), so figures may differ in the third digit on text with unusual
punctuation; given the same tokens they are the same to 1e-6. METEOR and SPICE need Java and are not computed.

References are JSON lines, one video or stretch a line:

{"video": "lake.mp4", "captions": ["a dog jumps into a lake", "a dog is swimming"]}
{"video": "lake.mp4", "start_s": 0, "end_s": 5, "captions": ["a dog runs along the shore"]}
"""

from __future__ import annotations

import importlib
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import InputError, needs
from vidembed.evaluation.annotations import jsonl_records
from vidembed.evaluation.dataset import MediaFolder
from vidembed.index.judging import embed_texts, judging_weights
from vidembed.index.parts import IndexParts
from vidembed.index.video_index import VideoIndex
from vidembed.types import Floats, Span

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


def bleu(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> list[float]:
    """Corpus BLEU-1 to BLEU-4 (Papineni et al., ACL 2002), against the reference closest in length.

    Args:
        candidates: N captions as words.
        references: N lists of one or more texts as words.

    Returns:
        Four scores, 0..1. An order without any match gives almost 0, not 0: the COCO scripts count 1e-15 matches then.

    Raises:
        ValueError: The lengths differ, or an item has no reference.
        MissingDependency: The extra "evaluate" is not installed.
    """
    truth, result = _as_coco(candidates, references)
    scorer = _scorer("bleu.bleu", "Bleu")(4)
    return [float(score) for score in scorer.compute_score(truth, result, verbose=0)[0]] if truth else [math.nan] * 4


def rouge_l(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> Doubles:
    """ROUGE-L (Lin 2004, beta = 1.2): F of the longest common subsequence. Arguments and errors as of `bleu`.

    Returns:
        (N,) float64, 0..1; papers give the mean.
    """
    truth, result = _as_coco(candidates, references)
    return np.asarray(_scorer("rouge.rouge", "Rouge")().compute_score(truth, result)[1] if truth else [], np.float64)


def cider_d(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> Doubles:
    """CIDEr-D (Vedantam et al., CVPR 2015; sigma = 6). Arguments and errors as of `bleu`.

    Document frequencies come from these very references, so a score depends on the whole set; one item alone gets 0.

    Returns:
        (N,) float64, 0..10; papers give the mean, often x 100.
    """
    truth, result = _as_coco(candidates, references)
    return np.asarray(_scorer("cider.cider", "Cider")().compute_score(truth, result)[1] if truth else [], np.float64)


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


def clip_scores(media: Floats, texts: Floats) -> Doubles:
    """(N,) 2.5 x max(cosine, 0) of each caption with its clip, both (N, D) unit rows: no reference needed.

    CLIPScore, Hessel et al., EMNLP 2021, weight as there. Figures of different models do not compare.
    """
    if media.shape != texts.shape:
        raise ValueError(f"need one caption vector per clip vector, got {texts.shape} for {media.shape}")
    return 2.5 * np.maximum(np.einsum("nd,nd->n", media.astype(np.float64), texts.astype(np.float64)), 0.0)


def ref_clip_scores(media: Floats, texts: Floats, references: Sequence[Floats]) -> Doubles:
    """(N,) harmonic mean of CLIPScore and the best cosine with a reference's vector. references[i]: (R, D)."""
    own = clip_scores(media, texts)
    best = np.array([max(float((refs @ text).max()), 0.0) for text, refs in zip(texts, references, strict=True)])
    both = own + best
    return np.where(both > 0, 2 * own * best / np.where(both > 0, both, 1), 0.0)


def _ngrams(words: Words, order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + order]) for i in range(len(words) - order + 1))


def _scorer(module: str, name: str) -> Any:
    """A scorer of pycocoevalcap; those that need Java are not used."""
    with needs("pycocoevalcap", extra="evaluate", purpose="measuring captions"):
        return getattr(importlib.import_module(f"pycocoevalcap.{module}"), name)


def _as_coco(
    candidates: Sequence[Words], references: Sequence[Sequence[Words]]
) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """(references, captions) by number, as the scorers take them: words joined by blanks."""
    if len(candidates) != len(references):
        raise ValueError(f"got {len(candidates)} captions and references for {len(references)}")
    for i, others in enumerate(references):
        if not others:
            raise ValueError(f"item {i} has no reference")
    truth = {i: [" ".join(words) for words in others] for i, others in enumerate(references)}
    return truth, {i: [" ".join(words)] for i, words in enumerate(candidates)}


@dataclass(frozen=True)
class View:
    """A channel that compares clips with text. embed: texts -> (N, D) unit rows; vectors: clip ids -> their (D,)."""

    embed: Callable[[Sequence[str]], Floats]
    vectors: Callable[[Sequence[str]], Mapping[str, Floats]]


def caption_views(parts: IndexParts) -> dict[str, View]:
    """The channels that compare captions with clips (caption.rerank), for CLIPScore."""

    def view(name: str) -> View:
        channel = parts.channels[name]
        return View(lambda texts: embed_texts(channel, texts), lambda clip_ids: parts.vectors(name, clip_ids))

    return {name: view(name) for name in judging_weights(parts.specs, parts.config.caption.rerank)}


@dataclass(frozen=True)
class Reference:
    """Human captions of a video, or of a stretch of it."""

    video: str
    path: Path | None
    captions: tuple[str, ...]
    span: Span | None = None


def read_references(file: Path, media: Path | None = None) -> list[Reference]:
    """Raises InputError, naming file and line, for whatever is wrong."""
    folder = MediaFolder(media if media is not None else file.parent)
    found = []
    for record in jsonl_records(file):
        video = record.text("video")
        texts = record.list("captions")
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            raise record.wrong("captions must be a list of texts, at least one")
        timed = "start_s" in record.fields or "end_s" in record.fields
        span = record.span(record.get("start_s"), record.get("end_s")) if timed else None
        found.append(Reference(video, folder.find(video), tuple(" ".join(text.split()) for text in texts), span))
    if not found:
        raise InputError(f"{file} has no reference in it")
    return found


def evaluate_captions(
    index: VideoIndex, references: Sequence[Reference], views: Mapping[str, View] | None = None
) -> dict[str, Any]:
    """{"figures": metric -> value, "missing": videos without a caption, "captions": count}.

    A caption is compared with the references of the stretch it overlaps most, or of the whole video; captions written
    by a person are left out. For each of the views, CLIPScore and RefCLIPScore over the clips with a vector there.
    Raises InputError when nothing can be compared.
    """
    ids: dict[str, str] = {}
    for record in index.videos():
        for path in record.paths:
            ids[str(path)] = ids[Path(path).name] = record.info.video_id
    per_video: dict[str, list[Reference]] = {}
    missing: list[str] = []
    for reference in references:
        names = [reference.video, Path(reference.video).name, *([str(reference.path)] if reference.path else [])]
        video_id = next((ids[name] for name in names if name in ids), None)
        if video_id is None:
            missing.append(reference.video)
        else:
            per_video.setdefault(video_id, []).append(reference)
    texts: list[str] = []
    others: list[list[str]] = []
    clips: list[str] = []
    for video_id, given in per_video.items():
        made = [caption for caption in index.captions(video_id) if not caption.human]
        if not made:
            missing.extend(dict.fromkeys(reference.video for reference in given))
        for caption in made:
            fitting = _fitting(caption.clip.span, given)
            if fitting:
                texts.append(caption.text)
                others.append(list(fitting))
                clips.append(caption.clip.clip_id)
    if not texts:
        raise InputError("no caption to compare", hint="caption the index first: vidembed caption")
    figures = caption_report(texts, others)
    for name, view in (views or {}).items():
        figures |= _seen(name, view, clips, texts, others)
    return {"figures": figures, "missing": list(dict.fromkeys(missing)), "captions": len(texts)}


def _seen(
    name: str, view: View, clips: Sequence[str], texts: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, float]:
    """CLIPScore and RefCLIPScore by one channel; nothing where no clip has a vector there."""
    vectors = view.vectors(clips)
    held = [i for i, clip_id in enumerate(clips) if clip_id in vectors]
    if not held:
        return {}
    media = np.stack([vectors[clips[i]] for i in held])
    own = view.embed([texts[i] for i in held])
    others = [view.embed(references[i]) for i in held]
    return {
        f"CLIPScore ({name})": float(clip_scores(media, own).mean()),
        f"RefCLIPScore ({name})": float(ref_clip_scores(media, own, others).mean()),
    }


def _fitting(span: Span, references: Sequence[Reference]) -> tuple[str, ...]:
    """The captions of the stretch that overlaps the span most; of the whole video where no stretch does."""
    timed = [reference for reference in references if reference.span is not None]
    best = max(timed, key=lambda r: r.span.overlap_s(span) if r.span else 0.0, default=None)
    if best is not None and best.span is not None and best.span.overlap_s(span) > 0:
        return best.captions
    return tuple(text for reference in references if reference.span is None for text in reference.captions)
