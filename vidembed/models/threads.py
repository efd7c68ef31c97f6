"""Numpy's matrix library on one thread.

Its threads spin while they wait: on a busy machine two of them do the work of one for five times the processor
time, and a query waits for both. The command line forbids them in the environment; a library may not, and limits
them while it computes.
"""

from __future__ import annotations

import os
import threading
from functools import cached_property
from types import TracebackType
from typing import Any


class OneThread:
    """A context for any number of threads at once: the first to enter sets the limit, the last to leave lifts it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
            return
        with self._lock:
            if not self._inside:
                self._limit = self._libraries.limit(limits=1)
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if not self._inside:
                return
            self._inside -= 1
            if not self._inside:
                self._limit.restore_original_limits()

    @cached_property
    def _libraries(self) -> Any:
        """Those that are loaded now; looking for them takes 10 ms."""
        from threadpoolctl import ThreadpoolController

        return ThreadpoolController().select(user_api="blas")


one_thread = OneThread()
