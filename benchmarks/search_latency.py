"""How long a search in the vector store takes, without encoding the query: python benchmarks/search_latency.py

Makes clustered unit vectors (topics, videos inside them, clips inside those), writes them, optimizes, reopens and
measures searches with and without filters, with their recall against exact numpy search. Prints one JSON object.

Targets at --n 100000: median search and filtered search <= 10 ms, reopen <= 1 s.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _machine import facts, peak_memory_mb

from vidembed.index.opening import open_index
from vidembed.index.stores.qdrant_edge import QdrantEdgeStore
from vidembed.index.stores.qdrant_server import QdrantServerStore
from vidembed.protocols import Store
from vidembed.types import Clip, Floats, Row, Space, Span, Where

CLIPS_PER_VIDEO, CLIP_S, CHUNK = 20, 4.0, 2000
NAME = "vision.00000001"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100_000, help="clip vectors")
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--segments", type=int, default=0, help="float16 unit vectors kept with each clip")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--like", type=Path, help="cluster the vectors as the frames of this index are")
    parser.add_argument("--quantization", choices=["scalar", "binary", "turbo1", "turbo2", "turbo4"])
    parser.add_argument("--hnsw-ef", type=int, default=256)
    parser.add_argument("--url", help="measure a Qdrant server instead of the embedded engine")
    parser.add_argument("--no-optimize", action="store_true", help="search by scanning, as right after indexing")
    parser.add_argument("--folder", type=Path, help="where the vectors go (default: a temporary folder, removed)")
    parser.add_argument("--filled", action="store_true", help="--folder has the vectors of an earlier run: search only")
    parser.add_argument("--out", type=Path, help="also write the JSON here")
    args = parser.parse_args()
    if args.filled and not args.folder:
        parser.error("--filled needs the --folder of an earlier run")
    folder = args.folder or Path(tempfile.mkdtemp(prefix="vidembed-bench-"))
    try:
        report = measure(args, folder)
    finally:
        if args.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    text = json.dumps(report, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", "utf-8")


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    def reopen() -> Store:
        how = {"quantization": args.quantization, "hnsw_ef": args.hnsw_ef}
        return QdrantServerStore(args.url, namespace="bench", **how) if args.url else QdrantEdgeStore(folder, **how)

    queries, exact = truth(args)
    report: dict[str, Any] = {"settings": {k: str(v) for k, v in vars(args).items() if v is not None}}
    if not args.filled:
        report |= filled(args, reopen(), queries)
    began = time.perf_counter()
    store = reopen()
    store.search(NAME, queries[0], k=10)
    report["reopen_to_first_answer_s"] = round(time.perf_counter() - began, 3)
    report["search_k10_ms"] = latency(lambda q: store.search(NAME, q, k=10), queries)
    report["search_k100_ms"] = latency(lambda q: store.search(NAME, q, k=100), queries)
    for k in (10, 100):
        found = [{i for i, _ in store.search(NAME, q, k=k)} for q in queries]
        report[f"recall_at_{k}"] = round(
            float(np.mean([len(f & set(e[:k])) / k for f, e in zip(found, exact, strict=True)])), 4
        )
    report["filtered_k10_ms"] = {
        name: latency(lambda q, where=where: store.search(NAME, q, k=10, where=where), queries)
        for name, where in filters(args.n).items()
    }
    ids = [[i for i, _ in store.search(NAME, q, k=20)] for q in queries[:50]]
    report["rows_of_20_ms"] = latency(lambda i: store.rows(NAME, i), ids)
    report["count"] = store.count(NAME)
    store.close()
    if not args.url:
        report["disk_mb"] = round(sum(f.stat().st_blocks * 512 for f in folder.rglob("*") if f.is_file()) / 1e6)
    report["peak_memory_mb"] = peak_memory_mb()
    report["machine"] = facts(["qdrant-edge-py", "qdrant-client"])
    return report


def filled(args: argparse.Namespace, store: Store, queries: list[Floats]) -> dict[str, Any]:
    """Write all vectors, optimize, close; what that took."""
    report: dict[str, Any] = {}
    store.drop(NAME)
    store.create(NAME, Space("clustered", args.dim))
    writing = time.perf_counter()
    made = 0.0
    for start in range(0, args.n, CHUNK):
        began = time.perf_counter()
        rows = rows_of(args, start)
        made += time.perf_counter() - began
        store.put(NAME, rows)
    report["put_rows_per_s"] = round(args.n / (time.perf_counter() - writing - made))
    report["flush_s"] = timed(store.flush)
    report["exact_search_ms"] = latency(lambda q: store.search(NAME, q, k=10), queries[:30])
    report |= {} if args.no_optimize else optimized(store, queries)
    report["close_s"] = timed(store.close)
    return report


def optimized(store: Store, queries: list[Floats]) -> dict[str, Any]:
    """How long the graph takes, and how long searches in another thread take while it is built."""
    waits: list[float] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            waits.extend(each_ms(lambda query: store.search(NAME, query, k=10), queries[:10]))

    searching = threading.Thread(target=search)
    searching.start()
    took = timed(store.optimize)
    done.set()
    searching.join()
    return {"optimize_s": took, "searches_meanwhile": len(waits), "longest_search_meanwhile_ms": round(max(waits), 1)}


def filters(n: int) -> dict[str, Where]:
    """From one video to half of all, and a stretch of time that one clip in ten touches."""
    videos = [video_id(i) for i in range(max(1, n // CLIPS_PER_VIDEO))]
    picks = {"one video": 1, "1% of videos": len(videos) // 100, "half of the videos": len(videos) // 2}
    wheres = {name: Where(video_ids=frozenset(videos[: max(1, count)])) for name, count in picks.items()}
    wheres["time range"] = Where(within=Span(4.0, 12.0))
    wheres["half of the videos, time range"] = Where(wheres["half of the videos"].video_ids, Span(4.0, 12.0))
    return wheres


def video_id(i: int) -> str:
    return f"{i:032x}"


def vectors_of(args: argparse.Namespace, start: int) -> Floats:
    """Rows start..start+CHUNK, start a multiple of CHUNK.

    Cosines are about 0.9 within a video and 0.5 within a topic, as CLIP vectors have it.
    """
    count = min(CHUNK, args.n - start)
    topics, spread = clusters(args.like, args.dim)
    rng = np.random.default_rng((2, start))
    videos = CHUNK // CLIPS_PER_VIDEO
    noise = rng.standard_normal((videos + CHUNK, len(spread)), np.float32) @ spread
    centres = unit(topics[rng.integers(len(topics), size=videos)] + noise[:videos])
    return unit(np.repeat(centres, CLIPS_PER_VIDEO, axis=0) + 0.33 * noise[videos:])[:count]


@cache
def clusters(like: Path | None, dim: int) -> tuple[Floats, Floats]:
    """Centres of topics, (T, D), and what normal numbers are multiplied with to spread around them, (R, D).

    Of an index, the centres are its frames, and what is spread has the covariance of its frames.
    """
    if like is None:
        return unit(np.random.default_rng(1).normal(size=(200, dim))), np.eye(dim, dtype=np.float32) / np.sqrt(dim)
    with open_index(like, readonly=True) as index:
        store = index.parts.store
        frames = unit(np.concatenate([r.segments for rows in store.scan("vision", segments=True) for r in rows]))
    apart = frames - frames.mean(axis=0)
    return frames, apart / np.linalg.norm(apart)


def rows_of(args: argparse.Namespace, start: int) -> list[Row]:
    rng = np.random.default_rng((3, start))
    rows = []
    for offset, vector in enumerate(vectors_of(args, start)):
        video, index = divmod(start + offset, CLIPS_PER_VIDEO)
        clip = Clip.make(video_id(video), index, Span(index * CLIP_S, (index + 1) * CLIP_S))
        if args.segments:
            noise = 0.2 * rng.normal(size=(args.segments, args.dim)) / np.sqrt(args.dim)
            segments = unit(vector + noise).astype(np.float16)
            rows.append(Row(clip, vector, segments, clip.span.start_s + np.arange(args.segments, dtype=np.float64)))
        else:
            rows.append(Row(clip, vector))
    return rows


def truth(args: argparse.Namespace) -> tuple[list[Floats], list[list[str]]]:
    """Queries near clips (cosine about 0.7), and the ids of their 100 nearest clips by exact search."""
    rng = np.random.default_rng(4)
    picks = rng.integers(args.n, size=args.queries)
    near = np.stack([vectors_of(args, int(p) // CHUNK * CHUNK)[int(p) % CHUNK] for p in picks])
    _, spread = clusters(args.like, args.dim)
    queries = unit(near + rng.standard_normal((len(near), len(spread)), np.float32) @ spread)
    scores = np.zeros((args.queries, 0), np.float32)
    places = np.zeros((args.queries, 0), np.int64)
    for start in range(0, args.n, CHUNK):
        block = queries @ vectors_of(args, start).T
        scores = np.concatenate([scores, block], axis=1)
        places = np.concatenate([places, np.tile(np.arange(start, start + block.shape[1]), (len(queries), 1))], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :100]
        scores, places = np.take_along_axis(scores, best, 1), np.take_along_axis(places, best, 1)
    return list(queries), [[clip_id(int(p)) for p in row] for row in places]


def clip_id(place: int) -> str:
    video, index = divmod(place, CLIPS_PER_VIDEO)
    return Clip.make(video_id(video), index, Span(index * CLIP_S, (index + 1) * CLIP_S)).clip_id


def unit(rows: np.ndarray) -> Floats:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 3)


def latency(work: Callable[[Any], object], items: list[Any]) -> dict[str, float]:
    """Median and 95th percentile in milliseconds, after three calls to warm up."""
    for item in items[:3]:
        work(item)
    times = list(each_ms(work, items))
    return {"median": round(float(np.median(times)), 2), "p95": round(float(np.percentile(times, 95)), 2)}


def each_ms(work: Callable[[Any], object], items: list[Any]) -> Iterator[float]:
    for item in items:
        began = time.perf_counter()
        work(item)
        yield (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
