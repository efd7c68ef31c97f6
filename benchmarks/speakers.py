"""Who spoke? python benchmarks/speakers.py --work FOLDER

Splices conversations of two to four synthetic voices (espeak-ng, which must be installed) with known turns, and tells
the speakers of their lines apart. Prints one JSON report: share of the seconds that are given to the right speaker
(under the best naming), without and with their number known, and how many were found, for each conversation.

With --choose it tries bounds for `SAME` on other voices that say other lines, and prints how each does: the bound in
vidembed/index/transcripts.py was chosen so, and the voices of the report were never looked at for it.
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
from vidembed.index import transcripts
from vidembed.index.transcripts import with_speakers
from vidembed.models.voices import VoiceEncoder
from vidembed.types import Floats, Span, TextLine, TimedText

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

OTHER_VOICES = (
    "en-us+m2", "en-gb+f1", "en-gb-scotland+m4", "en-us+f3", "en-029+m6", "en-gb+m8", "en-us+croak", "en-gb+klatt2",
)  # fmt: skip
OTHER_LINES = (
    "The ferry to the island leaves at half past seven.", "Are we still in time to buy two tickets?",
    "The man at the counter said that it is full.", "Then we take the next one and have breakfast first.",
    "There is a small bakery behind the harbour.", "Last year it was closed on Mondays.",
    "I can see people sitting outside with coffee.", "Good, then leave the bags with me.",
    "My phone has no battery left at all.", "You can charge it on the ship, I think.",
    "How long does the crossing take in winter?", "About two hours if the sea is calm.",
    "I always feel sick when there are waves.", "Sit in the middle and look at the horizon.",
    "That never helped me when I was a child.", "We will know more this evening.",
)  # fmt: skip
BOUNDS = tuple(round(0.56 + 0.02 * n, 2) for n in range(15))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the sounds")
    parser.add_argument("--choose", action="store_true", help="try bounds on other voices")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    if args.choose:
        print(json.dumps({"machine": facts(), "right_by_bound": choose(args.work)}, indent=2))
        return
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


def choose(folder: Path) -> dict[float, float]:
    """Mean share of the seconds that each bound gives to the right speaker, over twelve conversations."""
    encoder, shares = VoiceEncoder(), {bound: list[float]() for bound in BOUNDS}
    for number, count in enumerate((1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4), start=100):
        voices = random.Random(number).sample(OTHER_VOICES, count)
        path, text, truth = conversation(folder, number, voices, OTHER_LINES)
        seconds = [line.span.duration_s for line in text.lines]
        kept: list[Floats] = []

        def once(sounds: Sequence[Floats], kept: list[Floats] = kept) -> Floats:
            if not kept:
                kept.append(encoder.encode(sounds))
            return kept[0]

        for bound in BOUNDS:
            transcripts.SAME = bound
            told = with_speakers(text, path, MediaSettings(), encode=once)
            shares[bound].append(right([line.speaker or 0 for line in told.lines], truth, seconds))
    return {bound: round(sum(found) / len(found), 3) for bound, found in shares.items()}


def conversation(
    folder: Path, number: int, voices: Sequence[str], said: Sequence[str] = LINES
) -> tuple[Path, TimedText, list[int]]:
    """A sound file, its lines, and who says each."""
    chance = random.Random(number)
    pieces, lines, truth, at_s, rate = [], [], [], 0.0, 22050
    for text in said:
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
