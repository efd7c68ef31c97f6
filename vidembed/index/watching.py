"""Index whenever something changes under the given paths."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from vidembed.errors import ConfigError, IndexBusy, MediaNotFound
from vidembed.media.files import Paths, as_list, survey
from vidembed.types import RunReport

Snapshot = dict[Path, tuple[int, int]]  # file -> (size, mtime in ns)
POLL_EVERY = 12  # intervals: the system reports no changes on network drives, so they are polled


def watch(
    paths: Paths,
    add: Callable[[Collection[Path]], RunReport],
    *,
    interval_s: float,
    stop: threading.Event | None,
    report: Callable[[RunReport], None] | None,
) -> None:
    """Call `add` at once and after each change, until `stop` is set or Ctrl-C.

    Args:
        paths: Folders, files, globs, list files.
        add: Indexes what is missing, but for the files it is given; MediaNotFound from it is not an error here.
        interval_s: For how long a file must not change before it is added: no half-copied files. Each file is judged
            by itself.
        stop: Ends the call when it is set.
        report: Called after each run.

    Raises:
        ConfigError: interval_s is out of bounds.
    """
    if not 0 < interval_s <= 86_400:
        raise ConfigError(f"interval_s must be above 0 and at most a day, got {interval_s}")
    stop = stop or threading.Event()
    inputs = as_list(paths)
    quiet = _Quiet(interval_s)
    indexed: Snapshot | None = None
    for _ in _wakes(inputs, interval_s, stop):
        while not stop.is_set():
            now = snapshot(inputs)
            restless = quiet.restless(now, indexed or {})
            wanted = {path: facts for path, facts in now.items() if path not in restless}
            kept = {path: facts for path, facts in (indexed or {}).items() if path in restless}
            done = True
            if indexed is None or wanted | kept != indexed:
                done = _run(add, restless, report)
                indexed = wanted | kept if done else indexed
            if not restless and done:
                break
            stop.wait(interval_s)


def _run(
    add: Callable[[Collection[Path]], RunReport], restless: Collection[Path], report: Callable[[RunReport], None] | None
) -> bool:
    """Whether it was done; not while another process writes to the index."""
    try:
        run = add(restless)
    except MediaNotFound:
        return True  # nothing is there yet, or no longer
    except IndexBusy:
        return False
    if report is not None:
        report(run)
    return True


class _Quiet:
    """Since when each file has been as it is."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._since: dict[Path, tuple[tuple[int, int], float]] = {}  # file -> (facts, monotonic time)
        self._first = True

    def restless(self, now: Snapshot, indexed: Snapshot) -> set[Path]:
        """The files that have changed within the interval, and not been indexed as they are."""
        at = time.monotonic()
        since = {}
        for path, facts in now.items():
            held = self._since.get(path)
            since[path] = held if held is not None and held[0] == facts else (facts, at - self._age_s(facts[1]))
        self._since, self._first = since, False
        return {
            path
            for path, (facts, begin) in since.items()
            if indexed.get(path) != facts and at - begin < self._interval_s
        }

    def _age_s(self, mtime_ns: int) -> float:
        """For how long a file that is new here has been as it is: at the start by its date, later for no time."""
        age_s = time.time() - mtime_ns / 1e9
        return age_s if self._first and age_s >= 0 else self._interval_s * self._first


def _wakes(inputs: list[str | Path], interval_s: float, stop: threading.Event) -> Iterator[None]:
    """Yield at once, when the system reports a change, and every POLL_EVERY intervals, until `stop` is set."""
    from watchfiles import watch as changes

    wait_ms = max(1, round(POLL_EVERY * interval_s * 1000))
    yield
    while not stop.is_set():
        try:
            if all(os.path.exists(path) for path in inputs):  # no glob, nor a folder that is not there yet
                for _ in changes(
                    *inputs, watch_filter=None, stop_event=stop, rust_timeout=wait_ms, yield_on_timeout=True
                ):
                    yield
        except (OSError, RuntimeError):
            pass  # too many folders for the system to watch: poll them
        stop.wait(interval_s)
        yield


def snapshot(inputs: Paths) -> Snapshot:
    """The files that these paths name now."""
    try:
        files = survey(inputs).files
    except MediaNotFound:
        return {}
    found: Snapshot = {}
    for file in files:
        try:
            stat = os.stat(file)
        except OSError:
            continue  # gone between listing and looking
        found[file] = (stat.st_size, stat.st_mtime_ns)
    return found
