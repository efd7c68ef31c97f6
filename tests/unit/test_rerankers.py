"""Rerankers: the library's own scores for a query and a clip, and the order of a search's best answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import tiny_models_sentence
import tiny_models_vlm
import torch
import toy_videos
from PIL import Image

from vidembed import open_index
from vidembed.errors import NoSuchStream
from vidembed.models import registry
from vidembed.models.rerankers import Reranker
from vidembed.protocols import ClipMedia
from vidembed.types import Clip, Floats, FrameBatch, Span


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models_sentence.qwen3_vl_reranker_folder(tmp_path_factory.mktemp("reranker") / "model")


@pytest.fixture(scope="module")
def reranker(folder: Path) -> Reranker:
    return cast(Reranker, registry.load(str(folder), role="reranker", device="cpu", dtype="float32"))


def media(frames: FrameBatch | None) -> ClipMedia:
    return ClipMedia(Clip.make("a" * 32, 0, Span(0, 4)), cast(Any, None), frames, cast(Any, None))


CLIP = FrameBatch(np.random.default_rng(0).integers(0, 255, (4, 40, 48, 3), dtype=np.uint8), np.arange(4.0))


def test_scores_are_the_librarys(folder: Path, reranker: Reranker) -> None:
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), device="cpu")
    facts = {"fps": 1.0, "total_num_frames": 4, "frames_indices": [0, 1, 2, 3]}
    video = {"do_sample_frames": False, "video_metadata": [facts]}
    pair: Any = ("a red car", {"video": CLIP.rgb})
    (odds,) = model.predict([pair], activation_fn=lambda logit: logit, processing_kwargs={"video": video})
    assert reranker.agreement([media(CLIP)], "a red car") == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-5)


def test_query_and_clip_both_count(reranker: Reranker) -> None:
    other = FrameBatch(255 - CLIP.rgb, CLIP.times_s)
    same, words, clip = (
        reranker.agreement([media(frames)], claim)[0]
        for frames, claim in ((CLIP, "red car"), (CLIP, "blue dog"), (other, "red car"))
    )
    assert len({float(same), float(words), float(clip)}) == 3


def test_a_clip_without_pictures_is_refused(reranker: Reranker) -> None:
    with pytest.raises(NoSuchStream, match="needs pictures"):
        reranker.agreement([media(None)], "a red car")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models_vlm.colmodernvbert_folder(tmp_path_factory.mktemp("late") / "model")


def test_late_interaction_is_the_best_cosine_of_every_word_on_the_best_frame(pages: Path) -> None:
    """Against transformers' own vectors of the query and of each frame, compared by hand."""
    import transformers as t

    model = t.ColModernVBertForRetrieval.from_pretrained(pages).eval()
    processor: Any = t.ColModernVBertProcessor.from_pretrained(pages)
    with torch.inference_mode():
        asked = model(**processor.process_queries(["a red car"])).embeddings[0]
        shown = [model(**processor.process_images([Image.fromarray(rgb)])).embeddings[0] for rgb in CLIP.rgb]
    best = max(float((asked @ page.T).max(1).values.mean()) for page in shown)
    late: Any = registry.load(
        replace(registry.find("colmodernvbert", "reranker"), path=pages, repo=None), role="reranker", device="cpu"
    )
    assert late.agreement([media(CLIP)], "a red car") == pytest.approx((1 + best) / 2, abs=1e-5)
    with pytest.raises(NoSuchStream, match="needs pictures"):
        late.agreement([media(None)], "a red car")


class Sure:
    """The later a moment begins, the surer; of blue ones it cannot judge."""

    def __init__(self) -> None:
        self.asked = 0

    def agreement(self, clips: Sequence[ClipMedia], claim: str) -> Floats:
        self.asked += 1
        frames = clips[0].frames
        assert claim == "red"
        assert frames is not None
        if frames.rgb[..., 2].mean() > 127:
            raise NoSuchStream("nothing to see")
        return np.array([clips[0].clip.span.start_s / 100], np.float32)


def test_the_best_are_ordered_anew_and_pages_fit_together(tmp_path: Path) -> None:
    for number in range(3):
        toy_videos.make(tmp_path / f"{number}.mp4", *["red"] * number, "red", "green", "blue")
    with open_index(tmp_path / "index", profile="toy", overrides={"search.rerank": "sure"}) as index:
        index.add(tmp_path)
        verifier = Sure()
        index.parts._lookers["sure"] = verifier
        found = index.search("red", k=6)
        known = [moment.agreement for moment in found if moment.agreement is not None]
        assert known == sorted(known, reverse=True)
        assert len(known) > 1
        assert [moment.agreement is None for moment in found] == [False] * len(known) + [True] * (6 - len(known))
        pages = [index.search("red", k=2, offset=offset) for offset in (0, 2, 4)]
        assert [moment.clip_id for page in pages for moment in page] == [moment.clip_id for moment in found]
        asked = verifier.asked
        assert index.search("red", k=2, offset=20) == []
        assert verifier.asked == asked, "beyond the best, nobody is asked"
