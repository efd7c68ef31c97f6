"""Clips with their vectors, captions and pictures, for training: one Parquet table, or WebDataset shards.

Parquet, a row a clip: path, video_id, clip_id, index, start_s, end_s, text (the caption), score, confident, human,
tags, and for each channel NAME_vector (float32; null where the clip has none). What made the vectors is in the table's
metadata, under "vidembed".

WebDataset (github.com/webdataset/webdataset), a sample a clip, its key the clip's id: .json (the columns above without
vectors, and what made these), NAME.npy, .txt (the caption) and .jpg (the clip's thumbnail) where there are such.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from vidembed.errors import InputError, needs
from vidembed.files import refuse_existing
from vidembed.index.channels import ChannelSpec
from vidembed.index.parts import IndexParts
from vidembed.tables import TableWriter
from vidembed.types import Floats

COLUMNS: dict[str, Any] = {
    "path": "string", "video_id": "string", "clip_id": "string", "index": "int32", "start_s": "float64",
    "end_s": "float64", "text": "string", "score": "float64", "confident": "bool", "human": "bool",
    "tags": {"map": "string"},
}  # fmt: skip
_SHARD_CLIPS, _SHARD_BYTES = 10_000, 1 << 30
Sample = tuple[dict[str, Any], dict[str, Floats]]  # the columns, channel -> vector


def export_clips(
    parts: IndexParts,
    paths: Mapping[str, Path],
    *,
    parquet: Path | None,
    webdataset: Path | None,
    channels: Sequence[str] | None,
    overwrite: bool,
) -> int:
    """Write the clips of these videos (id -> path); see `IndexContents.export_clips`."""
    specs = _dense(parts, channels)
    made = {name: _made(parts, spec) for name, spec in specs.items()}
    refuse_existing(parquet, overwrite=overwrite)
    clips = 0
    with ExitStack() as open_files:
        table = None
        if parquet is not None:
            vectors = {f"{name}_vector": {"vector": facts["dim"]} for name, facts in made.items()}
            table = TableWriter(parquet, COLUMNS | vectors, metadata={"vidembed": json.dumps(made)})
            open_files.push(lambda kind, *_: table.close(keep=kind is None))
        shards = None if webdataset is None else open_files.enter_context(_shards(webdataset, overwrite=overwrite))
        for video_id, path in paths.items():
            for columns, vectors_of in _samples(parts, video_id, path, specs):
                clips += 1
                if table is not None:
                    table.add([columns | {f"{name}_vector": vectors_of.get(name) for name in specs}])
                if shards is not None:
                    shards.write(_sample(parts, columns, vectors_of, made))
    return clips


def _dense(parts: IndexParts, channels: Sequence[str] | None) -> dict[str, ChannelSpec]:
    """The channels with dense vectors in the store; InputError for one that is asked for and has none."""
    spaces = parts.store.collections()
    held = {name for name, space in spaces.items() if space.kind == "dense"}
    dense = {name: spec for name, spec in parts.specs.items() if spec.collection in held}
    for name in channels or ():
        if name not in dense:
            with_vectors = ", ".join(dense) or "none"
            raise InputError(f"channel {name!r} has no dense vectors", hint=f"with vectors: {with_vectors}")
    return dense if channels is None else {name: dense[name] for name in channels}


def _made(parts: IndexParts, spec: ChannelSpec) -> dict[str, Any]:
    space = parts.store.collections()[spec.collection]
    facts = {"model": spec.model.name, "revision": spec.model.revision, "collection": spec.collection}
    return {**facts, "space": space.name, "dim": space.dim}


def _samples(parts: IndexParts, video_id: str, path: Path, specs: Mapping[str, ChannelSpec]) -> Iterator[Sample]:
    clips = parts.catalog.videos.clips(video_id)
    ids = [clip.clip_id for clip in clips]
    vectors = {name: parts.vectors(name, ids) for name in specs}
    captions = parts.catalog.captions.of_many(ids)
    tags = parts.catalog.tags.all().get(video_id, {})
    for clip in clips:
        caption = captions.get(clip.clip_id)
        columns = {
            "path": str(path), "video_id": video_id, "clip_id": clip.clip_id, "index": clip.index,
            "start_s": clip.span.start_s, "end_s": clip.span.end_s,
            "text": caption.text if caption else None, "score": caption.score if caption else None,
            "confident": caption.confident if caption else None, "human": caption.human if caption else None,
            "tags": dict(tags),
        }  # fmt: skip
        yield columns, {name: of[clip.clip_id] for name, of in vectors.items() if clip.clip_id in of}


def _shards(folder: Path, *, overwrite: bool) -> Any:
    with needs("webdataset", extra="webdataset", purpose="writing WebDataset shards"):
        from webdataset import ShardWriter
    for there in sorted(folder.glob("clips-*.tar")):
        refuse_existing(there, overwrite=overwrite)
        there.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    pattern = f"{folder.resolve().as_posix().replace('%', '%%')}/clips-%06d.tar"
    return ShardWriter(pattern, maxcount=_SHARD_CLIPS, maxsize=_SHARD_BYTES, verbose=0)


def _sample(
    parts: IndexParts, columns: Mapping[str, Any], vectors: Mapping[str, Floats], made: Mapping[str, Any]
) -> dict[str, Any]:
    used = {name: made[name] for name in vectors}
    sample = {"__key__": columns["clip_id"], "json": {**columns, "vectors": used}}
    sample |= {f"{name}.npy": vector for name, vector in vectors.items()}
    if columns["text"] is not None:
        sample["txt"] = columns["text"]
    picture = parts.thumbnails.path(columns["clip_id"])
    if picture.exists():
        sample["jpg"] = picture.read_bytes()
    return sample
