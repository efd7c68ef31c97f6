"""OpenVINO, the engine on CPUs: networks are built with its operations or translated, compiled, run in small pieces."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from vidembed.errors import ConfigError
from vidembed.types import Floats

PRECISIONS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


def available() -> bool:
    """Whether the package is installed, without importing it."""
    return find_spec("openvino") is not None


def package() -> Any:
    """The package openvino, without its reports: imported as it is, it tells Intel so over the network, unasked.

    Where its telemetry package cannot be imported it uses a stub of its own; None in sys.modules makes it so.
    """
    if "openvino" not in sys.modules and "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        try:
            importlib.import_module("openvino")
        finally:
            del sys.modules["openvino_telemetry"]
    return importlib.import_module("openvino")


def built(network: Callable[[Any], Sequence[Any]], shape: Sequence[int]) -> Any:
    """A model of any batch size, from the function that makes its outputs' nodes from its input's (B, *shape)."""
    ov = package()
    given = ov.opset13.parameter([-1, *shape], np.float32)
    return ov.Model(list(network(given)), [given])


class Compiled:
    """A model compiled for this machine's CPU. (B, ...) float32 in, its outputs (B, ...) float32 out. Thread-safe.

    model: a model or the path of one. Each core takes a piece of the batch for itself, so that none waits for one that
    decoding has taken.
    """

    def __init__(
        self, model: Any, *, dtype: str = "float32", piece: int = 1, more: Mapping[str, Any] | None = None
    ) -> None:
        """dtype: of the computation. more: properties of OpenVINO. Raises ConfigError for an unknown dtype.

        piece: items computed at once on each core, at most. For the starter's towers one takes 85 MB less than four and
        no more time.
        """
        if dtype not in PRECISIONS:
            raise ConfigError(f"unknown dtype {dtype!r}; allowed: {', '.join(PRECISIONS)}")
        properties = {"INFERENCE_PRECISION_HINT": PRECISIONS[dtype], "PERFORMANCE_HINT": "THROUGHPUT", **(more or {})}
        if threads := os.environ.get("OMP_NUM_THREADS", ""):  # as clusters set it
            properties["INFERENCE_NUM_THREADS"] = int(threads)
        compiled = package().Core().compile_model(model, "CPU", properties)
        self._queue = package().AsyncInferQueue(compiled)
        self._outputs, self._piece = len(compiled.outputs), piece
        self._lock = threading.Lock()  # the queue's requests and their memory are there once

    def __call__(self, x: Floats) -> list[Floats]:
        queue = self._queue
        # As many for each core, and of one size: 12 items on two cores are 4 times 3, not 3 times 4.
        rounds = -(-len(x) // (self._piece * len(queue)))
        pieces = np.array_split(np.ascontiguousarray(x), max(1, min(rounds * len(queue), len(x))))
        answers: list[list[Floats]] = [[] for _ in pieces]

        def keep(request: Any, place: int) -> None:
            found = (request.get_output_tensor(i).data for i in range(self._outputs))
            answers[place] = [np.array(one, dtype=np.float32) for one in found]

        with self._lock:
            queue.set_callback(keep)
            for place, piece in enumerate(pieces):
                queue.start_async([piece], place)
            queue.wait_all()
        return [np.concatenate(same) for same in zip(*answers, strict=True)]
