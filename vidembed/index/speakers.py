"""Who said which line: anonymous speakers, numbered by their first line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vidembed.config.schema import MediaSettings
from vidembed.errors import InputError
from vidembed.media.reading.reader import open_video
from vidembed.models.voices import RATE_HZ, VoiceEncoder
from vidembed.types import Floats, TimedText
from vidembed.vectors import unit_rows

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
