"""A collection's search graph built in a process of its own, on a copy of its files.

The engine holds Python's lock while it builds: in this process every search would wait for it, seven seconds at 21 000
clips. The copy takes the collection's place on the disk for as long as that lasts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import qdrant_edge as edge

from vidembed.errors import StoreUnavailable
from vidembed.index.stores._edge_engine import shard_config
from vidembed.types import Space

APART_ABOVE = 8_000_000  # bytes of a collection; a smaller one is done sooner than a process starts
_PIECE = 1 << 24
_NICENESS = 10  # searches go first


def worth_a_process(folder: Path) -> bool:
    """Whether the collection in this folder is large, and may be replaced while it is open."""
    return os.name != "nt" and _bytes_on_disk(folder) > APART_ABOVE


def built_apart(folder: Path, space: Space, *, quantization: str | None, index_above_kb: int) -> Path | None:
    """A copy of a collection, optimized; None when there was nothing to do.

    Args:
        folder: The collection, flushed; nobody writes to it meanwhile.
        space: Of its vectors.
        quantization: As it was made.
        index_above_kb: Size from which on a graph is built.

    Returns:
        The copy's folder, beside the collection under a name that begins with ".new-".

    Raises:
        StoreUnavailable: The copy cannot be written, or the process ended with an error.
    """
    copy = Path(tempfile.mkdtemp(prefix=f".new-{folder.name}-", dir=folder.parent))
    settings = {"space": asdict(space), "quantization": quantization, "index_above_kb": index_above_kb}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    keep = False
    try:
        _copy(folder, copy)
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(copy), json.dumps(settings)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        if done.returncode:
            told = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
            raise StoreUnavailable(
                f"optimizing {folder.name} failed: {told}",
                hint="is the disk or the memory full? The collection is as before",
            )
        keep = json.loads(done.stdout)["optimized"]
    except OSError as error:
        raise StoreUnavailable(f"{folder.parent} cannot be written: {error}", hint="is the disk full?") from error
    finally:
        if not keep:
            shutil.rmtree(copy, ignore_errors=True)
    return copy if keep else None


def _bytes_on_disk(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


def _copy(folder: Path, copy: Path) -> None:
    """All files, with their holes: a collection of one megabyte has files of 180."""
    for file in folder.rglob("*"):
        target = copy / file.relative_to(folder)
        if file.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "rb") as source, open(target, "wb") as sink:
            sink.truncate(os.fstat(source.fileno()).st_size)
            for start, end in _data(source.fileno()):
                source.seek(start)
                sink.seek(start)
                while piece := source.read(min(_PIECE, end - source.tell())):
                    sink.write(piece)


def _data(descriptor: int) -> Iterator[tuple[int, int]]:
    """Where a file holds data, as (start, end)."""
    size, end = os.fstat(descriptor).st_size, 0
    seek_data, seek_hole = getattr(os, "SEEK_DATA", None), getattr(os, "SEEK_HOLE", None)
    if seek_data is None or seek_hole is None:
        yield 0, size
        return
    while end < size:
        try:
            start = os.lseek(descriptor, end, seek_data)
        except OSError:  # none from here on
            return
        end = os.lseek(descriptor, start, seek_hole)
        yield start, end


def main() -> None:
    """Optimize the collection in the folder given; prints whether there was anything to do, as JSON."""
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    with suppress(OSError):
        os.nice(_NICENESS)
    config = shard_config(
        Space(**settings["space"]),
        quantization=settings["quantization"],
        index_above_kb=settings["index_above_kb"],
        memory=edge.Memory.Cached,
    )
    shard = edge.EdgeShard.load(str(folder), config)
    optimized = shard.optimize()
    shard.flush()
    shard.close()
    print(json.dumps({"optimized": optimized}))


if __name__ == "__main__":
    main()
