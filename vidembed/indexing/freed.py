"""Memory that a run has freed goes back to the system."""

from __future__ import annotations

import ctypes
import sys
import time

EVERY_S = 10.0


def give_back() -> bool:
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


class NowAndThen:
    """`give_back` every EVERY_S seconds: left alone, the free pieces of a run of hours come to 400 MB."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._last >= EVERY_S:
            give_back()
            self._last = time.monotonic()
