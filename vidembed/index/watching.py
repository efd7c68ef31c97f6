"""Indexes whenever something changes under the given paths."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from vidembed.errors import ConfigError, MediaNotFound
from vidembed.media.files import find_videos
from vidembed.types import RunReport

Paths = str | Path | Iterable[str | Path]
Snapshot = dict[str, tuple[int, int]]  # path -> (size, mtime in ns)
POLL_EVERY = 12  # intervals; network drives tell the system nothing of changes, so they are looked at now and then


def watch(
    paths: Paths,
    add: Callable[[], RunReport],
    *,
    interval_s: float,
    stop: threading.Event | None,
    report: Callable[[RunReport], None] | None,
) -> None:
    """Call `add` at once and after each change, until `stop` is set or Ctrl-C.

    A change is acted on once it has stood still for interval_s: no half-copied files. Raises ConfigError.
    """
    if not 0 < interval_s <= 86_400:
        raise ConfigError(f"interval_s must be above 0 and at most a day, got {interval_s}")
    stop = stop or threading.Event()
    inputs = [paths] if isinstance(paths, str | Path) else list(paths)
    indexed: Snapshot | None = None
    for _ in _wakes(inputs, interval_s, stop):
        now = look(inputs)
        while indexed is not None and now != indexed and not stop.wait(interval_s) and (later := look(inputs)) != now:
            now = later
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
    """Once now, then when the system tells of a change, and every POLL_EVERY intervals, until `stop` is set."""
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
            pass  # the system cannot watch so many folders: they are looked at instead
        stop.wait(interval_s)
        yield


def look(inputs: Paths) -> Snapshot:
    """What is there now."""
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
