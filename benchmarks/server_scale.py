"""A Qdrant server and the embedded engine side by side: python benchmarks/server_scale.py --qdrant PATH_OF_THE_BINARY

Writes the clustered vectors of search_latency.py to both, waits for their graphs, opens them again in fresh processes
and measures searches with and without filters, recall, disk and memory: kept whole, as int8 and as turbo4. Starts the
server itself, on loopback, with a folder that is removed. Prints one JSON object. Linux only (memory from /proc).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from _machine import facts
from qdrant_client import models
from search_latency import CHUNK, NAME, filters, latency, rows_of, timed, truth

from vidembed.index.stores.qdrant_edge import QdrantEdgeStore
from vidembed.index.stores.qdrant_server import QdrantServerStore
from vidembed.protocols import Store
from vidembed.types import Row, Space

PRESETS = ("none", "scalar", "turbo4")
WAYS = ("server", "edge")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qdrant", type=Path, required=True, help="the server's binary")
    parser.add_argument("--n", type=int, default=100_000, help="clip vectors")
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--http", action="store_true", help="write and search over HTTP instead of gRPC")
    parser.add_argument("--like", type=Path, help="cluster the vectors as the frames of this index are")
    parser.add_argument("--processes", type=int, default=2, help="that send to the server")
    parser.add_argument("--threads", type=int, help="with which the server builds its graphs (default: its own choice)")
    parser.add_argument("--folder", type=Path, help="keep what was written there, and search what lies there")
    parser.add_argument("--only", choices=["fill", "search"], help="one of the two steps, with --folder")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS))
    parser.add_argument(
        "--out", type=Path, help="also write the JSON here after each step; what it has of the same settings is kept"
    )
    args = parser.parse_args()
    args.segments = 0  # rows_of: none kept with a clip
    kept = {
        k: str(v)
        for k, v in vars(args).items()
        if k not in ("qdrant", "out", "like", "folder", "only", "ways", "presets")
    }
    report: dict[str, Any] = {"settings": kept}
    report["machine"] = facts(["qdrant-edge-py", "qdrant-client"])
    if args.out and args.out.exists():
        before = json.loads(args.out.read_text("utf-8"))
        report |= before if before["settings"] == report["settings"] else {}
    asked = expected(args)
    for way, preset in [(way, preset) for way in args.ways for preset in args.presets]:
        title = f"{way}, {preset}"
        print(title, file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="vidembed-bench-") as scratch:
            folder = (args.folder or Path(scratch)) / title.replace(", ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            report[title] = report.get(title, {}) | measured(args, way, preset, folder, asked)
        if args.out:
            args.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(json.dumps(report, indent=1))


def expected(args: argparse.Namespace) -> Any:
    """Queries and their nearest clips by exact search; kept in --folder."""
    if args.folder is None:
        return truth(args)
    args.folder.mkdir(parents=True, exist_ok=True)
    note = args.folder / f"truth-{args.n}-{args.dim}-{args.queries}.json"
    if not note.exists():
        queries, exact = truth(args)
        note.write_text(json.dumps([np.stack(queries).tolist(), exact]), "utf-8")
    queries, exact = json.loads(note.read_text("utf-8"))
    return list(np.asarray(queries, np.float32)), exact


def measured(args: argparse.Namespace, way: str, preset: str, folder: Path, asked: Any) -> dict[str, Any]:
    """One engine and preset: filled in one process, opened and searched in fresh ones."""
    report: dict[str, Any] = {}
    for step in [step for name, step in (("fill", filled), ("search", searched)) if args.only in (None, name)]:
        with server(args, folder) if way == "server" else no_server() as process:
            how = (args, way, preset, folder, process)
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                report |= pool.submit(step, how, asked).result()
    report["disk_mb"] = round(sum(f.stat().st_blocks * 512 for f in folder.rglob("*") if f.is_file()) / 1e6)
    return report


def filled(how: Any, asked: Any) -> dict[str, Any]:
    """Write all vectors, and wait until the graph is built."""
    args, *_ = how
    store = opened(how)
    store.create(NAME, Space("clustered", args.dim))
    made = 0.0

    def rows() -> Iterator[Row]:
        nonlocal made
        for start in range(0, args.n, CHUNK):
            began = time.perf_counter()
            chunk = rows_of(args, start)
            made += time.perf_counter() - began
            yield from chunk

    took = timed(lambda: store.load(NAME, rows(), processes=args.processes))
    began = time.perf_counter()
    store.flush()
    store.optimize()
    report = {"in_graph": wait_for_green(store)} if isinstance(store, QdrantServerStore) else {}
    built = time.perf_counter() - began
    store.close()
    return {
        "put_s": round(took - made, 1),
        "put_rows_per_s": round(args.n / (took - made)),
        "then_until_built_s": round(built, 1),
        **report,
    }


def searched(how: Any, asked: Any) -> dict[str, Any]:
    """Search as after a restart: latencies, recall, and the memory of the process that has the vectors."""
    args, way, _, _, process = how
    queries, exact = asked
    holder = process or os.getpid()
    before = memory_mb(holder)["private"] if way == "edge" else 0  # of Python and numpy
    store = opened(how)
    report: dict[str, Any] = {"search_k10_ms": latency(lambda q: store.search(NAME, q, k=10), queries)}
    found = [{i for i, _ in store.search(NAME, q, k=10)} for q in queries]
    report["recall_at_10"] = round(
        float(np.mean([len(f & set(e[:10])) / 10 for f, e in zip(found, exact, strict=True)])), 4
    )
    report["filtered_k10_ms"] = {
        name: latency(lambda q, where=where: store.search(NAME, q, k=10, where=where), queries)
        for name, where in filters(args.n).items()
    }
    after = memory_mb(holder)
    report["memory_mb"] = {"private": round(after["private"] - before), "with mapped files": round(after["all"])}
    report["count"] = store.count(NAME)
    store.close()
    return report


def opened(how: Any) -> Store:
    args, way, preset, folder, _ = how
    codes = None if preset == "none" else preset
    if way == "edge":
        return QdrantEdgeStore(folder, quantization=codes)
    http, grpc = ports(folder)
    return QdrantServerStore(f"http://127.0.0.1:{http}", grpc_port=None if args.http else grpc, quantization=codes)


def wait_for_green(store: QdrantServerStore) -> int:
    """Until the server says five times, half a second apart, that it has nothing to build; vectors in its graphs."""
    green = 0
    while green < 5:
        time.sleep(0.5)
        info = store._client.get_collection(store._full(NAME))
        green = green + 1 if info.status == models.CollectionStatus.GREEN else 0
    return int(info.indexed_vectors_count or 0)


@contextmanager
def no_server() -> Iterator[None]:
    yield None


@contextmanager
def server(args: argparse.Namespace, folder: Path) -> Iterator[int]:
    """A server on loopback with this folder; its process id."""
    http, grpc = ports(folder)
    own = {
        "QDRANT__SERVICE__HOST": "127.0.0.1",
        "QDRANT__SERVICE__HTTP_PORT": str(http),
        "QDRANT__SERVICE__GRPC_PORT": str(grpc),
        "QDRANT__STORAGE__STORAGE_PATH": str(folder / "storage"),
        "QDRANT__STORAGE__SNAPSHOTS_PATH": str(folder / "snapshots"),
        "QDRANT__TELEMETRY_DISABLED": "true",
        "QDRANT__LOG_LEVEL": "ERROR",
    }
    if args.threads:
        own |= dict.fromkeys(
            ("QDRANT__STORAGE__PERFORMANCE__OPTIMIZER_CPU_BUDGET", "QDRANT__STORAGE__HNSW_INDEX__MAX_INDEXING_THREADS"),
            str(args.threads),
        )
    with subprocess.Popen([args.qdrant], env={**os.environ, **own}, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{http}/readyz", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield process.pid
        finally:
            process.terminate()


def ports(folder: Path) -> tuple[int, int]:
    """Free ports for HTTP and gRPC, the same for the same folder."""
    note = folder / "ports.json"
    if not note.exists():
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            note.write_text(json.dumps([one.getsockname()[1], two.getsockname()[1]]), "utf-8")
    first, second = json.loads(note.read_text("utf-8"))
    return first, second


def memory_mb(process: int) -> dict[str, float]:
    lines = Path(f"/proc/{process}/status").read_text("utf-8").splitlines()
    kb = {line.split(":")[0]: float(line.split()[1]) for line in lines if line.startswith("Rss") or "VmRSS" in line}
    return {"private": kb["RssAnon"] / 1000, "all": kb["VmRSS"] / 1000}


if __name__ == "__main__":
    main()
