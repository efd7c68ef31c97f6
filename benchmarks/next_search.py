"""What a search takes once an index is open, words not asked before and words asked again.

    python benchmarks/next_search.py INDEX --against ../build-before --rounds 3

This build and another in turn, a process of its own for each round, ten answers a search. Prints one JSON object: the
medians in milliseconds on the clock and of the processor. `--kernels Haswell` (`OPENBLAS_CORETYPE`) says for which
processor numpy's matrix library computes; by default it chooses.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from _machine import facts

HERE = Path(__file__).resolve().parents[1]
WORDS = (
    "a dog runs on the beach", "someone plays the drums", "a red car drives by", "people dancing in a room",
    "a man cooks pancakes", "waves on the sea", "a cat sits on a chair", "children laughing",
    "a woman talks to the camera", "a boat on a river", "hammer hits a nail", "a bus on the street",
    "a cartoon rabbit", "snow on mountains", "arm wrestling in a bar", "a baby cries", "bottles on a table",
    "people doing yoga outside", "a horse in a field", "a person reads a book",
)  # fmt: skip
AGAIN = 5  # times that each is asked again


def measured(folder: Path) -> dict[str, dict[str, float]]:
    """Medians of one process."""
    from vidembed.index.opening import open_index

    times: dict[str, list[tuple[float, float]]] = {"new": [], "again": []}
    with open_index(folder, readonly=True) as index:
        for warm_up in ("warm up", "once more"):
            index.search(warm_up, k=10)
        for turn in range(1 + AGAIN):
            for words in WORDS:
                began, worked = time.perf_counter(), time.process_time()
                index.search(words, k=10)
                took = time.perf_counter() - began, time.process_time() - worked
                times["again" if turn else "new"].append((took[0] * 1000, took[1] * 1000))
    return {
        name: dict(zip(("clock_ms", "processor_ms"), map(statistics.median, zip(*found, strict=True)), strict=True))
        for name, found in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path, help="an index made before")
    parser.add_argument("--against", type=Path, help="the folder of the other build (holds vidembed/)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kernels", help="OPENBLAS_CORETYPE")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measured(args.index)))
        return
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    environment |= {"OPENBLAS_NUM_THREADS": "1"} | ({"OPENBLAS_CORETYPE": args.kernels} if args.kernels else {})
    builds = {"this": HERE} | ({"other": args.against.resolve()} if args.against else {})
    rounds: dict[str, list[Any]] = {name: [] for name in builds}
    for _ in range(args.rounds):
        for name, root in builds.items():
            command = [sys.executable, __file__, str(args.index.resolve()), "--one"]
            environment["PYTHONPATH"] = str(root)
            done = subprocess.run(command, env=environment, cwd=root, check=True, capture_output=True, text=True)
            rounds[name].append(json.loads(done.stdout))
    report: dict[str, Any] = {"machine": facts(["numpy"]), "kernels": args.kernels or "its own choice"}
    for name, found in rounds.items():
        report[name] = {
            kind: {unit: [round(one[kind][unit], 1) for one in found] for unit in found[0][kind]} for kind in found[0]
        }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
