"""Subtitles as other people's parsers read them."""

from __future__ import annotations

import html

import pytest

from vidembed.captions.subtitles import Cue
from vidembed.types import Span


def read_srt(text: str) -> list[Cue]:
    """The cues of SubRip text, by pysrt."""
    pysrt = pytest.importorskip("pysrt")
    found = pysrt.from_string(text)
    return [Cue(Span(item.start.ordinal / 1000, item.end.ordinal / 1000), item.text) for item in found]


def read_vtt(text: str) -> list[Cue]:
    """The cues of WebVTT text, by webvtt-py, escapes undone."""
    webvtt = pytest.importorskip("webvtt")
    found = webvtt.from_string(text)
    return [Cue(Span(seconds(item.start), seconds(item.end)), html.unescape(item.raw_text)) for item in found]


def seconds(time: str) -> float:
    """ "01:02:03.004" in seconds, exact to the millisecond."""
    hours, minutes, rest = time.split(":")
    whole, ms = rest.split(".")
    return (((int(hours) * 60 + int(minutes)) * 60 + int(whole)) * 1000 + int(ms)) / 1000
