"""What is said or written in a whole video: the stored texts of its clips put together, or read now from a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from vidembed.config.schema import Config
from vidembed.errors import BadQuery, ConfigError
from vidembed.index.catalog import Catalog
from vidembed.index.channels import speech_source
from vidembed.media.reading.reader import open_video
from vidembed.search.sentences import JOIN_S, joined_speech
from vidembed.types import Span, TextLine, TimedText

TextKind = Literal["speech", "ocr"]


def stored_transcript(catalog: Catalog, video_id: str, kind: TextKind) -> TimedText | None:
    """The text of one video from the catalog, in order of time.

    Sentences that a cut between clips divides are whole again, and so are words that stay on screen.

    Returns:
        The lines, or None where nothing was said or written, or the channel was not filled.

    Raises:
        BadQuery: An unknown kind.
    """
    if kind not in get_args(TextKind):
        raise BadQuery(f"no kind of transcript {kind!r}", hint=f"one of: {', '.join(get_args(TextKind))}")
    found = catalog.texts.of_many(clip.clip_id for clip in catalog.videos.clips(video_id))
    texts = [text for kinds in found.values() if (text := kinds.get(kind)) is not None]
    if not texts:
        return None
    lines = (line for text in texts for line in text.lines)
    joined = joined_speech(lines) if kind == "speech" else joined_writing(lines)
    unread = sorted((line for text in texts for line in text.unread), key=lambda line: (line.span, line.script))
    return TimedText(tuple(joined), texts[0].language, texts[0].origin, tuple(unread))


def transcribe(path: Path, config: Config) -> TimedText | None:
    """The speech of a file that is in no index: its subtitles, or what is recognised; None where nobody speaks.

    Args:
        path: The video.
        config: Of the first channel of speech the options are used.

    Raises:
        ConfigError: No channel has the source speech.
        MediaUnreadable: The file cannot be read.
        MissingDependency: The recogniser is needed and not installed.
    """
    settings = next((given for given in config.channels.values() if given.source == "speech"), None)
    if settings is None:
        raise ConfigError(f"profile {config.profile!r} has no channel of speech")
    source = speech_source(settings, config)
    with open_video(path, config.media) as video:
        transcript = source.transcript(video, video.info)
    if not transcript.utterances and transcript.failed:
        raise transcript.failed[0][1].with_traceback(None)
    return transcript.of(Span(0.0, video.info.duration_s + 1.0))


def joined_writing(lines: Iterable[TextLine]) -> list[TextLine]:
    """Lines in order of time; words that stay on screen from clip to clip are one line."""
    joined: list[TextLine] = []
    shown: dict[str, int] = {}  # text -> its last line
    for line in sorted(lines, key=lambda line: (line.span, line.text)):
        key = " ".join(line.text.casefold().split())
        place = shown.get(key)
        if place is not None and line.span.start_s - joined[place].span.end_s < JOIN_S:
            joined[place] = replace(joined[place], span=joined[place].span.union(line.span))
        else:
            shown[key] = len(joined)
            joined.append(line)
    return joined
