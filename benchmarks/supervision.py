"""What it costs that no file can end a run: whole `vidembed index` processes, watched over and not, by turns.

    python benchmarks/supervision.py videos/*.mp4 --rounds 8 --out supervision.json

"watched" is the command as everybody runs it: a process that starts another, which notes each file while its decoder is
open. "bare" is the same command as the process that is started, so nobody waits for it. Both make a new index of the
same videos each time; each pair changes the order. Given are wall time and processor time (of the process and all that
it started), the median cost of the pairs in percent, and what one note costs. On a busy machine trust processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _machine import facts

from vidembed.demo import demo_videos
from vidembed.index.pipeline.in_hand import InHand

BARE = {"VIDEMBED_SUPERVISED": "1"}  # what the watched process finds in its environment
NOTES = 1000


def indexed(videos: list[str], profile: str, *, watched: bool) -> dict[str, float]:
    """Wall and processor seconds of one run into a new index. Raises CalledProcessError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "vidembed", "index", *videos, "--index", f"{folder}/index", "-p", profile]
        environment = {name: value for name, value in os.environ.items() if name not in BARE}
        before, started = os.times(), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment if watched else environment | BARE)
        wall_s, after = time.perf_counter() - started, os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        return {"wall_s": round(wall_s, 3), "cpu_s": round(spent, 3)}


def note_ms(folder: Path) -> float:
    """Milliseconds that a file is noted for, and the note removed."""
    notes = InHand(folder)
    started = time.perf_counter()
    for number in range(NOTES):
        with notes.hold(Path(f"{number}.mp4")):
            pass
    return round((time.perf_counter() - started) / NOTES * 1000, 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", help="files; default: the demo's")
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    videos = given.videos or [str(path) for path in demo_videos()]
    indexed(videos, given.profile, watched=True)  # files and weights are in the system's cache from here on
    runs: dict[str, list[dict[str, float]]] = {"watched": [], "bare": []}
    for turn in range(given.rounds):
        for name in sorted(runs, reverse=turn % 2 == 0):
            runs[name].append(indexed(videos, given.profile, watched=name == "watched"))
    costs = {}
    for kind in ("wall_s", "cpu_s"):
        pairs = [100 * (one[kind] / other[kind] - 1) for one, other in zip(runs["watched"], runs["bare"], strict=True)]
        costs[kind] = {
            **{name: round(statistics.median(run[kind] for run in found), 3) for name, found in runs.items()},
            "cost_percent": round(statistics.median(pairs), 2),
            "pairs_percent": [round(pair, 2) for pair in sorted(pairs)],
        }
    with tempfile.TemporaryDirectory() as folder:
        note = note_ms(Path(folder))
    result = {
        "machine": facts(),
        "videos": len(videos),
        "profile": given.profile,
        "note_ms": note,
        **costs,
        "runs": runs,
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
