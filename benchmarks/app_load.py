"""Many people search while a folder is being indexed: python benchmarks/app_load.py KNOWN NEW

KNOWN: a folder that is indexed before, together with short films of one plain colour each. NEW: a folder that is
indexed meanwhile, taken out and indexed again until the time is over. People search for the colours; the film of a
colour is a good match before, and must stay the first among the known videos all the time. The clients are a process
of their own, as browsers are. Prints one JSON object: errors, lost answers, latency. Target: no error, none lost.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _machine import facts, peak_memory_mb
from _serving import Ask, asking, served
from _videos import plain_film

COLOURS = {"red": "red", "green": "lime", "blue": "blue"}  # the word to search for -> ffmpeg's name of the pure colour
ANSWERS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("known", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--pause-s", type=float, default=1.0, help="what a person takes between two searches")
    parser.add_argument("--profile", default="toy")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vidembed-bench-") as folder:
        print(json.dumps(measure(args, Path(folder)), indent=1))


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    import vidembed

    films = [plain_film(folder / "films", colour, seconds=6) for colour in COLOURS.values()]
    with vidembed.open_index(folder / "index", profile=args.profile) as index:
        print(index.add([args.known, *films]), flush=True)
        known = frozenset(record.info.video_id for record in index.videos())
        with served(index) as url:
            with asking(url) as ask:
                best = {words: good_match(ask, words, index.config.search.min_confidence) for words in COLOURS}
            crowd = Crowd(url, best, known, args.clients, args.seconds, args.pause_s)
            cpu_s = time.process_time()
            with multiprocessing.get_context("spawn").Pool(1) as process:
                visits = process.apply_async(crowd.visit)
                runs, clips = keep_adding(index, args.new, known, time.monotonic() + args.seconds)
                seen = visits.get()
            cpu_s = time.process_time() - cpu_s
    times = sorted(seen.times_s)
    return {
        "clients": args.clients,
        "seconds": args.seconds,
        "searches": len(times),
        "errors": seen.errors[:10],
        "lost": seen.lost[:10],
        "indexing_runs": runs,
        "clips_indexed": clips,
        "ms": {
            name: round(times[int(q * (len(times) - 1))] * 1000)
            for name, q in (("p50", 0.5), ("p95", 0.95), ("max", 1))
        },
        "server_cpu_s": round(cpu_s, 1),  # searching and indexing; far below seconds x cores: others had the machine
        "peak_memory_mb": peak_memory_mb(),
        "machine": facts(["gradio", "qdrant-edge-py"]),
    }


def good_match(ask: Ask, words: str, least: float) -> str:
    """The id of the video that answers; an answer that matches by chance may well change when videos join."""
    found = ask(words, ANSWERS)
    if not found or found[0]["confidence"] < least:
        raise SystemExit(f"nothing in KNOWN is a good match for {words!r}: this profile cannot be measured so")
    return str(found[0]["video_id"])


def keep_adding(index: Any, new: Path, known: Collection[str], stop: float) -> tuple[int, int]:
    """Index the folder, take it out, and so on; a run that has begun is finished."""
    runs = clips = 0
    while time.monotonic() < stop:
        clips += index.add(new).clips
        runs += 1
        if time.monotonic() < stop:
            index.remove([r.info.video_id for r in index.videos() if r.info.video_id not in known])
    return runs, clips


@dataclass
class Seen:
    """What the visitors met."""

    times_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Crowd:
    """People who search, look, and search again. best: words -> id of the known video that must come first."""

    url: str
    best: dict[str, str]
    known: frozenset[str]
    clients: int
    seconds: float
    pause_s: float

    def visit(self) -> Seen:
        """All of them at once, each with a thread of its own."""
        seen = Seen()
        stop = time.monotonic() + self.seconds
        words = list(self.best)
        with asking(self.url) as ask:
            people = [
                threading.Thread(
                    target=self._one, args=(ask, words[i % len(words) :] + words[: i % len(words)], stop, seen)
                )
                for i in range(self.clients)
            ]
            for person in people:
                person.start()
            for person in people:
                person.join()
        return seen

    def _one(self, ask: Ask, queries: Sequence[str], stop: float, seen: Seen) -> None:
        while time.monotonic() < stop:
            for words in queries:
                began = time.perf_counter()
                try:
                    found = ask(words, ANSWERS)
                except Exception as error:
                    seen.errors.append(f"{words}: {error!r}")
                else:
                    seen.times_s.append(time.perf_counter() - began)
                    first = next((m["video_id"] for m in found if m["video_id"] in self.known), None)
                    if first != self.best[words]:
                        seen.lost.append(f"{words}: {len(found)} answers, of known videos {first} first")
                if time.monotonic() >= stop:
                    return
                time.sleep(self.pause_s)


if __name__ == "__main__":
    main()
