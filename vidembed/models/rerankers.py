"""Models that look at a search's best clips again.

`Reranker`, of sentence-transformers, reads a query and a clip together (Qwen3-VL-Reranker, Li et al. 2026).
`LateInteraction` compares every word of the query with every patch of a frame (ColPali, Faysse et al. 2024), with
the vectors of `encoders.late`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidembed.errors import NoSuchStream, missing_dependency
from vidembed.models.encoders import late
from vidembed.models.encoders._torch import place, running
from vidembed.models.encoders.sentence import FRAMES, clip_input, opened
from vidembed.protocols import ClipMedia
from vidembed.types import Floats
from vidembed.vectors import evenly_spaced, late_score

if TYPE_CHECKING:
    from vidembed.models.spec import ModelSpec


class Reranker:
    """Tells how well clips fit a query. Made by `load`."""

    def __init__(self, name: str, model: Any, *, frames: int, prompt: str | None) -> None:
        self.name = name
        self._model, self._frames, self._prompt = model, frames, prompt

    def agreement(self, clips: Sequence[ClipMedia], claim: str) -> Floats:
        """(N,) float32 in 0..1: P(yes) / (P(yes) + P(no)) when asked whether each clip meets the query.

        Raises NoSuchStream for a clip without pictures.
        """
        found = []
        for media in clips:
            if media.frames is None:
                raise NoSuchStream(f"{self.name} needs pictures, and the clip has none")
            clip = clip_input(media.frames, self._model.processor, self._frames)
            # Of a pair the library does not take the facts out of the clip itself (6.2).
            video = {"do_sample_frames": False, "video_metadata": [clip["video_metadata"]]}
            with running(torch.device(self._model.device)):
                score = self._model.predict(
                    [({"text": claim}, {"video": clip["array"]})], prompt=self._prompt, show_progress_bar=False,
                    activation_fn=torch.nn.Sigmoid(), processing_kwargs={"video": video},
                )  # fmt: skip
            found.append(float(score[0]))
        return np.array(found, dtype=np.float32)


class LateInteraction:
    """Tells how well the words of a query are found on clips' frames. Made by `load_late`."""

    def __init__(self, name: str, encoder: late.LateEncoder, *, frames: int) -> None:
        self.name = name
        self._encoder, self._frames = encoder, frames

    def agreement(self, clips: Sequence[ClipMedia], claim: str) -> Floats:
        """(N,) float32 in 0..1: of a clip's best frame, the mean over the query's vectors of their best cosine.

        It is brought from -1..1 to 0..1. Raises NoSuchStream for a clip without pictures.
        """
        query = self._encoder.query(claim)
        return np.array([self._best(media, query) for media in clips], dtype=np.float32)

    def _best(self, media: ClipMedia, query: Floats) -> float:
        if media.frames is None:
            raise NoSuchStream(f"{self.name} needs pictures, and the clip has none")
        count = min(self._frames, len(media.frames))
        seen = media.frames.take(evenly_spaced(len(media.frames), count, ends=False)).rgb
        return max(1 + float(late_score(query, self._encoder.page(rgb))) for rgb in seen) / 2


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
    prompt: str | None = None,
) -> Reranker:
    """The registry's factory: loads a cross-encoder of sentence-transformers; no code from its folder is run.

    Args:
        spec: The record.
        device: See `registry.load`.
        dtype: See `registry.load`.
        weights_dir: See `registry.load`.
        offline: See `registry.load`.
        prompt: The task in words, before the query; None: the model's own.

    Raises:
        WeightsMissing: When the weights are not found or do not load.
        ConfigError: For an unknown device or dtype.
        MissingDependency: Without the extra `sentence`.
    """
    try:
        from sentence_transformers import CrossEncoder
    except ImportError as error:
        raise missing_dependency("sentence-transformers", extra="sentence", purpose=spec.name) from error
    at = place(spec, device=device, dtype=dtype, weights_dir=weights_dir, offline=offline)
    model = opened(CrossEncoder, spec, at)
    return Reranker(spec.name, model, frames=spec.input.frames or FRAMES, prompt=prompt)


def load_late(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
) -> LateInteraction:
    """The registry's factory of models with many vectors; arguments and errors as of `load`."""
    encoder = late.load(spec, device=device, dtype=dtype, weights_dir=weights_dir, offline=offline)
    return LateInteraction(spec.name, encoder, frames=spec.input.frames or FRAMES)
