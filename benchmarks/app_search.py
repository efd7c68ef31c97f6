"""How long the page takes to answer over 50,000 clips: python benchmarks/app_search.py

Fills an index with clustered vectors of the toy space (so that encoding the words costs nothing), serves it on
loopback and measures: the search with its HTML inside the server, and the documented endpoint over HTTP, as a browser
or program sees it. Prints one JSON object. Target: median below 300 ms on two cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from _machine import facts, peak_memory_mb
from _serving import asking, served

import vidembed
from vidembed import VideoIndex
from vidembed.index.channels import wanted_specs
from vidembed.types import Clip, Row, Span, VideoInfo
from vidembed.web import AppSettings, Site, cards
from vidembed.web.asking import Ask, run

CLIPS_PER_VIDEO, CLIP_S, UNITS = 100, 4.0, 8
WORDS = ("red", "green", "blue", "yellow", "white", "black", "a red thing", "something blue")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=50_000, help="clips")
    parser.add_argument("--rounds", type=int, default=10, help="times that each of the eight queries is asked")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vidembed-bench-") as folder:
        print(json.dumps(measure(args, Path(folder)), indent=1))


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    with vidembed.open_index(folder / "index", profile="toy") as index:
        began = time.perf_counter()
        fill(index, args.n)
        report: dict[str, Any] = {"clips": args.n, "fill_s": round(time.perf_counter() - began, 1)}
        site = Site(index, AppSettings())

        def inside(words: str) -> None:
            answer = run(site, Ask(text=words, k=12))
            assert cards.results(site, answer, floor=0.5).count("<article") == 12, "twelve cards are the answer"

        report["search_and_html_ms"] = latency(inside, args.rounds)
        with served(index) as url, asking(url) as ask:
            report["over_http_ms"] = latency(lambda words: ask(words, 12), args.rounds)
    report["peak_memory_mb"] = peak_memory_mb()
    report["machine"] = facts(["gradio", "qdrant-edge-py"])
    return report


def fill(index: VideoIndex, count: int) -> None:
    """Videos of a hundred clips each, with unit vectors around a few colours, straight into catalog and store."""
    spec = wanted_specs(index.config, ["vision"])["vision"]  # what `add` does first: make the channel serve
    channel = index.parts.load(spec)
    index.parts.store.create(spec.collection, channel.encoder.space)
    index.parts.store.set_alias(spec.name, spec.collection)
    index.parts.serve(spec)
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((64, channel.encoder.space.dim)).astype(np.float32)
    for number in range(-(-count // CLIPS_PER_VIDEO)):
        video_id = f"{number:032x}"
        clips = [Clip.make(video_id, i, Span(i * CLIP_S, (i + 1) * CLIP_S)) for i in range(CLIPS_PER_VIDEO)]
        path = Path(f"/nowhere/video{number:05d}.mp4")
        info = VideoInfo(video_id, path, 1, 0, CLIPS_PER_VIDEO * CLIP_S, 640, 360, Fraction(25), None, None, "h264")
        with index.catalog.transaction():
            index.catalog.videos.put(info, reader="pyav")
            index.catalog.videos.put_clips(clips)
            index.catalog.videos.link(path.as_posix(), video_id, size_bytes=1, mtime_ns=0)
            index.catalog.states.finish(video_id, spec.collection, "done", len(clips))
        index.parts.store.put(spec.collection, [row(clip, centres, generator) for clip in clips])
    index.parts.store.optimize()
    index.parts.store.flush()


def row(clip: Clip, centres: Any, generator: np.random.Generator) -> Row:
    around = centres[generator.integers(len(centres))]
    segments = around + 0.7 * generator.standard_normal((UNITS, len(around))).astype(np.float32)
    segments /= np.linalg.norm(segments, axis=1, keepdims=True)
    whole = segments.mean(axis=0)
    times = clip.span.start_s + (np.arange(UNITS) + 0.5) * CLIP_S / UNITS
    return Row(clip, (whole / np.linalg.norm(whole)).astype(np.float32), segments.astype(np.float16), times)


def latency(ask: Callable[[str], Any], rounds: int) -> dict[str, float]:
    """Milliseconds over all queries, after one round to warm up."""
    for words in WORDS:
        ask(words)
    times = []
    for _ in range(rounds):
        for words in WORDS:
            began = time.perf_counter()
            ask(words)
            times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return {
        "median": round(statistics.median(times), 1),
        "p95": round(times[int(0.95 * (len(times) - 1))], 1),
        "max": round(times[-1], 1),
    }


if __name__ == "__main__":
    main()
