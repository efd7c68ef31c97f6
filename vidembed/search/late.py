"""A query in a channel of late interaction: each of its words is compared with every part of a clip's screen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from vidembed.search.calibration import Null, Scale
from vidembed.search.channels import ChannelSearch, ChannelTools, Found, Pieces, Texts, TextsOf
from vidembed.search.collection import usual_of
from vidembed.search.query import ChannelQuery
from vidembed.types import Clip, Where

_CROWD = 2000  # clips, the best ones, whose scores tell what an ordinary clip gets


class LateChannelSearch(ChannelSearch):
    """A clip is one screen: it is found as a whole, and by words alone."""

    guesses = True
    segments = False

    def __init__(self, query: ChannelQuery, tools: ChannelTools, *, stored: int, weight: float) -> None:
        super().__init__(query, tools, stored=stored, weight=weight)
        self._vector = query.vector

    def _ranked(self, need: int, where: Where | None, texts: TextsOf) -> list[Found]:
        scale, _ = self._usual
        hits = self._hits if where is None else self._search(self._candidates(need), where)
        scores = np.array([score for _, score in hits], dtype=np.float64)
        found = [Found(i, score, score, z, z) for (i, score), z in zip(hits, scale.z(scores).tolist())]
        self.exact.update((hit.clip_id, hit) for hit in found)
        return found[: self._candidates(need)]

    def pieces(self, windows: Sequence[Sequence[Clip]], texts: Texts) -> Pieces:
        return Pieces.of_lines(
            [
                [
                    (clip.span.start_s, clip.span.end_s, self.exact[clip.clip_id].z, "")
                    for clip in clips
                    if clip.clip_id in self.exact
                ]
                for clips in windows
            ]
        )

    def odds(self, z: float) -> float:
        null = self._usual[1]
        return z - 2.0 if null is None else null.odds(z)

    def confidence(self, z: float) -> float:
        null = self._usual[1]
        return 0.5 if null is None else null.confidence(z)

    @cached_property
    def _hits(self) -> list[tuple[str, float]]:
        """The best clips without a filter."""
        return self._search(max(_CROWD, self._candidates(1)), None)

    @cached_property
    def _usual(self) -> tuple[Scale, Null | None]:
        return usual_of(np.array([score for _, score in self._hits], dtype=np.float64))

    def _search(self, k: int, where: Where | None) -> list[tuple[str, float]]:
        return self._tools.store.search(self.collection, self._vector, k=k, where=where)
