"""Indexes of tiny videos with the toy profile, and what is in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from vidembed import VideoIndex, open_index

FAST = {"store.kind": "memory"}


@contextmanager
def filled(folder: Path, videos: Path, **overrides: object) -> Iterator[VideoIndex]:
    """A new index in `folder`, of all that is in `videos`."""
    with open_index(folder, profile="toy", overrides=FAST | overrides) as made:
        made.add(videos)
        yield made


def all_vectors(index: VideoIndex) -> dict[tuple[str, str], Any]:
    found = {}
    for name, spec in index.parts.specs.items():
        for rows in index.parts.store.scan(spec.collection, segments=True):
            for row in rows:
                segments = None if row.segments is None else row.segments.tobytes()
                found[name, row.clip.clip_id] = (row.clip, np.asarray(row.vector).tobytes(), segments)
    return found


def names(paths: Iterable[str | Path]) -> list[str]:
    """File names in order."""
    return sorted(Path(path).name for path in paths)
