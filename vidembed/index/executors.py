"""Where the work on many items runs: on the calling thread, on several threads, or on the workers of a Ray cluster.

Threads help because decoders release the interpreter's lock. Ray is imported when its executor is made.
"""

from __future__ import annotations

import importlib
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, Literal, TypeVar

from vidembed.batching import failure_of
from vidembed.errors import FATAL, ConfigError, VidembedError, needs
from vidembed.types import Failure

T = TypeVar("T")
R = TypeVar("R")


class SerialExecutor:
    """One item after the other, on the calling thread, each when its result is asked for."""

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | Failure]]:
        """See `protocols.Executor`. Raises `errors.FATAL`: errors that belong to no single item."""
        for item in items:
            yield item, attempt(work, item)


def attempt(work: Callable[[T], R], item: T) -> R | Failure:
    """The result of the work, or the record of why there is none."""
    try:
        return work(item)
    except FATAL:
        raise
    except Exception as error:
        return failure_of(error, item=str(item), stage="work")


class ThreadExecutor:
    """Threads: at most `workers` items at once; the next is taken when one is done, so endless iterables are fine."""

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ConfigError(f"workers must be at least 1, got {workers}")
        self._workers = workers

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | Failure]]:
        """See `protocols.Executor`. Raises `errors.FATAL`: errors that belong to no single item."""
        source = iter(items)
        with ThreadPoolExecutor(self._workers, thread_name_prefix="vidembed-work") as pool:
            running: dict[Future[R | Failure], T] = {}
            try:
                while True:
                    for item in islice(source, self._workers - len(running)):
                        running[pool.submit(attempt, work, item)] = item
                    if not running:
                        return
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        yield running.pop(future), future.result()
            finally:
                for future in running:
                    future.cancel()


Answer = tuple[Literal["done"], R | Failure] | tuple[Literal["fatal"], VidembedError]


class RayExecutor:
    """A Ray cluster: at most `workers` items at once; the next is handed out when one is done.

    The cluster is the one RAY_ADDRESS names or that the caller has connected to with `ray.init`, else processes on
    this machine, which nobody else can use: Ray listens on all its addresses, so they are given a token of their own.
    The workers need vidembed installed; the work and its items must be picklable. The item of a worker that dies is
    tried once more on another; then it is a Failure, and the rest goes on.
    """

    def __init__(self, workers: int, *, cpus: float = 1.0, gpus: float = 0.0) -> None:
        """cpus, gpus: what each worker takes of its machine (Ray hides GPUs from those that ask for none).

        Raises:
            MissingDependency: The package ray is not installed.
            ConfigError: workers is below 1; from `map`: no cluster answers.
        """
        if workers < 1:
            raise ConfigError(f"workers must be at least 1, got {workers}")
        self._workers = workers
        self._needs = {"num_cpus": cpus, "num_gpus": gpus}
        self._ray = _package()

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | Failure]]:
        """See `protocols.Executor`. Raises `errors.FATAL`: errors that belong to no single item."""
        ray = self._ray
        _connect(ray)
        task = ray.remote(max_retries=1, **self._needs)(_answer)
        shared = ray.put(work)  # sent to each machine once, not with every item
        source = iter(items)
        running: dict[Any, T] = {}
        try:
            while True:
                for item in islice(source, self._workers - len(running)):
                    running[task.remote(shared, item)] = item
                if not running:
                    return
                finished, _ = ray.wait(list(running))
                for reference in finished:
                    item = running.pop(reference)
                    yield item, self._result(reference, item)
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    def _result(self, reference: Any, item: Any) -> Any:
        try:
            kind, value = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return failure_of(error, item=str(item), stage="work")
        if kind == "fatal":
            raise value
        return value


def _answer(work: Callable[[T], R], item: T) -> Answer[R]:
    """Runs on the worker. Ray would wrap an exception in types of its own, so that ours travel as values."""
    try:
        return "done", attempt(work, item)
    except FATAL as error:
        return "fatal", error


def _package() -> Any:
    # Told here, before the import that reads it: no reports of use over the network, unasked.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not {"RAY_ADDRESS", "RAY_AUTH_MODE"} & os.environ.keys() and "ray" not in sys.modules:
        # Ray would make a token, too, but keep it in the home folder, where it turns on tokens for later clusters.
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    with needs("ray", extra="ray", purpose="run.executor ray"):
        return importlib.import_module("ray")


def _connect(ray: Any) -> None:
    if ray.is_initialized():
        return
    _silence()
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="warning")
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise _not_connected(error, os.environ.get("RAY_ADDRESS", "this machine")) from error


def _silence() -> None:
    """Ray prints what happens to workers on standard output, log_to_driver or not: amid our answers, such as JSON."""
    worker: Any = importlib.import_module("ray._private.worker")
    if hasattr(worker, "_worker_logs_enabled"):  # there is no other switch
        worker._worker_logs_enabled = False


def _not_connected(error: BaseException, address: str) -> ConfigError:
    reasons = [error]
    while (cause := reasons[-1].__cause__) is not None:
        reasons.append(cause)
    # Older versions of Ray know no tokens, and have no type for this.
    if any("authenticat" in f"{type(reason).__name__} {reason}".lower() for reason in reasons):
        return ConfigError(
            f"run.executor ray: the cluster at {address!r} refused this machine's token",
            hint="on the head run `ray get-auth-token`, then here export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=... "
            "or copy its ~/.ray/auth_token",
        )
    first = str(error).strip().partition("\n")[0]
    return ConfigError(
        f"run.executor ray: no cluster at {address!r}: {first}",
        hint="start one (ray start --head), or unset RAY_ADDRESS to use this machine",
    )
