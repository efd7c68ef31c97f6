"""All clips as points in the plane, groups of them, and pairs that are nearly the same. Numpy alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidembed.media.captured import SHOT
from vidembed.types import Clip, Floats
from vidembed.vectors import evenly_spaced

if TYPE_CHECKING:
    from vidembed.web.site import Site

MAX_POINTS = 2000
MAX_COMPARED = 20_000
_FIT_ROWS = 5000
_BLOCK = 1024
_PER_VIDEOS = 2
_MOST_PAIRS = 50
_ROUNDS = 20  # of k-means
_TICKS = 8  # days that are named along the axis


@dataclass(frozen=True, eq=False)
class ClipMap:
    """Clips as dots.

    Attributes:
        clips: (N).
        places: (N, 2) float32 in 0..1.
        groups: (N,) int.
        method: "PCA", "UMAP" or "date".
        total: Clips in all.
        ticks: Where a day begins along the first axis, and the day; of a map by date.
    """

    clips: list[Clip]
    places: Floats
    groups: NDArray[np.int64]
    method: str
    total: int
    ticks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class NearDuplicate:
    """Two clips that are nearly the same. cosine: of their vectors."""

    one: Clip
    other: Clip
    cosine: float


def dense_channels(site: Site) -> list[str]:
    """Channels whose vectors can be laid out, those that look at pictures first."""
    specs = site.index.parts.specs
    dense = [name for name, spec in specs.items() if spec.model.kind == "encoder"]
    return sorted(dense, key=lambda name: specs[name].settings.source != "frames")


def vectors(site: Site, channel: str, limit: int) -> tuple[list[Clip], Floats, int]:
    """(clips, (N, D) unit rows, clips in all): evenly spread over the library where there are more than the limit."""
    clips = site.index.clips()
    total = len(clips)
    if total > limit:
        clips = [clips[i] for i in evenly_spaced(total, limit)]
    rows = site.index.rows(channel, [clip.clip_id for clip in clips], segments=False)
    held = [clip for clip in clips if clip.clip_id in rows]
    if not held:
        return [], np.zeros((0, 1), np.float32), total
    return held, np.stack([np.asarray(rows[clip.clip_id].vector, np.float32) for clip in held]), total


def clip_map(site: Site, channel: str, *, groups: int = 8) -> ClipMap:
    """The map of one channel. Deterministic."""
    clips, rows, total = vectors(site, channel, MAX_POINTS)
    places, method = lay_out(rows)
    return ClipMap(clips, places, cluster(rows, groups), method, total)


def date_map(site: Site, channel: str, *, groups: int = 8) -> ClipMap:
    """The map of one channel by date of capture: one clip after the other, alike ones at the same height.

    Clips of videos whose camera wrote no date are left out.
    """
    clips, rows, total = vectors(site, channel, MAX_POINTS)
    shot = {video_id: tags[SHOT] for video_id, tags in site.index.catalog.tags.all().items() if SHOT in tags}
    began = {video_id: day for video_id, text in shot.items() if (day := _read(text)) is not None}
    when = {at: began[clip.video_id].timestamp() + clip.span.middle_s for at, clip in enumerate(clips)
            if clip.video_id in began}  # fmt: skip
    order = sorted(when, key=lambda at: (when[at], clips[at].clip_id))
    clips, rows = [clips[at] for at in order], rows[order]
    heights = lay_out(rows)[0][:, :1] if order else np.zeros((0, 1), np.float32)
    along = ((np.arange(len(order)) + 0.5) / max(len(order), 1)).astype(np.float32)[:, None]
    days = [began[clip.video_id].date().isoformat() for clip in clips]
    first = [at for at, day in enumerate(days) if at == 0 or days[at - 1] != day]
    ticks = tuple((at / len(order), days[at]) for at in first[:: -(-len(first) // _TICKS) or 1])
    return ClipMap(clips, np.hstack([along, heights]), cluster(rows, groups), "date", total, ticks)


def _read(text: str) -> datetime | None:
    """A date of capture; None where somebody wrote another thing under that name."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def lay_out(rows: Floats) -> tuple[Floats, str]:
    """((N, 2) in 0..1, method): UMAP when umap-learn is installed and it pays, else the two main axes (PCA)."""
    if len(rows) < 3:
        return np.full((len(rows), 2), 0.5, np.float32) + np.arange(len(rows), dtype=np.float32)[:, None] * 0.1, "PCA"
    flat = _umap(rows) if len(rows) >= 50 else None
    method = "PCA" if flat is None else "UMAP"
    if flat is None:
        flat = principal(rows)
    low, high = flat.min(axis=0), flat.max(axis=0)
    return ((flat - low) / np.maximum(high - low, 1e-9)).astype(np.float32), method


def principal(rows: Floats) -> Floats:
    """(N, 2): the rows along their two directions of largest variance; signs are fixed so that runs agree."""
    centred = rows - rows.mean(axis=0)
    sample = centred[evenly_spaced(len(rows), min(len(rows), _FIT_ROWS))]
    _, _, axes = np.linalg.svd(sample, full_matrices=False)
    axes = axes[:2]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    flat = centred @ axes.T
    return flat if flat.shape[1] == 2 else np.hstack([flat, np.zeros_like(flat)])


def _umap(rows: Floats) -> Floats | None:
    try:
        import umap
    except ImportError:
        return None
    made: Floats = umap.UMAP(n_components=2, metric="cosine", random_state=0).fit_transform(rows)
    return made


def cluster(rows: Floats, count: int) -> NDArray[np.int64]:
    """(N,) group of each row by spherical k-means; the seeds are the rows farthest from those before (maximin)."""
    count = min(count, len(rows))
    if count == 0:
        return np.zeros(0, np.int64)
    chosen = [0]
    nearest = rows @ rows[0]
    for _ in range(count - 1):
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, rows @ rows[chosen[-1]])
    centres = rows[chosen].copy()
    groups = np.zeros(len(rows), np.int64)
    for turn in range(_ROUNDS):
        found = (rows @ centres.T).argmax(axis=1)
        if np.array_equal(found, groups) and turn:
            break
        groups = found
        for group in range(count):
            members = rows[groups == group]
            if len(members):
                mean = members.mean(axis=0)
                centres[group] = mean / max(float(np.linalg.norm(mean)), 1e-9)
    return groups


def near_duplicates(clips: Sequence[Clip], rows: Floats, *, above: float) -> list[NearDuplicate]:
    """The most alike pairs, best first; of two videos, or of one with itself, the best `_PER_VIDEOS` stand for all.

    Neighbours in one video are alike by nature and do not count.
    """
    pairs: list[NearDuplicate] = []
    for start in range(0, len(rows), _BLOCK):
        alike = rows[start : start + _BLOCK] @ rows[start:].T
        for i, j in np.argwhere(np.triu(alike, 1) >= above).tolist():
            one, other = clips[start + i], clips[start + j]
            if one.video_id == other.video_id and abs(one.index - other.index) <= 1:
                continue
            pairs.append(NearDuplicate(one, other, float(alike[i, j])))
        pairs = _best(pairs)
    return pairs[:_MOST_PAIRS]


def _best(pairs: list[NearDuplicate]) -> list[NearDuplicate]:
    kept: list[NearDuplicate] = []
    seen: Counter[frozenset[str]] = Counter()
    for pair in sorted(pairs, key=_order):
        videos = frozenset((pair.one.video_id, pair.other.video_id))
        seen[videos] += 1
        if seen[videos] <= _PER_VIDEOS:
            kept.append(pair)
    return kept


def _order(pair: NearDuplicate) -> tuple[float, str, str]:
    return -pair.cosine, pair.one.clip_id, pair.other.clip_id
