"""Qdrant Edge's own words: shard settings, filters, and its exceptions mapped to ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import qdrant_edge as edge

import vidembed.index.stores._points as _points
from vidembed.errors import ConfigError, IndexBusy, StoreError, StoreUnavailable
from vidembed.index.stores._points import DENSE, OVERSAMPLING, UNITS, WORDS
from vidembed.types import Space, Where


def quantization_config(name: str | None) -> edge.QuantizationConfigType | None:
    """The engine's settings for a preset; ConfigError for an unknown one."""
    memory = edge.Memory.Pinned
    if name is None:
        return None
    if name == "scalar":
        return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, quantile=0.99, memory=memory)
    if name == "binary":
        return edge.BinaryQuantizationConfig(memory=memory)
    bits = {
        "turbo1": edge.TurboQuantBitSize.Bits1,
        "turbo2": edge.TurboQuantBitSize.Bits2,
        "turbo4": edge.TurboQuantBitSize.Bits4,
    }
    if name not in bits:
        raise ConfigError(
            f"store.quantization: unknown preset {name!r}", hint=f"allowed: none, {', '.join(OVERSAMPLING)}"
        )
    return edge.TurboQuantQuantizationConfig(bits=bits[name], memory=memory)


def shard_config(space: Space, *, quantization: str | None, index_above_kb: int) -> edge.EdgeConfig:
    """Settings of a new shard. Units are kept for re-scoring by id only, so no graph is built for them."""
    optimizers = edge.EdgeOptimizersConfig(indexing_threshold=index_above_kb)
    if space.kind == "sparse":
        words = edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)
        return edge.EdgeConfig(sparse_vectors={WORDS: words}, optimizers=optimizers)
    clip = edge.EdgeVectorParams(space.dim, edge.Distance.Cosine, quantization_config=quantization_config(quantization))
    segments = edge.EdgeVectorParams(
        space.dim,
        # Unit rows already; cosine would scale them again and change float16's last bit.
        edge.Distance.Dot,
        multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim),
        datatype=edge.VectorStorageDatatype.Float16,
        hnsw_config=edge.HnswIndexConfig(m=0, ef_construct=16, full_scan_threshold=10_000),
        memory=edge.Memory.Cold,
    )
    return edge.EdgeConfig(vectors={DENSE: clip, UNITS: segments}, optimizers=optimizers)


def search_params(quantization: str | None, *, hnsw_ef: int) -> edge.SearchParams:
    """How dense vectors are searched: graph breadth, and exact scores for what the codes found."""
    codes = None
    if quantization is not None:
        codes = edge.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING[quantization])
    return edge.SearchParams(hnsw_ef=hnsw_ef, quantization=codes)


def word_params() -> edge.SearchParams:
    """IDF over the clips that are there now; the engine's shortcut also counts deleted ones until it merges."""
    return edge.SearchParams(idf=edge.IdfParams(corpus=edge.Filter()))


def create_shard(path: Path, config: edge.EdgeConfig) -> None:
    """A new shard with the payload indexes that filters need, closed again."""
    path.mkdir(parents=True)
    with mapped(f"making the collection in {path}"):
        shard = edge.EdgeShard.create(str(path), config)
        for name, kind in (
            ("video_id", edge.PayloadSchemaType.Keyword),
            ("start_s", edge.PayloadSchemaType.Float),
            ("end_s", edge.PayloadSchemaType.Float),
        ):
            shard.update(edge.UpdateOperation.create_field_index(name, kind))
        shard.flush()
        shard.close()


def video_filter(video_id: str) -> edge.Filter:
    return edge.Filter(must=[edge.FieldCondition("video_id", match=edge.MatchValue(video_id))])


def filter_of(where: Where | None, *, with_videos: bool = True) -> edge.Filter | None:
    """The engine's form of a `Where`; with_videos=False leaves the list of videos to the caller."""
    if where is None:
        return None
    must: list[edge.ConditionType] = []
    if where.video_ids is not None and with_videos:
        must.append(edge.FieldCondition("video_id", match=edge.MatchAny(sorted(where.video_ids))))
    if where.within is not None:
        must.append(edge.FieldCondition("start_s", range=edge.RangeFloat(lt=where.within.end_s)))
        must.append(edge.FieldCondition("end_s", range=edge.RangeFloat(gt=where.within.start_s)))
    ids: set[edge.PointId] = set(_points.uuids(where.not_clips))
    if not must and not ids:
        return None
    return edge.Filter(must=must or None, must_not=[edge.HasIdCondition(ids)] if ids else None)


# In what the engine says when its files cannot be read or written, not when a request is wrong.
_BROKEN = ("IO Error", "os error", "deserialize", "Service runtime error", "Service internal error")


@contextmanager
def mapped(action: str) -> Iterator[None]:
    """The engine raises bare Exception, and pyo3's PanicException (a BaseException) when it breaks inside.

    WouldBlock            IndexBusy
    No space left         StoreUnavailable
    a panic, I/O errors   StoreUnavailable
    all else              StoreError
    """
    try:
        yield
    except (StoreError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        text = str(error)
        if "WouldBlock" in text:
            raise IndexBusy(f"{action}: another process has it open", hint="close the other one") from error
        if "No space left" in text or "os error 28" in text:
            raise StoreUnavailable(f"{action}: the disk is full", hint="free space and run again") from error
        if type(error).__name__ == "PanicException" or any(sign in text for sign in _BROKEN):
            raise StoreUnavailable(
                f"{action}: {text}",
                hint="the collection may be damaged: drop it and index again",
            ) from error
        if isinstance(error, Exception):
            raise StoreError(f"{action}: {text}") from error
        raise
