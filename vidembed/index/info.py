"""What an index says of itself.

What `VideoIndex` says of its contents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vidembed.config.schema import ChannelSettings
from vidembed.errors import MediaUnreadable, NoSuchStream, UnknownModel
from vidembed.index.catalog.states import LaneCounts
from vidembed.index.channels import lane
from vidembed.index.filling import folder_bytes
from vidembed.index.parts import keep_thumbnail, open_video, thumbnail_path
from vidembed.index.pipeline.plan import FINISHED
from vidembed.types import Damage, Failure, VideoInfo, format_time

if TYPE_CHECKING:
    from vidembed.index.base import OpenIndex
    from vidembed.index.manifest import Manifest


@dataclass(frozen=True)
class ChannelInfo:
    """One lane. done, absent, failed, missing: videos; missing = never tried. stored: clips with a vector."""

    name: str
    source: str
    model: str
    license: str
    enabled: bool
    collection: str
    done: int = 0
    absent: int = 0
    failed: int = 0
    missing: int = 0
    stored: int = 0


@dataclass(frozen=True)
class IndexInfo:
    """Counts, coverage and sizes of one index; `str()` is for people."""

    path: Path
    profile: str
    index_id: str
    store: str
    videos: int
    gone: int  # videos whose files are not where they were
    clips: int
    duration_s: float
    failures: int
    captions: int
    damaged: int = 0  # videos of which something could not be decoded
    channels: Mapping[str, ChannelInfo] = field(default_factory=dict)
    sizes_bytes: Mapping[str, int] = field(default_factory=dict)  # catalog, vectors, thumbnails

    def __str__(self) -> str:
        gone = f" ({self.gone} gone)" if self.gone else ""
        lines = [
            f"{self.path}: {self.videos} videos{gone}, {self.clips} clips, {format_time(self.duration_s)} of video, "
            f"{self.captions} captions, {self.failures} failures"
            + (f", {self.damaged} damaged (vidembed info --videos)" if self.damaged else ""),
            f"profile {self.profile}, store {self.store}, "
            + ", ".join(f"{part} {size / 1e6:.1f} MB" for part, size in self.sizes_bytes.items()),
        ]
        for channel in self.channels.values():
            if not channel.enabled:
                lines.append(f"  {channel.name:14} off; vidembed index --channels +{channel.name} fills it")
                continue
            tried = f"{channel.done} done, {channel.absent} absent, {channel.failed} failed, {channel.missing} missing"
            lines.append(
                f"  {channel.name:14} {channel.stored} clips; videos: {tried}; {channel.model} ({channel.license})"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class VideoRecord:
    """One video of an index. state: "ready", "partial" (a lane is missing or failed), "gone" (no file is left)."""

    info: VideoInfo
    paths: tuple[Path, ...]
    state: str
    clips: int
    channels: Mapping[str, str]  # name -> done, absent, failed, missing
    failures: tuple[Failure, ...] = ()
    reader: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)  # frames decoded, skipped, corrupt, missing; audio_corrupt
    damage: Damage | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


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
    from vidembed.media.images import jpeg

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
    keep_thumbnail(
        index.thumbnails, jpeg(frames.rgb[0], long_side_px=given.long_side_px, quality=given.quality), clip_id
    )
    return target
