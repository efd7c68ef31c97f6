"""What `VideoIndex` says of its contents."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from vidembed.build.channels import lane
from vidembed.build.parts import open_video, thumbnail_path
from vidembed.catalog import LaneCounts
from vidembed.errors import MediaUnreadable, NoSuchStream, UnknownModel
from vidembed.index.filling import folder_bytes
from vidembed.index.info import ChannelInfo, IndexInfo, VideoRecord
from vidembed.indexing.plan import FINISHED
from vidembed.settings import ChannelSettings
from vidembed.types import Damage, Failure

if TYPE_CHECKING:
    from vidembed.index.base import OpenIndex
    from vidembed.index.manifest import Manifest


def videos(index: OpenIndex) -> list[VideoRecord]:
    """See `VideoIndex.videos`."""
    catalog = index.catalog
    states = catalog.lanes.all()
    collections = {name: entry.collection for name, entry in index.lanes.items()}
    clips = Counter(clip.video_id for clip in catalog.videos.clips())
    paths: dict[str, list[str]] = {}
    for file in catalog.videos.paths().values():
        paths.setdefault(file.video_id, []).append(file.path)
    failures: dict[str, list[Failure]] = {}
    for failure in catalog.failures():
        failures.setdefault(failure.item, []).append(failure)
    tags = catalog.tags.all()
    records = []
    for row in catalog.videos.all():
        video_id = row.info.video_id
        known = states.get(video_id, {})
        lanes = {name: str(known.get(collection, "missing")) for name, collection in collections.items()}
        ready = all(state in FINISHED for state in lanes.values())
        own = paths.get(video_id, [])
        records.append(
            VideoRecord(
                info=row.info,
                paths=tuple(Path(path) for path in own),
                state="gone" if row.missing else "ready" if ready else "partial",
                clips=clips[video_id],
                channels=lanes,
                failures=tuple(failure for path in own for failure in failures.get(path, ())),
                reader=row.reader,
                counts=row.counts,
                damage=Damage.of(row.info.path.as_posix(), row.counts),
                tags=tags.get(video_id, {}),
            )
        )
    return records


def info(index: OpenIndex, manifest: Manifest) -> IndexInfo:
    """See `VideoIndex.info`."""
    total, clips, duration_s = index.catalog.videos.totals()
    counts = index.catalog.lanes.counts()
    names = [*index.config.channels, *(n for n in manifest.channels if n not in index.config.channels)]
    channels = {}
    for name in names:
        given = index.config.channels.get(name)
        if given is not None:
            channels[name] = _channel(name, given, counts, total, filled=name in manifest.channels)
    store = index.config.store
    return IndexInfo(
        path=index.path,
        profile=manifest.profile,
        index_id=manifest.index_id,
        store=f"{store.kind} {store.url}" if store.kind == "server" else store.kind,
        videos=total,
        gone=len(index.catalog.videos.gone()),
        clips=clips,
        duration_s=duration_s,
        failures=len(index.catalog.failures()),
        captions=len(index.catalog.captions.get()),
        damaged=sum(Damage.of("", row.counts) is not None for row in index.catalog.videos.all()),
        channels=channels,
        sizes_bytes={
            "catalog": folder_bytes(index.path / "catalog.sqlite"),
            "vectors": folder_bytes(index.path / "vectors"),
            "thumbnails": folder_bytes(index.thumbnails),
        },
    )


def _channel(
    name: str, given: ChannelSettings, counts: dict[str, LaneCounts], total: int, *, filled: bool
) -> ChannelInfo:
    try:
        entry = lane(name, given)
    except UnknownModel as error:  # a lane that is off may name a model that is not installed here
        if given.enabled:
            raise
        return ChannelInfo(name, given.source, given.model, f"unknown: {error.message}", False, "")
    found = counts.get(entry.collection, LaneCounts())
    return ChannelInfo(
        name=name,
        source=given.source,
        model=given.model,
        license=entry.spec.license,
        enabled=given.enabled or filled,
        collection=entry.collection,
        done=found.done,
        absent=found.absent,
        failed=found.failed,
        missing=total - found.done - found.absent - found.failed,
        stored=found.stored,
    )


def thumbnail(index: OpenIndex, clip_id: str) -> Path | None:
    """See `VideoIndex.thumbnail`."""
    from vidembed.media.thumbnails import save_jpeg

    target = thumbnail_path(index.thumbnails, clip_id)
    if target.exists():
        return target
    clip = index.clip(clip_id)
    given = index.config.thumbnails
    with open_video(index.config, index.path_of(clip.video_id)) as video:
        try:
            frames = video.frames([clip.span.middle_s], short_side_px=given.long_side_px)
        except (NoSuchStream, MediaUnreadable):
            return None
    target.parent.mkdir(parents=True, exist_ok=True)
    return save_jpeg(frames.rgb[0], target, long_side_px=given.long_side_px, quality=given.quality)
