"""The same functions for programs: documented gradio endpoints, which are also MCP tools."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import gradio as gr
from gradio.events import api

from vidembed.captions.records import caption_record
from vidembed.errors import VidembedError
from vidembed.types import Caption
from vidembed.web.asking import Ask, run
from vidembed.web.captioning import caption_videos, edit, subtitles
from vidembed.web.export import record

if TYPE_CHECKING:
    from vidembed.web.site import Site

R = TypeVar("R")


def _said(function: Callable[..., R]) -> Callable[..., R]:
    """Our errors reach the caller as text, not as "an error occurred"."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> R:
        try:
            return function(*args, **kwargs)
        except VidembedError as error:
            raise gr.Error(f"{error.message}. {error.hint}".rstrip(". "), print_exception=False) from error

    return call


def add_api(site: Site) -> None:
    """Put the endpoints on the Blocks that are open."""

    @_said
    def search_moments(
        text: str = "",
        k: int = 10,
        like: list[str] | None = None,
        unlike: list[str] | None = None,
        without: str = "",
        lanes: list[str] | None = None,
        names: str = "",
        within: str = "",
        by_video: bool = False,
    ) -> dict[str, Any]:
        """Find the moments in the video library that show, sound or say what is asked for.

        Args:
            text: what to look for, in plain words, such as "a dog jumps into a lake"
            k: how many moments to give
            like: clip ids of example moments to find more of; may replace the text
            unlike: clip ids of moments to move away from
            without: words for what should not be there
            lanes: which lanes to search, such as ["vision", "sound"]; empty means all
            names: only files whose name has this; globs, separated by commas
            within: only this stretch of each video, such as "0:30-2:00"
            by_video: at most one moment a video

        Returns:
            good_match: whether any answer is convincing; moments: file, start_s, end_s, confidence (0 to 1), caption,
            clip_id and video_id of each, best first
        """
        ask = Ask(text=text, k=k, like=like or (), unlike=unlike or (), without=without, lanes=lanes or (), names=names,
                  within=within, by_video=by_video)  # fmt: skip
        answer = run(site, ask)
        floor = site.index.config.search.min_confidence
        return {
            "good_match": any(moment.confidence >= floor for moment in answer.moments),
            "moments": [record(site, moment) for moment in answer.moments],
        }

    @_said
    def list_videos() -> list[dict[str, Any]]:
        """List the videos of the library with their length, state and number of clips."""
        return [
            {
                "video_id": r.info.video_id, "name": site.shown(r.info.path), "duration_s": round(r.info.duration_s, 3),
                "state": r.state, "clips": r.clips, "lanes": dict(r.channels),
            }
            for r in site.index.videos()
        ]  # fmt: skip

    @_said
    def get_captions(video_id: str, kind: str = "json") -> Any:
        """Give the captions of one video.

        Args:
            video_id: from list_videos or a search
            kind: "json" for records, or the text of a file: "srt", "vtt", "jsonl"
        """
        if kind in ("srt", "vtt", "jsonl"):
            return subtitles(site, video_id, kind)[0]
        return [_caption(site, caption) for caption in site.index.captions(video_id)]

    api(search_moments, api_name="search_moments", concurrency_limit=site.settings.searches_at_once)
    api(list_videos, api_name="list_videos")
    api(get_captions, api_name="get_captions")
    if site.readonly:
        return

    @_said
    def caption_video(video_id: str, model: str = "", style: str = "") -> list[dict[str, Any]]:
        """Write captions for every clip of one video, and give them. Takes a while for long videos.

        Args:
            video_id: from list_videos or a search
            model: name of the captioning model; empty for the usual one
            style: what kind of sentences to write, for models that take it
        """
        job = caption_videos(site, [video_id], model=model or None, prompt=style or None)
        job.wait()
        return [_caption(site, caption) for caption in site.index.captions(video_id)]

    @_said
    def edit_caption(clip_id: str, text: str) -> dict[str, Any]:
        """Set the caption of one clip by hand; never replaced by a model. It is searchable at once, or, while videos
        are being added, after that.

        Args:
            clip_id: from a search or from the captions
            text: the caption
        """
        return _caption(site, edit(site, clip_id, text)[0])

    api(caption_video, api_name="caption_video", concurrency_limit=1)
    api(edit_caption, api_name="edit_caption")


def _caption(site: Site, caption: Caption) -> dict[str, Any]:
    plain = caption_record(caption, "")
    del plain["path"]  # gradio's clients would try to download it
    return {"file": site.shown(site.index.path_of(caption.clip.video_id)), **plain}
