"""Indexes a folder in a forked child that kills itself (SIGKILL) at a chosen step; run by test_kill.py.

A step is a call that changes something on disk: a transaction of the catalog, a write to the store, the manifest, a
thumbnail. The child dies right before or right after the step. Forking spares the imports for each of many runs.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import vidembed
from vidembed.index.catalog.database import Database
from vidembed.index.manifest import Manifest
from vidembed.index.media import Thumbnails
from vidembed.index.stores.qdrant_edge import QdrantEdgeStore


class Steps:
    """Counts steps; at the chosen one, the process dies."""

    def __init__(self) -> None:
        self.count = 0
        self.fatal = -1

    def wrap(self, owner: Any, name: str) -> None:
        inner = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.take()
            result = inner(*args, **kwargs)
            self.take()
            return result

        setattr(owner, name, call)

    def take(self) -> None:
        self.count += 1
        if self.count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)


STEPS = Steps()


def instrument() -> None:
    for name in ("put", "flush", "create", "set_alias", "delete", "drop"):
        STEPS.wrap(QdrantEdgeStore, name)
    STEPS.wrap(Manifest, "write")
    transaction = Database.transaction

    class Watched:
        def __init__(self, database: Database) -> None:
            self._inner = transaction(database)

        def __enter__(self) -> Any:
            return self._inner.__enter__()

        def __exit__(self, *exc: Any) -> Any:
            STEPS.take()  # before the commit
            result = self._inner.__exit__(*exc)
            STEPS.take()
            return result

    Database.transaction = lambda self: Watched(self)  # type: ignore[method-assign, assignment, return-value]
    save = Thumbnails.save

    def counted(self: Thumbnails, *args: Any) -> None:
        save(self, *args)
        STEPS.take()

    Thumbnails.save = counted  # type: ignore[method-assign]


def in_child(work: Callable[[], None]) -> int:
    """The exit status of a forked child that does the work; negative: killed by that signal."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def add(index: Path, videos: Path, *, fatal: int, workers: int, claims: bool) -> None:
    """One run; first, what an earlier one claims is checked."""
    STEPS.count, STEPS.fatal = 0, -1
    with vidembed.open_index(index, profile="toy", overrides={"run.batch_size": 3}) as opened:
        if claims:
            check_claims(opened)
        STEPS.count, STEPS.fatal = 0, fatal
        opened.add(videos, workers=workers)
        STEPS.fatal = -1
        if fatal < 0:
            (index.parent / f"{index.name}.steps").write_text(str(STEPS.count))


def timed(cpu_s: float, index: Path, videos: Path, workers: int) -> None:
    """A run that the system ends, without a chance to clean up, after so many seconds of processor time."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    add(index, videos, fatal=-1, workers=workers, claims=False)
    signal.setitimer(signal.ITIMER_PROF, 0)


def check_claims(index: Any) -> None:
    """What the catalog calls done, and is not about to compare with the store, has its vectors there."""
    stored, pending = set(index.parts.store.collections()), set(index.catalog.states.pending())
    for video_id, states in index.catalog.states.all().items():
        ids = [clip.clip_id for clip in index.catalog.videos.clips(video_id)]
        assert ids, f"{video_id} has channel states and no clips"
        for collection in (name for name in states if (video_id, name) not in pending):
            there = len(index.parts.store.rows(collection, ids, segments=False)) if collection in stored else 0
            assert there == index.catalog.states.stored(video_id, collection), (video_id, collection, there)


def main() -> None:
    videos, index, seed, kills, workers = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:6])
    chance = random.Random(seed)
    instrument()
    plain = index.with_name(f"{index.name}-plain")
    assert in_child(lambda: add(plain, videos, fatal=-1, workers=workers, claims=False)) == 0
    total = int((plain.parent / f"{plain.name}.steps").read_text())
    killed, runs = 0, 0
    while killed < kills:
        if runs and chance.random() < 0.2:  # begin again now and then, so that early points are hit too
            index = index.with_name(f"{index.name}x")
        fatal = chance.randint(1, max(2, total // 3))
        status = in_child(partial(add, index, videos, fatal=fatal, workers=workers, claims=index.exists()))
        runs += 1
        assert status in (0, -signal.SIGKILL), f"run {runs} ended with {status}"
        if status == 0:
            index = index.with_name(f"{index.name}y")
        killed += status != 0
    for _ in range(2):  # and by the clock, between the steps; the processor's, which a busy machine does not slow
        assert in_child(partial(timed, chance.uniform(0.02, 0.5), index, videos, workers)) in (0, -signal.SIGPROF)
    assert in_child(lambda: add(index, videos, fatal=-1, workers=workers, claims=True)) == 0
    print(json.dumps({"plain": str(plain), "killed": str(index), "kills": killed, "steps": total, "runs": runs}))


if __name__ == "__main__":
    main()
