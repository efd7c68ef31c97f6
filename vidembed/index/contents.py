"""What is in an index: its videos, their coverage, and pictures of its clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from vidembed.config.schema import Config
from vidembed.errors import BadQuery, MediaUnreadable, NoSuchStream
from vidembed.index.catalog import Catalog
from vidembed.index.catalog.texts import FINISHED
from vidembed.index.catalog.videos import PathRow, path_there
from vidembed.index.counts import IndexInfo, info
from vidembed.index.parts import IndexParts
from vidembed.index.places import named_paths, select
from vidembed.index.transcripts import TextKind, stored_transcript
from vidembed.media.files import Paths
from vidembed.media.reading.reader import open_video
from vidembed.types import Caption, Clip, Damage, Failure, Moment, Row, TimedText, VideoInfo, format_time

if TYPE_CHECKING:
    from vidembed.captions.run import CaptionedVideo  # captions are imported when asked for: searches need none

ExportKind: TypeAlias = Literal["edl", "fcpxml", "otio", "csv", "json"]


@dataclass(frozen=True)
class VideoRecord:
    """One video. state: "ready", "partial" (a channel is missing or failed), "gone" (no file is left)."""

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
    transcript: str | None = None  # the subtitles it was taken from, or "recognised"; None = there is none


def one_video(catalog: Catalog, video: str | Path) -> str:
    """The id of the one video that a path, folder, glob or id names. Raises MediaNotFound, BadQuery for several."""
    found = _ids(catalog, video)
    if len(found) > 1:
        raise BadQuery(f"{str(video)!r} names {len(found)} videos", hint="name one")
    return found[0]


def _ids(catalog: Catalog, videos: Paths) -> list[str]:
    if isinstance(videos, str) and catalog.videos.get(videos) is not None:
        return [videos]  # also one whose files are gone
    return select(catalog, videos)


def videos(parts: IndexParts) -> list[VideoRecord]:
    """Every video, by path."""
    catalog = parts.catalog
    states = catalog.states.all()
    collections = {name: spec.collection for name, spec in parts.specs.items()}
    clips = Counter(clip.video_id for clip in catalog.videos.clips())
    files: dict[str, list[PathRow]] = {}
    for file in catalog.videos.paths().values():
        files.setdefault(file.video_id, []).append(file)
    failures: dict[str, list[Failure]] = {}
    for failure in catalog.failures():
        failures.setdefault(failure.item, []).append(failure)
    tags = catalog.tags.all()
    origins = {video_id: origin or "recognised" for video_id, origin in catalog.texts.origins("speech").items()}
    records = []
    for row in catalog.videos.all():
        video_id = row.info.video_id
        known = states.get(video_id, {})
        channels = {name: str(known.get(collection, "missing")) for name, collection in collections.items()}
        ready = all(state in FINISHED for state in channels.values())
        own = sorted(files.get(video_id, []), key=lambda file: file.missing)
        path = path_there(own) if own else row.info.path
        records.append(
            VideoRecord(
                info=replace(row.info, path=path),
                paths=tuple(sorted(Path(file.path) for file in own)),
                state="gone" if row.missing else "ready" if ready else "partial",
                clips=clips[video_id],
                channels=channels,
                failures=tuple(failure for file in own for failure in failures.get(file.path, ())),
                reader=row.reader,
                counts=row.counts,
                damage=Damage.of(path.as_posix(), row.counts),
                tags=tags.get(video_id, {}),
                transcript=origins.get(video_id),
            )
        )
    return records


class IndexContents:
    """What is in an open index: the part of `VideoIndex` that only looks.

    Attributes:
        path: The index's folder.
        readonly: Whether the index is open for reading only.
        catalog: Videos, clips, texts, captions, failures; to be read, not written.
        parts: What the index is made of, for tools that build on it.
    """

    def __init__(self, parts: IndexParts) -> None:
        self.path, self.readonly, self.catalog, self.parts = parts.path, parts.readonly, parts.catalog, parts

    @property
    def config(self) -> Config:
        """The settings in use."""
        return self.parts.config

    def videos(self) -> list[VideoRecord]:
        """Every video with its files, state, coverage and failures, by path."""
        return videos(self.parts)

    def info(self) -> IndexInfo:
        """Counts, coverage of each channel, models, sizes. Opens no model and no store."""
        return info(self.parts)

    def failures(self) -> list[Failure]:
        """What could not be indexed, and why."""
        return self.catalog.failures()

    def __len__(self) -> int:
        return self.catalog.videos.totals()[0]

    def __bool__(self) -> bool:
        return True  # an index without videos is still one

    def clips(self, videos: Paths | None = None) -> list[Clip]:
        """The clips of these videos (path, folder, glob or id; None = all), in order. Raises MediaNotFound."""
        if videos is None:
            return self.catalog.videos.clips(None)
        return [clip for video_id in _ids(self.catalog, videos) for clip in self.catalog.videos.clips(video_id)]

    def clip_at(self, video: str | Path, time_s: float) -> Clip:
        """The clip of a video (path or id) at a time in seconds. Raises MediaNotFound, BadQuery where there is none."""
        clips = self.clips(one_video(self.catalog, video))
        for clip in clips:
            if clip.span.contains(time_s):
                return clip
        end = format_time(max((clip.span.end_s for clip in clips), default=0.0))
        raise BadQuery(f"{video} has no clip at {format_time(time_s)}", hint=f"its clips end at {end}")

    def clip(self, clip_id: str) -> Clip:
        """One clip. Raises BadQuery for an unknown id."""
        return self.parts.clip(clip_id)

    def path_of(self, video: str | Path) -> Path:
        """A file of the video (path or id), one that is there where it has several. Raises MediaNotFound."""
        return self.parts.path_of(one_video(self.catalog, video))

    def texts(self, clip_id: str) -> dict[str, TimedText]:
        """What was said, written or captioned in the clip, by channel."""
        return dict(self.parts.lookup.texts([clip_id])[clip_id])

    def transcript(
        self, video: Path | str, *, kind: TextKind = "speech", speakers: int | None = None
    ) -> TimedText | None:
        """What is said in a video, or written on its pictures, line by line; None where there is nothing.

        Args:
            video: Its path or id.
            kind: "speech" or "ocr"; of a channel that was filled.
            speakers: Tell apart who spoke each line, by its sound: 1, 2, ... in order of appearance. So many there are;
                0 = found out; None = not told.

        Raises:
            MediaNotFound: The index has no such video.
            BadQuery: An unknown kind.
            MissingDependency: For speakers, without the package resemblyzer.
        """
        ((path, text),) = self.transcripts([str(video)], kind=kind)
        if speakers is not None and text is not None:
            from vidembed.index.transcripts import with_speakers

            text = with_speakers(text, path, self.config.media, count=speakers or None)
        return text

    def transcripts(
        self, videos: Paths | None = None, *, kind: TextKind = "speech"
    ) -> Iterator[tuple[Path, TimedText | None]]:
        """Each video, None = all, with its transcript; see `transcript`."""
        named = named_paths(self.catalog, videos)
        for video_id in select(self.catalog, videos):
            yield named.get(video_id) or self.path_of(video_id), stored_transcript(self.catalog, video_id, kind)

    def captions(self, videos: Paths | None = None) -> list[Caption]:
        """The captions of these videos (path, folder, glob or id; None = all), in order of time."""
        if videos is None:
            return self.catalog.captions.get(None)
        return [found for video_id in _ids(self.catalog, videos) for found in self.catalog.captions.get(video_id)]

    def captioned(self, videos: Paths | None = None) -> Iterator[CaptionedVideo]:
        """The captioned videos, with captions as they are stored."""
        from vidembed.index.captioning import captioned_videos

        named = named_paths(self.catalog, videos)
        for video in captioned_videos(self.parts, select(self.catalog, videos)):
            yield replace(video, path=named.get(video.video_id, video.path))

    def export_clips(
        self,
        videos: Paths | None = None,
        *,
        parquet: str | Path | None = None,
        webdataset: str | Path | None = None,
        channels: Sequence[str] | None = None,
        overwrite: bool = False,
    ) -> int:
        """Write clips with vectors, captions and tags, for training; how many.

        Args:
            videos: Paths, folders, globs or ids; None = all.
            parquet: A table, one row a clip (`vidembed.index.clip_tables` has its columns).
            webdataset: A folder for shards clips-000000.tar, ..., with thumbnails, too.
            channels: Whose vectors; None = of all that have dense ones.
            overwrite: Replace what is there.

        Raises:
            InputError: There is such a file, or a channel has no dense vectors.
            MissingDependency: pyarrow or webdataset is not installed.
        """
        from vidembed.index.clip_tables import export_clips

        named = named_paths(self.catalog, videos)
        paths = {video_id: named.get(video_id) or self.path_of(video_id) for video_id in select(self.catalog, videos)}
        return export_clips(
            self.parts,
            paths,
            parquet=None if parquet is None else Path(parquet),
            webdataset=None if webdataset is None else Path(webdataset),
            channels=channels,
            overwrite=overwrite,
        )

    def rows(self, channel: str, clip_ids: Sequence[str], *, segments: bool = True) -> dict[str, Row]:
        """Stored vectors by clip id; clips without vectors are left out.

        Args:
            channel: The channel.
            clip_ids: The clips.
            segments: With the segment vectors: of frames, sound windows or lines.
        """
        return self.parts.store.rows(self.parts.spec(channel).collection, clip_ids, segments=segments)

    def thumbnail(self, clip_id: str) -> Path | None:
        """The clip's JPEG, made now if it is not there; None for a clip without pictures."""
        target = self.parts.thumbnails.path(clip_id)
        if target.exists():
            return target
        clip = self.parts.clip(clip_id)
        with open_video(self.parts.path_of(clip.video_id), self.config.media) as video:
            try:
                frames = video.frames([clip.span.middle_s], short_side_px=self.config.thumbnails.long_side_px)
            except (NoSuchStream, MediaUnreadable):
                return None
        self.parts.thumbnails.save(frames.rgb[0], clip_id)
        return target

    def export(
        self, moments: Sequence[Moment], kind: ExportKind, *, title: str = "moments", show_paths: bool = True
    ) -> bytes:
        """Moments as a file for a video editor, a spreadsheet or a program.

        Args:
            moments: In the order in which they are to stand.
            kind: "edl" (CMX 3600), "fcpxml", "otio" (OpenTimelineIO), "csv" or "json".
            title: What was searched for.
            show_paths: Name files by their whole path; otherwise by name alone.

        Returns:
            The file's bytes, UTF-8. Edit lists are in whole frames, by the files' own timecode where they have one.

        Raises:
            BadQuery: An unknown kind.
        """
        from vidembed.media.editing.cuts import cuts_of
        from vidembed.media.editing.edit_lists import EDIT_LISTS, TABLES

        if kind in TABLES:
            records = [moment.to_dict() for moment in moments]
            named = [{"file": one["path"] if show_paths else Path(one["path"]).name, **one} for one in records]
            return TABLES[kind](title, [{key: value for key, value in one.items() if key != "path"} for one in named])
        if kind not in EDIT_LISTS:
            raise BadQuery(f"no such kind of export: {kind!r}", hint=f"one of: {', '.join(get_args(ExportKind))}")
        rows = {video_id: self.catalog.videos.get(video_id) for video_id in {moment.video_id for moment in moments}}
        infos = {video_id: row.info for video_id, row in rows.items() if row is not None}
        cuts = cuts_of(moments, infos, self.config.media.limits, show_paths=show_paths)
        return EDIT_LISTS[kind](title, cuts)
