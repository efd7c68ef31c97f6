"""An index as tools for agents (Model Context Protocol), over standard input and output or HTTP on this machine.

Results are JSON objects (`structuredContent`) that name moments by `clip_id` and videos by `video_id`. Tools that read
files or write them exist only for the folders that the user names.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from vidembed.config.schema import ThumbnailSettings
from vidembed.errors import BadQuery, InputError, VidembedError, needs
from vidembed.files import fitting
from vidembed.index.understanding import Understood, understand
from vidembed.index.video_index import VideoIndex
from vidembed.media.editing.cut import cut
from vidembed.media.editing.sheet import Tile, contact_sheet
from vidembed.media.images import jpeg
from vidembed.media.reading.reader import open_video
from vidembed.types import Filter, Query, Span, parse_date, parse_place, parse_span
from vidembed.vectors import evenly_spaced

if TYPE_CHECKING:
    from mcp.server.fastmcp import FastMCP

R = TypeVar("R")
MOST_FRAMES = 16
INSTRUCTIONS = (
    "Search inside the user's videos. search_moments finds what is seen, heard, said or written; ask answers with "
    "proof; transcript gives all that is said. Times are seconds of the video. Where good_match is false, say so."
)
FRAME_PX, SHEET_PX = ThumbnailSettings(long_side_px=768), ThumbnailSettings(long_side_px=1280)


def server(
    index: VideoIndex, *, roots: tuple[Path, ...] = (), clips_to: Path | None = None, port: int = 8765
) -> FastMCP[Any]:
    """The tools over an index.

    Args:
        index: Opened for writing where `roots` are given.
        roots: Folders whose videos may be indexed; without any there is no tool for it.
        clips_to: Folder for clips that are cut; None = no tool for it.
        port: For HTTP, on 127.0.0.1.

    Raises:
        MissingDependency: The package mcp is not installed.
    """
    with needs("mcp", extra="mcp", purpose="serving agents"):
        from mcp.server.fastmcp import FastMCP
    made: FastMCP[Any] = FastMCP(
        "vidembed", instructions=INSTRUCTIONS, port=port, log_level="WARNING", stateless_http=True, json_response=True
    )
    looking = Looking(index)
    tools: list[Callable[..., Any]] = [
        looking.search_moments, looking.ask, looking.transcript, looking.captions, looking.list_videos, looking.frames,
        looking.contact_sheet,
    ]  # fmt: skip
    if clips_to is not None:
        tools.append(Cutting(index, clips_to).cut_clip)
    if roots:
        jobs = Jobs(index, tuple(root.resolve() for root in roots))
        tools += [jobs.index_videos, jobs.wait_for]
    for tool in tools:
        pictures = tool in (looking.frames, looking.contact_sheet)  # which are no JSON
        made.tool(structured_output=not pictures)(_on_a_thread(tool))
    return made


class Looking:
    """Tools that change nothing."""

    def __init__(self, index: VideoIndex) -> None:
        self._index = index

    def search_moments(
        self,
        text: str = "",
        like: list[str] | None = None,
        without: str = "",
        k: int = 10,
        channels: list[str] | None = None,
        files: list[str] | None = None,
        within: str = "",
        shot_after: str = "",
        near: str = "",
        within_km: float = 1.0,
    ) -> dict[str, Any]:
        """Find moments that show, sound or say what is asked for.

        Args:
            text: What to look for, in plain words; words in quotes must be said or written exactly so. Else "last
                week" and "before 2020" limit the search and "without cars" excludes them: `understood` says so.
            like: clip_ids of moments to find more of.
            without: What the moments should not show.
            k: How many moments, 1 to 100.
            channels: Such as ["vision", "sound", "speech"]; all by default.
            files: Globs of file names.
            within: Only this part of each video, such as "0:30-2:00".
            shot_after: Only what was shot since this date, as the camera wrote it, such as "2026-05".
            near: Only what was shot near LAT,LON, such as "48.86,2.35".
            within_km: How near, in kilometres.
        """
        where = Filter(
            paths=tuple(files) if files else None,
            within=parse_span(within, name="within") if within else None,
            shot_after=parse_date(shot_after, name="shot_after") if shot_after else None,
            near=parse_place(near, name="near") if near else None,
            within_km=within_km,
        )
        understood = understand(self._index.parts, text, where) if text else Understood("", where)
        query = Query.combined(understood.text or None, like=like or (), without=without or None)
        found = self._index.search(query, k=min(max(k, 1), 100), channels=channels or None, where=understood.where)
        floor = self._index.config.search.min_confidence
        return {
            "good_match": any(moment.confidence >= floor for moment in found),
            "understood": list(understood.means),
            "notice": understood.notice or "",
            "moments": [moment.to_dict() for moment in found],
        }

    def ask(self, question: str, files: list[str] | None = None) -> dict[str, Any]:
        """Answer a question in the videos' own words, each sentence with its moment; "shown" is false if nothing tells.

        Args:
            question: In plain words.
            files: Globs of file names.
        """
        return self._index.ask(question, where=Filter(paths=tuple(files)) if files else None).record()

    def transcript(
        self, video: str, kind: Literal["speech", "ocr"] = "speech", start_s: float = 0.0, end_s: float = 0.0
    ) -> dict[str, Any]:
        """What is said in a video, or written on its pictures, line by line.

        Args:
            video: Its video_id or path.
            kind: "speech" or "ocr".
            start_s: Lines from here.
            end_s: Lines up to here; 0 is the end.
        """
        found = self._index.transcript(video, kind=kind)
        lines = [
            {**line.span.to_dict(), "text": line.text}
            for line in (found.lines if found is not None else ())
            if line.span.end_s > start_s and (end_s <= 0 or line.span.start_s < end_s)
        ]
        origin = "" if found is None else found.origin or "recognised"
        return {"language": found.language if found else None, "origin": origin, "lines": lines}

    def captions(self, video_id: str) -> dict[str, Any]:
        """The captions of a video's clips, in order of time.

        Args:
            video_id: From list_videos or a search.
        """
        return {
            "captions": [
                {
                    "clip_id": caption.clip.clip_id,
                    **caption.clip.span.to_dict(),
                    "text": caption.text,
                    "confident": caption.confident,
                    "by_a_person": caption.human,
                }
                for caption in self._index.captions(video_id)
            ]
        }

    def list_videos(self) -> dict[str, Any]:
        """The videos of the library, with their length and which channels are filled."""
        return {
            "videos": [
                {
                    "video_id": record.info.video_id,
                    "path": str(record.info.path),
                    "duration_s": round(record.info.duration_s, 3),
                    "state": record.state,
                    "channels": dict(record.channels),
                    "tags": dict(record.tags),
                }
                for record in self._index.videos()
            ]
        }

    def frames(self, video_id: str, times_s: list[float]) -> list[Any]:
        """Pictures of a video at the given seconds, as JPEG.

        Args:
            video_id: From list_videos or a search.
            times_s: Up to 16 times.
        """
        from mcp.server.fastmcp import Image

        if not 0 < len(times_s) <= MOST_FRAMES:
            raise BadQuery(f"{len(times_s)} times", hint=f"give 1 to {MOST_FRAMES}")
        with open_video(self._index.path_of(video_id), self._index.config.media) as video:
            if not 0 <= min(times_s) <= max(times_s) <= video.info.duration_s:
                raise BadQuery(f"times of {min(times_s)} to {max(times_s)}", hint=f"0 to {video.info.duration_s:.3f}")
            batch = video.frames(sorted(set(times_s)), short_side_px=480)
        return [Image(data=jpeg(np.ascontiguousarray(rgb), FRAME_PX), format="jpeg") for rgb in batch.rgb]

    def contact_sheet(self, video_id: str = "", text: str = "", most: int = 24) -> list[Any]:
        """One picture with a tile for each shot of a video, or for each moment that a search finds, with their times.

        Args:
            video_id: From list_videos or a search; a whole video at a glance.
            text: What to look for instead.
            most: Tiles, 1 to 60.
        """
        from mcp.server.fastmcp import Image

        most = min(max(most, 1), 60)
        if bool(video_id) == bool(text):
            raise BadQuery("a contact sheet needs a video or a search", hint="give video_id or text, not both")
        media = self._index.config.media
        if video_id:
            shots = Tile.of_shots(self._index.path_of(video_id), media=media)
            tiles = [shots[place] for place in evenly_spaced(len(shots), min(most, len(shots)))]
        else:
            tiles = Tile.of_moments(self._index.search(text, k=most))
        if not tiles:
            raise BadQuery("nothing to show", hint="the video has no pictures, or no moment was found")
        return [Image(data=jpeg(contact_sheet(tiles, media=media), SHEET_PX), format="jpeg")]


class Cutting:
    """The tool that writes clips into one folder."""

    def __init__(self, index: VideoIndex, folder: Path) -> None:
        self._index, self._folder = index, folder
        self._numbers = itertools.count(1)

    def cut_clip(self, video_id: str, start_s: float, end_s: float) -> dict[str, Any]:
        """Cut a stretch of a video into an MP4 file of its own, and give its path.

        Args:
            video_id: From list_videos or a search.
            start_s: First second.
            end_s: Last second.
        """
        source = self._index.path_of(video_id)
        self._folder.mkdir(parents=True, exist_ok=True)
        ending = f"_{start_s:.1f}-{end_s:.1f}s"
        target = self._folder / fitting(source.stem, f"{ending}.mp4")
        while target.exists():
            target = self._folder / fitting(source.stem, f"{ending}-{next(self._numbers)}.mp4")
        cut(source, Span(start_s, end_s), target, exact=True)
        return {"path": str(target)}


@dataclass
class Job:
    """One indexing run. state: "running", "done" or "failed"."""

    state: str = "running"
    done: int = 0
    total: int = 0
    message: str = ""
    failed: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def record(self, job_id: int) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "job": job_id, "state": self.state, "clips_done": self.done, "clips": self.total, "message": self.message,
            "failed": self.failed,
        }  # fmt: skip


class Jobs:
    """Tools that index videos of the given folders, one run at a time."""

    def __init__(self, index: VideoIndex, roots: tuple[Path, ...]) -> None:
        self._index, self._roots = index, roots
        self._jobs: list[Job] = []
        self._one = threading.Lock()

    def index_videos(self, paths: list[str], channels: list[str] | None = None) -> dict[str, Any]:
        """Start indexing files or folders; returns a job to wait for with wait_for.

        Args:
            paths: Below the folders that the user allowed.
            channels: Such as ["+speech", "+ocr"], on top of the usual ones.
        """
        for path in paths:
            if not any(Path(path).resolve().is_relative_to(root) for root in self._roots):
                allowed = ", ".join(str(root) for root in self._roots)
                raise InputError(f"{path} may not be indexed", hint=f"only what lies below {allowed}")
        job = Job()
        self._jobs.append(job)
        threading.Thread(target=self._run, args=(job, paths, channels), daemon=True).start()
        return job.record(len(self._jobs))

    def wait_for(self, job: int, seconds: float = 20.0) -> dict[str, Any]:
        """How far an indexing job is; waits up to so many seconds for its end.

        Args:
            job: From index_videos.
            seconds: At most 60.
        """
        if not 1 <= job <= len(self._jobs):
            raise BadQuery(f"no job {job}", hint="index_videos starts one")
        found = self._jobs[job - 1]
        found.ended.wait(min(max(seconds, 0.0), 60.0))
        return found.record(job)

    def _run(self, job: Job, paths: list[str], channels: list[str] | None) -> None:
        def update(state: Any) -> None:
            job.done, job.total = state.done_items, state.total_items

        try:
            with self._one:
                report = self._index.add([Path(path).resolve() for path in paths], channels=channels, progress=update)
            job.state, job.message = "done", str(report)
            job.failed = [f"{failure.item}: {failure.message}" for failure in report.failed]
        except VidembedError as error:
            job.state, job.message = "failed", error.sentences
        finally:
            job.ended.set()


def _on_a_thread(tool: Callable[..., R]) -> Callable[..., Any]:
    """The tool as a coroutine, so that one call does not hold up the next; our errors reach the agent as text."""
    import anyio.to_thread
    from mcp.server.fastmcp.exceptions import ToolError

    def call(*args: Any, **kwargs: Any) -> R:
        try:
            return tool(*args, **kwargs)
        except VidembedError as error:
            raise ToolError(error.sentences) from error
        except ValueError as error:
            raise ToolError(str(error)) from error

    @functools.wraps(tool)
    async def later(*args: Any, **kwargs: Any) -> R:
        return await anyio.to_thread.run_sync(functools.partial(call, *args, **kwargs))

    return later
