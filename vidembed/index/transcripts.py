"""What is said or written in a whole video: the stored texts of its clips put together, or read now from a file.

Who said which line: anonymous speakers, numbered by their first line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from vidembed.config.schema import Config, MediaSettings
from vidembed.errors import BadQuery, ConfigError, InputError
from vidembed.index.catalog import Catalog
from vidembed.index.channels import speech_source
from vidembed.media.reading.reader import open_video
from vidembed.search.answers import JOIN_S, joined_speech
from vidembed.types import Floats, Span, TextLine, TimedText
from vidembed.vectors import unit_rows

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
        raise BadQuery(f"unknown kind of transcript {kind!r}", hint=f"one of: {', '.join(get_args(TextKind))}")
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


SAME = 0.8  # mean cosine of two groups of lines, from which they are one speaker; benchmarks/speakers.py --choose
CERTAIN_S = 1.0  # shorter lines join the nearest speaker, and make none
MOST = 400  # lines that speakers are made of, the longest

Encode = Callable[[Sequence[Floats]], Floats]  # N times (M,) samples at 16 kHz -> (N, D) unit rows


def with_speakers(
    text: TimedText, path: Path, media: MediaSettings, *, count: int | None = None, encode: Encode | None = None
) -> TimedText:
    """The text with a speaker for each line whose sound can be read.

    Args:
        text: What was said, line by line; each line is taken for one speaker's.
        path: The video.
        media: How it is read.
        count: How many speakers there are; None = told by how alike the voices are.
        encode: In place of Resemblyzer's voices.

    Raises:
        MissingDependency: The package resemblyzer is not installed.
        MediaUnreadable: The file cannot be read.
    """
    from vidembed.models.voices import RATE_HZ, VoiceEncoder

    encode = encode or VoiceEncoder().encode
    sounds: dict[int, Floats] = {}
    with open_video(path, media) as video:
        for place, line in enumerate(text.lines):
            try:
                sound = video.audio(line.span, rate_hz=RATE_HZ)
            except InputError:  # no sound there
                continue
            if sound.rms > 0:
                sounds[place] = sound.samples
    if not sounds:
        return text
    found = told_apart(encode(list(sounds.values())), [text.lines[place].span.duration_s for place in sounds], count)
    speaker = dict(zip(sounds, found, strict=True))
    return replace(text, lines=tuple(replace(line, speaker=speaker.get(n)) for n, line in enumerate(text.lines)))


def told_apart(vectors: Floats, seconds: Sequence[float], count: int | None = None) -> list[int]:
    """The speaker of each line, from 1 in order of appearance.

    Groups of lines join in Ward's order while their mean cosine is at least `SAME`, or until there are so many; then
    every line goes to the speaker whose mean voice is nearest. Source: Ward, JASA 1963.

    Args:
        vectors: (N, D) unit rows, N >= 1, in order of time.
        seconds: How long each is.
        count: How many speakers there are, where that is known.
    """
    longest = sorted(range(len(vectors)), key=lambda n: -seconds[n])[:MOST]
    certain = [n for n in longest if seconds[n] >= CERTAIN_S]
    chosen = certain if len(certain) >= (count or 1) else longest
    groups = _joined(vectors[chosen], count)
    weights = np.asarray(seconds)[:, None]
    own = [[chosen[n] for n in group] for group in groups]
    means = unit_rows(np.stack([(vectors[group] * weights[group]).sum(axis=0) for group in own]).astype(np.float32))
    nearest = (vectors @ means.T).argmax(axis=1).tolist()
    numbers = {group: number for number, group in enumerate(dict.fromkeys(nearest), start=1)}
    return [numbers[group] for group in nearest]


def _joined(vectors: Floats, count: int | None) -> list[list[int]]:
    """Groups of rows. The mean cosine of two groups is the product of their mean vectors."""
    groups = [[n] for n in range(len(vectors))]
    products = (vectors @ vectors.T).astype(np.float64)
    sizes = np.ones(len(groups))
    while len(groups) > (count or 1):
        own = np.diag(products)
        costs = (own[:, None] + own - 2 * products) * np.outer(sizes, sizes) / np.add.outer(sizes, sizes)
        np.fill_diagonal(costs, np.inf)
        a, b = sorted(divmod(int(costs.argmin()), len(groups)))
        if count is None and products[a, b] < SAME:
            break
        share = sizes[[a, b]] / sizes[[a, b]].sum()
        products[a] = share @ products[[a, b]]
        products[:, a] = products[:, [a, b]] @ share
        sizes[a] += sizes[b]
        groups[a] += groups.pop(b)
        products, sizes = np.delete(np.delete(products, b, 0), b, 1), np.delete(sizes, b)
    return groups
