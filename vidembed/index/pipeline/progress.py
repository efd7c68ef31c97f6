"""How far a run is, and memory that it has freed, back to the system."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Handed to the callback after each step. total_s: estimated from the videos done so far."""

    item: str  # path of the video in hand; "" at the end
    stage: str  # "index", "done"
    done_items: int
    total_items: int
    done_s: float  # seconds of video done
    total_s: float
    rate: float  # seconds of video done per second


ProgressCallback = Callable[[Progress], None]


class Meter:
    """Counts files and seconds of video, and tells the callback."""

    def __init__(self, callback: ProgressCallback | None, *, total_items: int, skipped: Callable[[], int]) -> None:
        self._callback = callback
        self._total_items = total_items
        self._started = time.perf_counter()
        self._done_items = 0
        self._done_s = 0.0
        self._in_hand: dict[str, float] = {}  # path -> seconds of it that are encoded
        self._known_s = 0.0
        self._known_items = 0
        self._skipped = skipped

    def step(self, path: str, upto_s: float) -> None:
        """The file is encoded up to this second."""
        self._in_hand[path] = upto_s
        self._tell(path, "index")

    def finished(self, path: str, duration_s: float) -> None:
        """The file is done."""
        self._in_hand.pop(path, None)
        self._done_items += 1
        self._done_s += duration_s
        self._known_items += 1
        self._known_s += duration_s
        self._tell(path, "index")

    def end(self) -> None:
        """The run is done."""
        self._tell("", "done")

    def _tell(self, item: str, stage: str) -> None:
        if self._callback is None:
            return
        done_s = self._done_s + sum(self._in_hand.values())
        done_items = self._done_items + self._skipped()
        left = max(self._total_items - done_items, 0)
        typical_s = self._known_s / self._known_items if self._known_items else done_s
        total_s = max(done_s, self._known_s + left * typical_s)
        rate = done_s / max(time.perf_counter() - self._started, 1e-6)
        self._callback(Progress(item, stage, done_items, self._total_items, done_s, total_s, rate))


EVERY_S = 10.0


def trim_heap() -> bool:
    """Return what is free inside the C heap to the system; False where the C library cannot.

    Only glibc is asked (malloc_trim(3)): it keeps freed memory for later, and the tensors and pictures of a run leave
    some 100 MB of it in pieces between what lives on. Takes tens of milliseconds.
    """
    if not sys.platform.startswith("linux"):
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is None:
        return False
    trim(ctypes.c_size_t(0))
    return True


class HeapTrimmer:
    """Calls `trim_heap` every EVERY_S seconds: left alone, the free pieces of a run of hours come to 400 MB."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self) -> None:
        """Trim the heap if it is time."""
        if time.monotonic() - self._last >= EVERY_S:
            trim_heap()
            self._last = time.monotonic()
