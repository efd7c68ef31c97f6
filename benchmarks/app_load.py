"""Many people search while a folder is being indexed: python benchmarks/app_load.py KNOWN NEW

KNOWN: a folder that is indexed before; the best answer to each query over it must stay among the answers (or be
passed only by new videos). NEW: a folder that is indexed meanwhile, again and again until the time is over. Prints one
JSON object: errors, lost answers, latency. Target: no error, none lost.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from _machine import facts, peak_memory_mb
from _serving import Ask, served

import vidembed
from vidembed import VideoIndex
from vidembed.demo import DEMO_QUERIES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("known", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--pause-s", type=float, default=1.0, help="what a person takes between two searches")
    parser.add_argument("--profile", default="toy")
    parser.add_argument("--query", action="append", help="may be repeated; default: the demo's queries")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vidembed-bench-") as folder:
        print(json.dumps(measure(args, Path(folder)), indent=1))


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    queries = args.query or list(DEMO_QUERIES)
    with vidembed.open_index(folder / "index", profile=args.profile) as index:
        print(index.add(args.known), flush=True)
        known = {record.info.video_id for record in index.videos()}
        with served(index) as ask:
            best = {words: ask(words, 50)[0] for words in queries}
            stop = time.monotonic() + args.seconds
            visitors = [
                Visitor(ask, queries[i:] + queries[:i], best, known, stop, args.pause_s) for i in range(args.clients)
            ]
            for visitor in visitors:
                visitor.start()
            runs, clips = keep_adding(index, args.new, known, stop)
            for visitor in visitors:
                visitor.join()
    times = sorted(time_s for visitor in visitors for time_s in visitor.times_s)
    return {
        "clients": args.clients,
        "seconds": args.seconds,
        "searches": len(times),
        "errors": [error for visitor in visitors for error in visitor.errors][:10],
        "lost": [lost for visitor in visitors for lost in visitor.lost][:10],
        "indexing_runs": runs,
        "clips_indexed": clips,
        "ms": {
            name: round(times[int(q * (len(times) - 1))] * 1000)
            for name, q in (("p50", 0.5), ("p95", 0.95), ("max", 1))
        },
        "peak_memory_mb": peak_memory_mb(),
        "machine": facts(["gradio", "qdrant-edge-py"]),
    }


def keep_adding(index: VideoIndex, new: Path, known: set[str], stop: float) -> tuple[int, int]:
    """Index the folder, take it out, and so on; a run that has begun is finished."""
    runs = clips = 0
    while time.monotonic() < stop:
        clips += index.add(new).clips
        runs += 1
        if time.monotonic() < stop:
            index.remove([r.info.video_id for r in index.videos() if r.info.video_id not in known])
    return runs, clips


class Visitor(threading.Thread):
    """One person: searches, looks, searches again."""

    def __init__(
        self,
        ask: Ask,
        queries: list[str],
        best: dict[str, dict[str, Any]],
        known: set[str],
        stop: float,
        pause_s: float,
    ) -> None:
        super().__init__(daemon=True)
        self._ask, self._queries, self._best, self._known = ask, queries, best, known
        self._stop_at, self._pause_s = stop, pause_s
        self.times_s: list[float] = []
        self.errors: list[str] = []
        self.lost: list[str] = []

    def run(self) -> None:
        while time.monotonic() < self._stop_at:
            for words in self._queries:
                began = time.perf_counter()
                try:
                    found = self._ask(words, 50)
                except Exception as error:
                    self.errors.append(f"{words}: {error!r}")
                    continue
                self.times_s.append(time.perf_counter() - began)
                # The best of the known videos comes first among them, or new ones fill all fifty places.
                known = [moment["video_id"] for moment in found if moment["video_id"] in self._known]
                if (known or len(found) < 50) and known[:1] != [self._best[words]["video_id"]]:
                    self.lost.append(f"{words}: {len(found)} answers, of known videos {known}")
                if time.monotonic() >= self._stop_at:
                    return
                time.sleep(self._pause_s)


if __name__ == "__main__":
    main()
