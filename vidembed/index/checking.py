"""A second look at what a search found: a vision-language model is shown each moment and says yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from vidembed.errors import BadQuery, ConfigError, NoSuchStream
from vidembed.index.parts import open_video
from vidembed.protocols import ClipMedia
from vidembed.types import Clip, Floats, Moment

if TYPE_CHECKING:
    from vidembed.index.base import OpenIndex

_FRAMES = 8  # of each moment, evenly spread
_SIDE_PX = 384


@runtime_checkable
class Witness(Protocol):
    """A captioner that also answers questions."""

    def agreement(self, clips: Sequence[ClipMedia], claim: str) -> Floats:
        """(N,) float32 in 0..1: how far it says yes when asked whether each clip shows the claim."""
        ...


def load_witness(index: OpenIndex, model: str | None) -> Witness:
    """The named captioner, or the index's own. Raises ConfigError where that answers no questions."""
    from vidembed.models.registry import load_captioner

    given = index.config
    name = model or given.caption.model
    if name is None:
        raise ConfigError("no model is named that could check", hint="name a vision-language model, qwen3-vl-2b say")
    options = given.caption.options if name == given.caption.model else {}
    found = load_captioner(
        name, device=given.device, weights_dir=given.weights_dir, offline=given.offline, **dict(options)
    )
    if not isinstance(found, Witness):
        raise ConfigError(f"{name} answers no questions", hint="name a vision-language model, qwen3-vl-2b say")
    return found


def check(index: OpenIndex, claim: str, moments: Sequence[Moment], witness: Witness) -> list[Moment]:
    """See `VideoIndex.check`."""
    if not claim.strip():
        raise BadQuery("nothing to check: the claim is empty", hint="give the words that were searched for")
    checked = [replace(moment, agreement=_agreement(index, claim, moment, witness)) for moment in moments]
    return sorted(checked, key=lambda moment: -(moment.agreement or 0.0))


def _agreement(index: OpenIndex, claim: str, moment: Moment, witness: Witness) -> float:
    span = moment.span
    with ExitStack() as stack:
        video = stack.enter_context(open_video(index.config, moment.path))
        frames = None
        if video.info.has_video:
            times_s = span.start_s + (np.arange(_FRAMES) + 0.5) / _FRAMES * span.duration_s
            try:
                frames = video.frames(times_s.tolist(), short_side_px=_SIDE_PX)
            except NoSuchStream:
                frames = None
        media = ClipMedia(Clip.make(moment.video_id, 0, span), video.info, frames, video)
        return float(witness.agreement([media], claim)[0])
