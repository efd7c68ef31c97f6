"""What an index holds in numbers: counts, coverage of each channel, tags, sizes."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidembed.config.schema import ChannelSettings
from vidembed.errors import UnknownModel
from vidembed.index.catalog.texts import ChannelCounts
from vidembed.index.channels import channel_spec
from vidembed.index.parts import IndexParts
from vidembed.models import registry
from vidembed.types import Damage, format_time, script_name

_FACETS = 10  # values of a tag that are shown


@dataclass(frozen=True)
class ChannelInfo:
    """One channel. done, absent, failed, missing: videos; missing = not tried yet. stored: clips with a vector."""

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
    sizes_bytes: Mapping[str, int] = field(default_factory=dict)  # by part of the folder, as they take room on the disk
    unread: Mapping[str, int] = field(default_factory=dict)  # script -> lines on screen that were not read
    tags: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # tag -> value -> videos, most first

    def __str__(self) -> str:
        gone = f" ({self.gone} gone)" if self.gone else ""
        damaged = f", {self.damaged} damaged (vidembed info --videos)" if self.damaged else ""
        sizes = [f"{part} {size / 1e6:.1f}{self._hourly(size)}" for part, size in self.sizes_bytes.items()]
        on = [channel for channel in self.channels.values() if channel.enabled]
        off = [channel.name for channel in self.channels.values() if not channel.enabled]
        lines = [
            f"{self.path}: {_some(self.videos, 'video')}{gone}, {_some(self.clips, 'clip')}, "
            f"{format_time(round(self.duration_s))[:-4]}",
            f"{_some(self.captions, 'caption')}, {_some(self.failures, 'failure')}{damaged}",
            f"profile {self.profile}, store {self.store}",
            f"disk {sum(self.sizes_bytes.values()) / 1e6:.1f} MB: {', '.join(sizes)}",
            f"{'channel':14}{'clips':>8}  {'videos done':>11} {'absent':>7} {'failed':>7} {'missing':>7}  model",
        ]
        for one in on:
            tried = f"{one.done:11} {one.absent:7} {one.failed:7} {one.missing:7}"
            lines.append(f"{one.name:14}{one.stored:8}  {tried}  {one.model}")
        if off:
            lines.append(f"off: {', '.join(off)} (vidembed index --channels +{off[0]})")
        lines += [self.unread_notice] if self.unread else []
        lines += [f"tag {name}: {_facets(counts)}" for name, counts in self.tags.items()]
        lines += [f"{model}: {licence}" for model, licence in dict.fromkeys((one.model, one.license) for one in on)]
        return "\n".join(lines)

    @property
    def unread_notice(self) -> str:
        """What was not read on screen, by script, and the command that reads it; "" if all was read."""
        if not self.unread:
            return ""
        lines = [f"{n} line{'s' * (n != 1)} in {script_name(script)}" for script, n in self.unread.items()]
        known = {spec.name.removeprefix("ocr-") for spec in registry.specs("ocr")}
        chosen = ",".join(script for script in self.unread if script in known)
        names = [one.name for one in self.channels.values() if one.source == "ocr" and one.enabled]
        sets = [piece for name in names for piece in ("--set", f"channels.{name}.source_options.scripts=[{chosen}]")]
        command = ["vidembed", "index", "--index", str(self.path), "--reencode", ",".join(names), *sets]
        todo = f"; to read: {shlex.join(command)}"
        return f"on screen, not read: {', '.join(lines)}{todo if chosen and names else ''}"

    def _hourly(self, size_bytes: int) -> str:
        """Size per hour of video, below ten minutes nothing: the least that an empty index takes would count most."""
        return f" ({size_bytes / 1e6 / (self.duration_s / 3600):.1f} an hour)" if self.duration_s >= 600 else ""


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _facets(counts: Mapping[str, int]) -> str:
    if len(counts) > 1 and max(counts.values()) == 1:  # times and places: each video has its own
        return f"{len(counts)} values, such as {next(iter(counts))}"
    shown = [f"{value} {count}" for value, count in list(counts.items())[:_FACETS]]
    more = [f"{len(counts) - _FACETS} more"] if len(counts) > _FACETS else []
    return ", ".join(shown + more)


def info(parts: IndexParts) -> IndexInfo:
    """Counts, coverage and sizes. Opens no model and no store."""
    catalog, manifest, store = parts.catalog, parts.manifest, parts.config.store
    total, clips, duration_s = catalog.videos.totals()
    counts = catalog.states.counts()
    return IndexInfo(
        path=parts.path,
        profile=manifest.profile,
        index_id=manifest.index_id,
        store=f"{store.kind} {store.url}" if store.kind == "server" else store.kind,
        videos=total,
        gone=len(catalog.videos.gone()),
        clips=clips,
        duration_s=duration_s,
        failures=len(catalog.failures()),
        captions=len(catalog.captions.get()),
        damaged=sum(Damage.of("", row.counts) is not None for row in catalog.videos.all()),
        channels={
            name: _channel(name, given, counts, total, made=manifest.channels.get(name))
            for name, given in parts.config.channels.items()
        },
        sizes_bytes=_sizes(parts),
        unread=catalog.texts.unread(),
        tags=catalog.tags.counts(),
    )


def _channel(
    name: str,
    given: ChannelSettings,
    counts: dict[str, ChannelCounts],
    total: int,
    *,
    made: Mapping[str, Any] | None,
) -> ChannelInfo:
    try:
        spec = channel_spec(name, given, made)
    except UnknownModel as error:  # a channel that is off may name a model that is not installed here
        if given.enabled:
            raise
        return ChannelInfo(name, given.source, given.model, f"unknown: {error.message}", False, "")
    found = counts.get(spec.collection, ChannelCounts())
    return ChannelInfo(
        name=name,
        source=given.source,
        model=given.model,
        license=spec.model.license,
        enabled=given.enabled or made is not None,
        collection=spec.collection,
        done=found.done,
        absent=found.absent,
        failed=found.failed,
        missing=total - found.done - found.absent - found.failed,
        stored=found.stored,
    )


def _sizes(parts: IndexParts) -> dict[str, int]:
    logs = sum(_bytes_on_disk(folder) for folder in parts.path.glob("vectors/collections/*/wal"))
    return {
        "vectors": _bytes_on_disk(parts.path / "vectors") - logs,
        **({"write-ahead log": logs} if logs else {}),  # of older versions
        "thumbnails": _bytes_on_disk(parts.thumbnails.folder),
        "catalog": sum(_bytes_on_disk(file) for file in parts.path.glob("catalog.sqlite*")),
        "cache": _bytes_on_disk(parts.path / "cache"),
    }


def _bytes_on_disk(path: Path) -> int:
    """Of a file, or of all files below a folder; 0 when it does not exist."""
    files = [path] if path.is_file() else [Path(root, name) for root, _, names in os.walk(path) for name in names]
    total = 0.0
    for file in files:
        try:
            stat = os.lstat(file)
        except OSError:
            continue  # replaced meanwhile
        # The store's files have holes: what they take counts, not how long they are. Windows does not say.
        total += getattr(stat, "st_blocks", stat.st_size / 512) * 512
    return int(total)
