"""Which of a video's subtitles say what is spoken, and what of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from vidembed.sources._transcript import Utterance, Word
from vidembed.types import SubtitleTrack

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
