"""What an index says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vidembed.types import Damage, Failure, VideoInfo, format_time


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
