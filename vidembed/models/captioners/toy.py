"""A captioner whose sentences can be worked out by hand: it names the colours of a clip and the tone of its sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vidembed.errors import NoSuchStream
from vidembed.models import toy_space
from vidembed.models.spec import ModelSpec
from vidembed.protocols import ClipMedia


class ToyCaptioner:
    """Says "red frames, low tone". Further candidates name the next colours. No picture and no sound: an error."""

    name = "toy-captioner"
    rate_hz = 8000

    def candidates(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str]]:
        return [self._of_one(media, n) for media in clips]

    def _of_one(self, media: ClipMedia, n: int) -> list[str]:
        tone = self._tone(media)
        if media.frames is None:
            if tone is None:
                raise NoSuchStream("a clip with neither picture nor sound cannot be captioned")
            return [tone]
        colours = toy_space.strongest(toy_space.colour_shares(media.frames.rgb), tuple(toy_space.COLOURS), n)
        rest = [name for name in toy_space.COLOURS if name not in colours]
        ending = f", {tone}" if tone else ""
        return [f"{colour} frames{ending}" for colour in (colours + rest)[:n]]

    def _tone(self, media: ClipMedia) -> str | None:
        if not media.info.has_audio:
            return None
        try:
            sound = media.video.audio(media.clip.span, rate_hz=self.rate_hz)
        except NoSuchStream:
            return None
        shares = toy_space.tone_shares(np.asarray(sound.samples), sound.rate_hz)
        bands = toy_space.strongest(shares, (*toy_space.TONES_HZ, "silence"), 1)
        return None if bands in ([], ["silence"]) else f"{bands[0]} tone"


def load(spec: ModelSpec, **_: Any) -> ToyCaptioner:
    """The toy captioner; it has no weights and no settings."""
    return ToyCaptioner()
