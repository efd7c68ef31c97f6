"""Which of a video's subtitles say what is spoken, and what of them; those that are pictures are read first."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from PIL import Image as Picture

from vidembed.errors import MissingDependency
from vidembed.sources._transcript import Utterance, Word
from vidembed.sources.recognisers import LineReader, ReadLine
from vidembed.types import Image, SubtitleTrack

_READING = re.compile(r"\b(FrameCnt|SrtCnt|DiffTime|BAROMETER|HOME\s*\(|GPS\s*[:(]|rel_alt)|\[(iso|latitude)\b", re.I)
_SOUNDS = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|[♪♫#*]+")


def is_data(track: SubtitleTrack) -> bool:
    """Whether most cues are a camera's or drone's readings, not speech."""
    return sum(_READING.search(line.text) is not None for line in track.lines) * 2 > len(track.lines)


def spoken(track: SubtitleTrack) -> SubtitleTrack:
    """The track without what nobody says: [door slams], (laughs), ♪ songs' marks ♪."""
    lines = [
        replace(line, text=text) for line in track.lines if (text := " ".join(_SOUNDS.sub(" ", line.text).split()))
    ]
    return replace(track, lines=tuple(line for line in lines if any(ch.isalnum() for ch in line.text)))


def choose(tracks: Sequence[SubtitleTrack], *, language: str | None, duration_s: float) -> SubtitleTrack | None:
    """What the best track (see `best`) says within the video, without what nobody says."""
    found = best(tracks, language=language, duration_s=duration_s)
    if found is None:
        return None
    return spoken(replace(found, lines=tuple(line for line in found.lines if line.span.start_s < duration_s)))


def best(tracks: Sequence[SubtitleTrack], *, language: str | None, duration_s: float) -> SubtitleTrack | None:
    """The track that tells best what is spoken: full before sdh, in the language asked for, or marked as default.

    Left out: forced tracks, a camera's readings, and subtitles made for a longer video (a tenth of the cues lie behind
    its end). Equal ones: the first, files before tracks in the video.
    """
    fit = [
        track for track in tracks
        if track.kind != "forced" and track.lines and not is_data(track)
        and sum(line.span.start_s >= duration_s for line in track.lines) * 10 <= len(track.lines)
        and (language is None or track.language in (None, language))
    ]  # fmt: skip
    rank = {"full": 0, "sdh": 1}
    return min(fit, key=lambda track: (track.language != language, rank[track.kind], not track.default), default=None)


def subtitled(track: SubtitleTrack) -> list[Utterance]:
    """The cues of subtitles as utterances."""
    return [
        Utterance((Word(line.span.start_s, line.span.end_s, line.text),), track.language, whole=True)
        for line in track.lines
    ]


MIN_CONFIDENCE = 0.6
_MARGIN_PX = 12  # letters at the edge of a picture are missed
_SECOND = 0.45  # share of a piece's height below which its second row begins


def with_words(track: SubtitleTrack, name: str, *, threads: int = 0) -> SubtitleTrack | None:
    """A track of pictures with the words on them; None, and a warning, where they cannot be read.

    Args:
        track: Its lines without text.
        name: Of the video, for the warning.
        threads: Of the recogniser; 0 = all cores.

    Raises:
        ModelError: The recogniser failed.
    """
    log, reader = logging.getLogger(__name__), LineReader((), threads=threads or -1)
    read = lru_cache(maxsize=256)(lambda png: _words(reader, png))  # signs come again
    try:
        told = [read(png) for png in track.pictures]
    except MissingDependency as error:
        log.warning("%s: %s is pictures, which are not read: %s", name, track.origin, error.hint)
        return None
    lines = tuple(replace(line, text=text) for line, (text, _) in zip(track.lines, told, strict=True) if text)
    if not lines:
        what = "text in a script that is not read" if any(unread for _, unread in told) else "no text that can be read"
        log.warning("%s: %s is pictures of %s", name, track.origin, what)
        return None
    return replace(track, lines=lines, pictures=())


def _words(reader: LineReader, png: bytes) -> tuple[str, bool]:
    """The words on one picture, and whether a line is in a script that is not read."""
    with Picture.open(io.BytesIO(png)) as opened:
        grey = np.asarray(opened.convert("L"))
    found = [line for piece in _pieces(grey) for line in sorted(reader.read(piece), key=_order)]
    sure = [line.text.strip() for line in found if not line.unread and line.confidence >= MIN_CONFIDENCE]
    return " ".join(filter(None, sure)), any(line.unread for line in found)


def _pieces(grey: np.ndarray) -> list[Image]:
    """The rows of text, parted where nothing is; each (H, W, 3) with a margin."""
    filled = np.flatnonzero(grey.max(axis=1) > 0)
    if not filled.size:
        return []
    parts = np.split(filled, np.flatnonzero(np.diff(filled) > 1) + 1)
    wide = [(part[0], part[-1] + 1) for part in parts]
    joined = [wide[0]]
    for begin, end in wide[1:]:  # dots of letters and accents belong to the row that they are nearest to
        before = joined[-1]
        if min(end - begin, before[1] - before[0]) * 3 < max(end - begin, before[1] - before[0]):
            joined[-1] = (before[0], end)
        else:
            joined.append((begin, end))
    padded = [np.pad(grey[begin:end], _MARGIN_PX) for begin, end in joined]
    return [np.repeat(piece[:, :, None], 3, axis=2) for piece in padded]


def _order(line: ReadLine) -> tuple[bool, float]:
    return line.top >= _SECOND, line.left
