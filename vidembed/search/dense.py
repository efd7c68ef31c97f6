"""A query in a channel of dense unit vectors: clips by the scores of their frames, sound windows or lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vidembed.search.calibration import near_level, soft_maximum
from vidembed.search.channels import DOUBTED, ChannelSearch, ChannelTools, Found, Pieces, Texts, TextsOf
from vidembed.search.query import ChannelQuery
from vidembed.types import Clip, Floats, Where
from vidembed.vectors import lines_of, pool_scores, segment_matrix, stretches

_ACROSS = 0.1  # how surely pictures tell what a sound is, and sounds what a picture is


class DenseChannelSearch(ChannelSearch):
    """Found by the cosine with the query, measured against ordinary queries."""

    guesses = True
    segments = True

    def __init__(self, query: ChannelQuery, tools: ChannelTools, *, stored: int, weight: float) -> None:
        super().__init__(query, tools, stored=stored, weight=weight)
        assert isinstance(query.vector, np.ndarray)
        self._vector: Floats = query.vector
        self._across, self._ordinary = query.across, query.ordinary
        self._verbatim = query.verbatim and self.modality == "text"
        self._collection = collection = tools.collections.get(query.channel)
        self._near_null = collection.near_null
        self._bank = tools.bank(query.channel) if query.ordinary and collection.scale is not None else None
        if self._bank is not None and collection.scale is not None:
            self._scale, self._null = collection.scale, collection.null
        else:
            self._scale, self._null = collection.for_query(query.vector, alike=self._by_cohort)
        example = query.example and not query.across
        self._likeness = tools.curves.likeness_in(query.channel) if example else None
        # Of clips that were compared: cosines with their segments, `_levels`.
        self._cosines: dict[str, Floats] = {}
        self._level: dict[str, list[float]] = {}
        self._shown = tools.curves.shown_in(query.channel) if self._bank is not None else None
        if self._shown is not None:
            self._far = self._shown.level(self._vector)
            self._scale = replace(self._scale, hubness=self._shown.hubness(self._far[1]))

    def _ranked(self, need: int, where: Where | None, texts: TextsOf) -> list[Found]:
        hits = self._tools.store.search(self.collection, self._vector, k=self._candidates(need), where=where)
        rescore = max(self._tools.settings.rescore, need)
        head = [clip_id for clip_id, _ in hits[:rescore]]
        self.load(head)
        self.measure(head)
        found = [self.exact[clip_id] for clip_id in head if clip_id in self.exact]
        found.sort(key=lambda hit: (-hit.value, hit.clip_id))
        if not found:
            return []
        # The tail keeps the store's order, below the head: its segments were not scored.
        last, edge = found[-1], hits[:rescore][-1][1]
        unit = self._collection.usual[1] if self._by_cohort else 1.0
        for clip_id, score in hits[rescore:]:
            below = (edge - score) / unit
            z_below = last.z - below / self._scale.spread
            found.append(Found(clip_id, score, last.value - below, z_below, z_below))
        return found

    def measure(self, clip_ids: Sequence[str]) -> None:
        held = [clip_id for clip_id in clip_ids if clip_id in self._rows and clip_id not in self.exact]
        if not held:
            return
        cosines, counts, level = self._compared(held)
        scores = pool_scores(cosines[None], counts.cumsum() - counts, self._tools.settings.segment_score)[0]
        value = self._value(scores, level)
        z = self._scale.z(value)
        match_z = self._match_z(scores, level, z)
        found = (Found(*row) for row in zip(held, scores.tolist(), value.tolist(), z.tolist(), match_z, strict=True))
        self.exact.update((hit.clip_id, hit) for hit in found)

    def _compared(self, clip_ids: Sequence[str]) -> tuple[Floats, NDArray[np.int64], NDArray[np.float64]]:
        """Cosines with the segments of clips that were loaded, one clip after the other; how many each has; levels."""
        new = [clip_id for clip_id in clip_ids if clip_id not in self._cosines]
        if new:
            segments, starts = segment_matrix([self._rows[clip_id] for clip_id in new])
            self._cosines.update(zip(new, np.split(segments @ self._vector, starts[1:])))
            self._level.update(zip(new, self._levels(new).tolist()))
        parts = [self._cosines[clip_id] for clip_id in clip_ids]
        counts = np.array([len(part) for part in parts], dtype=np.int64)
        return np.concatenate(parts), counts, np.array([self._level[clip_id] for clip_id in clip_ids])

    def pieces(self, windows: Sequence[Sequence[Clip]], texts: Texts) -> Pieces:
        held = [[clip for clip in clips if clip.clip_id in self._rows] for clips in windows]
        here = [clip for clips in held for clip in clips]
        if not here:
            return Pieces.of_lines([()] * len(windows))
        rows = [self._rows[clip.clip_id] for clip in here]
        cosines, counts, level = self._compared([clip.clip_id for clip in here])
        z = self._scale.z(self._value(cosines, np.repeat(level, counts, axis=0)))
        starts_s, ends_s, times_s = stretches(here, rows)
        what = [""] * len(cosines)
        for clip, row, start, count in zip(here, rows, (counts.cumsum() - counts).tolist(), counts.tolist()):
            text = texts.get(clip.clip_id, {}).get(self.name)
            for i, line in enumerate(lines_of(text, row, count), start=start):
                starts_s[i], ends_s[i], what[i] = line
        bounds = np.cumsum([0, *counts])[np.cumsum([0, *(len(clips) for clips in held)])]
        sampled = np.array([not any(what[a:b]) for a, b in pairwise(bounds.tolist())])
        number = np.repeat(np.arange(len(windows)), np.diff(bounds))
        return Pieces(number, starts_s, ends_s, times_s, z, tuple(what), sampled)

    @cached_property
    def heard(self) -> float:
        if self._across:
            return _ACROSS
        bank, sounds = self._bank, self._tools.sounds
        if self.modality != "audio" or bank is None or sounds is None:
            return 1.0
        return float(self._tools.listeners.of(bank, sounds)(self._vector[None])[0])

    def odds(self, z: float) -> float:
        return z - 2.0 if self._null is None else self._null.odds(z)

    def believed(self, top: float, hits: Sequence[tuple[Found, float]] = (), *, known: float = 1.0) -> float:
        """As any channel's, but for what was found to be surer or less sure.

        What is heard is less sure than it seems when words ask for it, what is like an example is so by its cosine and
        by what both have in common, and a text that means much the same is no quotation. A lone letter is said
        everywhere.
        """
        if self._shown is not None and hits:
            # The best part of a clip that the span has, and its clip's own level.
            best, _ = max(hits, key=lambda one: one[0].value)
            near = self._level[best.clip_id][1]
            cosine = min(best.score, self._scale.score(top, near))
            common = self._shown.in_common(self._vector, self._vector_of(best))
            return self._shown.of(cosine, near, self._far, common, known=known)
        z = self._matched(top, hits, known)
        if self._ordinary and self.modality == "audio":
            return self._tools.curves.hearing.odds(self.odds(z))
        if self._verbatim:
            return min(self.odds(z), DOUBTED)
        if self._likeness is None or not hits:
            return self.odds(z)
        # A span that lacks the clip's best part is less like the example, in usual deviations of cosines.
        best = max((hit for hit, _ in hits), key=lambda hit: hit.match_z)
        cosine = best.score - max(0.0, best.match_z - z) * self._collection.usual[1]
        common = self._likeness.in_common(self._vector, self._vector_of(best))
        return self._likeness.of(self.odds(z), cosine, common)

    def _vector_of(self, hit: Found) -> Floats:
        vector = self.vector_of(hit.clip_id)
        assert vector is not None  # its parts were scored
        return vector

    def confidence(self, z: float) -> float:
        return 0.5 if self._null is None else self._null.confidence(z)

    def _match_z(self, scores: NDArray[np.floating], level: NDArray[np.float64], z: NDArray[np.float64]) -> list[float]:
        """Scores above the clips' near levels, mapped from the null of such differences to the null of z."""
        if self._bank is None or self._null is None or self._near_null is None:
            return [float(one) for one in z]
        above = (scores - level[:, 1]) / self._scale.spread
        return [self._null.as_in(self._near_null, float(one)) for one in above]

    @property
    def _by_cohort(self) -> bool:
        """Scores count against those of other clips: the query is no text, and of the clips' own kind."""
        return not self._ordinary and not self._across

    def _value(self, scores: NDArray[np.floating], level: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corrected scores that clips are ranked by. level: (N, 2) of `_levels`."""
        if self._by_cohort:
            return np.asarray((scores - level[:, 0]) / level[:, 1])
        return self._scale.corrected(scores, level[:, 0 if self._shown is None else 1])

    def _levels(self, clip_ids: Sequence[str]) -> NDArray[np.float64]:
        """(N, 2) soft maximum and near level of ordinary queries; else mean and deviation of other clips."""
        bank, settings, sample = self._bank, self._tools.settings, self._collection.sample
        if bank is None and not (self._by_cohort and len(sample)):
            return np.tile([0.0, 1.0], (len(clip_ids), 1))

        def make(missing: list[str]) -> NDArray[np.float64]:
            rows = [self._rows[i] for i in missing]
            segments, starts = segment_matrix(rows)
            scores = pool_scores((sample if bank is None else bank) @ segments.T, starts, settings.segment_score)
            if bank is None:
                return self._collection.cohort_levels(scores, [row.clip.video_id for row in rows])
            highest = soft_maximum(scores, temperature=settings.calibration.temperature)
            return np.stack([highest, near_level(scores)], axis=1)

        name = self.collection if bank is not None else f"{self.collection} cohort"
        return self._tools.backgrounds.get(name, clip_ids, make)
