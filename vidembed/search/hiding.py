"""What "less like this" hides: clips of the index, and those that are like them.

They are left out of the answers instead of being taken off the query, so that every other moment keeps its strength.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from vidembed.protocols import Channel, Store
from vidembed.search.collection import Collections
from vidembed.types import Query

_MOST = 1000  # clips that one example hides


def hides(query: Query) -> tuple[Query, list[str]]:
    """The query without the clips that it is to move away from, and their ids."""
    gone = [term for term in query.terms if term.modality == "clip" and term.weight < 0]
    kept = tuple(term for term in query.terms if term not in gone)
    return replace(query, terms=kept), [str(term.value) for term in gone]


def alike(store: Store, collections: Collections, channels: Iterable[Channel], clip_ids: Iterable[str]) -> set[str]:
    """Clips that are nearer to one of these than halfway between it and an ordinary clip.

    Args:
        store: Holds the vectors.
        collections: Statistics of the channels.
        channels: The first one that holds a clip judges it.
        clip_ids: The clips; they are part of the answer. Unknown ones hide nothing else.
    """
    dense = [channel for channel in channels if channel.encoder.space.kind == "dense"]
    found = set(clip_ids)
    for clip_id in list(found):
        for channel in dense:
            row = store.rows(channel.collection, [clip_id], segments=False).get(clip_id)
            if row is None or not isinstance(row.vector, np.ndarray):
                continue
            usual = float(np.median(collections.get(channel).sample @ row.vector))
            near = store.search(channel.collection, row.vector, k=_MOST)
            found |= {other for other, score in near if score > (1 + usual) / 2}
            break
    return found
