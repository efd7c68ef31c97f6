"""Who spoke? python benchmarks/speakers.py --work FOLDER

Splices conversations of two to four synthetic voices (espeak-ng, which must be installed) with known turns, and tells
the speakers of their lines apart. Prints one JSON report: share of the seconds that are given to the right speaker
(under the best naming), without and with their number known, and how many were found, for each conversation.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import subprocess
import time
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _machine import facts

from vidembed.config.schema import MediaSettings
from vidembed.index.speakers import with_speakers
from vidembed.types import Span, TextLine, TimedText

VOICES = ("en-us+m3", "en-gb+f2", "en-gb-scotland+m7", "en-us+f5", "en-029+m1", "en-gb-x-rp+f4")
LINES = (
    "Good morning, and welcome to the meeting of the garden club.", "Thank you. Shall we begin with the budget?",
    "We have nine hundred euros left for this year.", "I think that we should buy new tools in spring.",
    "The old shed needs a roof before winter comes.", "Yes, the rain came through it last week.",
    "Who could ask for prices in the village?", "My brother works there, so I can do that.",
    "What about the apple trees behind the house?", "They should be cut back in February.",
    "Let us write that down for the next time.", "I would also like to plant some roses.",
    "Roses need a lot of care, do they not?", "Only in the first year, and after that very little.",
    "Then everybody agrees, I suppose.", "See you all again in two weeks.",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the sounds")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    results = []
    for number, count in enumerate((1, 2, 2, 3, 3, 4)):
        voices = random.Random(number).sample(VOICES, count)
        path, text, truth = conversation(args.work, number, voices)
        began = time.perf_counter()
        told = with_speakers(text, path, MediaSettings())
        took_s = time.perf_counter() - began
        found = [line.speaker or 0 for line in told.lines]
        known = [line.speaker or 0 for line in with_speakers(text, path, MediaSettings(), count=count).lines]
        seconds = [line.span.duration_s for line in text.lines]
        results.append(
            {
                "voices": voices,
                "found": len(set(found)),
                "right": right(found, truth, seconds),
                "right_with_count": right(known, truth, seconds),
                "seconds": round(sum(seconds), 1),
                "took_s": round(took_s, 2),
            }
        )
    means = {
        name: round(sum(float(str(one[name])) for one in results) / len(results), 3)
        for name in ("right", "right_with_count")
    }
    print(json.dumps({"machine": facts(), **means, "conversations": results}, indent=2))


def conversation(folder: Path, number: int, voices: Sequence[str]) -> tuple[Path, TimedText, list[int]]:
    """A sound file, its lines, and who says each."""
    chance = random.Random(number)
    pieces, lines, truth, at_s, rate = [], [], [], 0.0, 22050
    for text in LINES:
        who = chance.randrange(len(voices))
        part = folder / "part.wav"
        subprocess.run(["espeak-ng", "-v", voices[who], "-s", "160", "-w", str(part), text], check=True)
        with wave.open(str(part)) as file:
            rate = file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        pieces += [samples, np.zeros(rate // 3, np.int16)]
        length_s = len(samples) / rate
        lines.append(TextLine(Span(at_s, at_s + length_s), text))
        truth.append(who)
        at_s += length_s + (rate // 3) / rate
    path = folder / f"conversation-{number}.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.concatenate(pieces).tobytes())
    return path, TimedText(tuple(lines), "en"), truth


def right(found: Sequence[int], truth: Sequence[int], seconds: Sequence[float]) -> float:
    """Share of the seconds whose speaker is right, under the naming that makes most of them so."""
    names, people = sorted(set(found)), sorted(set(truth))
    people += [-1 - n for n in range(len(names) - len(people))]  # more were found than there are
    best = max(
        sum(s for f, t, s in zip(found, truth, seconds, strict=True) if dict(zip(names, order, strict=True))[f] == t)
        for order in itertools.permutations(people, len(names))
    )
    return round(best / sum(seconds), 3)


if __name__ == "__main__":
    main()
