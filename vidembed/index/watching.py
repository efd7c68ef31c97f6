"""Index whenever something changes under the given paths."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from vidembed.errors import ConfigError, MediaNotFound
from vidembed.index.filling import Paths
from vidembed.media.files import find_videos
from vidembed.types import RunReport

Snapshot = dict[str, tuple[int, int]]  # path -> (size, mtime in ns)
POLL_EVERY = 12  # intervals: the system reports no changes on network drives, so they are polled


def watch(
    paths: Paths,
    add: Callable[[], RunReport],
    *,
    interval_s: float,
    stop: threading.Event | None,
    report: Callable[[RunReport], None] | None,
) -> None:
    """Call `add` at once and after each change, until `stop` is set or Ctrl-C.

    Args:
        paths: Folders, files, globs, list files.
        add: Indexes what is missing; MediaNotFound from it is not an error here.
        interval_s: For how long nothing more must change before `add` is called: no half-copied files.
        stop: Ends the call when it is set.
        report: Called after each run.

    Raises:
        ConfigError: interval_s is out of bounds.
    """
    if not 0 < interval_s <= 86_400:
        raise ConfigError(f"interval_s must be above 0 and at most a day, got {interval_s}")
    stop = stop or threading.Event()
    inputs = [paths] if isinstance(paths, str | Path) else list(paths)
    indexed: Snapshot | None = None
    for _ in _wakes(inputs, interval_s, stop):
        now = snapshot(inputs)
        if indexed is not None and now != indexed:
            now = _settled(inputs, now, interval_s, stop)
        if stop.is_set() or now == indexed:
            continue
        indexed = now
        try:
            run = add()
        except MediaNotFound:
            continue  # nothing is there yet, or no longer
        if report is not None:
            report(run)


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


def _settled(inputs: list[str | Path], now: Snapshot, interval_s: float, stop: threading.Event) -> Snapshot:
    """The files once nothing has changed for interval_s."""
    while not stop.wait(interval_s) and (later := snapshot(inputs)) != now:
        now = later
    return now


def snapshot(inputs: Paths) -> Snapshot:
    """The files that these paths name now."""
    try:
        files = find_videos(inputs)
    except MediaNotFound:
        return {}
    found: Snapshot = {}
    for file in files:
        try:
            stat = os.stat(file)
        except OSError:
            continue  # gone between listing and looking
        found[str(file)] = (stat.st_size, stat.st_mtime_ns)
    return found
