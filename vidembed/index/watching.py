"""Indexes whenever something changes under the given paths."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from vidembed.errors import ConfigError, MediaNotFound
from vidembed.media.files import find_videos
from vidembed.types import RunReport

Paths = str | Path | Iterable[str | Path]
Snapshot = dict[str, tuple[int, int]]  # path -> (size, mtime in ns)


def watch(
    paths: Paths,
    add: Callable[[], RunReport],
    *,
    interval_s: float,
    stop: threading.Event | None,
    report: Callable[[RunReport], None] | None,
) -> None:
    """Looks every interval_s; a change is acted on once it has stood still for one interval (no half-copied files)."""
    if not 0 < interval_s <= 86_400:
        raise ConfigError(f"interval_s must be above 0 and at most a day, got {interval_s}")
    stop = stop or threading.Event()
    inputs = [paths] if isinstance(paths, str | Path) else list(paths)
    indexed: Snapshot | None = None
    before = look(inputs)
    while not stop.is_set():
        if indexed is None or (before != indexed and look(inputs) == before):
            indexed = before
            try:
                run = add()
            except MediaNotFound:
                run = None  # nothing is there yet, or no longer
            if run is not None and report is not None:
                report(run)
        stop.wait(interval_s)
        now = look(inputs)
        if now != before:
            before = now
            stop.wait(interval_s)  # until it stands still


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
