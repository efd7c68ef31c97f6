"""What every `Executor` must do, run over all of them."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from vidembed.errors import ConfigError, MissingDependency, StoreUnavailable
from vidembed.index.executors import SerialExecutor, ThreadExecutor
from vidembed.protocols import Executor
from vidembed.types import Failure

NO_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra ray is not installed")


@pytest.fixture(scope="module")
def ray() -> Iterator[Callable[[int], Executor]]:
    """Two workers on this machine, started once."""
    import ray

    from vidembed.index.executors import RayExecutor

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="warning")
    yield RayExecutor
    ray.shutdown()


@pytest.fixture(
    params=[
        "serial",
        "one thread",
        "threads",
        pytest.param("ray", marks=[pytest.mark.slow, pytest.mark.timeout(600), NO_RAY]),
    ]
)
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "ray":
        made: Callable[[int], Executor] = request.getfixturevalue("ray")
        return made(2)
    return {"serial": SerialExecutor(), "one thread": ThreadExecutor(1), "threads": ThreadExecutor(4)}[request.param]


def test_every_item_comes_back_with_its_result_or_its_failure(executor: Executor) -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number * number

    answers = dict(executor.map(work, range(6)))
    assert {n: a for n, a in answers.items() if n != 3} == {0: 0, 1: 1, 2: 4, 4: 16, 5: 25}
    assert isinstance(answers[3], Failure)
    assert (answers[3].item, answers[3].kind, answers[3].message) == ("3", "ValueError", "three")
    assert list(executor.map(work, [])) == []


def test_fatal_errors_are_raised_as_they_are(executor: Executor) -> None:
    def fatal(number: int) -> int:
        raise StoreUnavailable("gone", hint="look for it")

    with pytest.raises(StoreUnavailable, match="gone") as caught:
        list(executor.map(fatal, range(6)))
    assert caught.value.hint == "look for it"


def test_items_are_taken_only_as_room_is_free(executor: Executor) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    answers = executor.map(lambda number: number, items())
    for _ in range(3):
        next(answers)
    assert len(taken) <= 3 + 4
    answers.close()  # type: ignore[attr-defined]
    assert len(taken) <= 3 + 4


def test_threads_work_side_by_side() -> None:
    """Each waits for the other: one after the other would never end."""
    both = threading.Barrier(2, timeout=60)
    answers = dict(ThreadExecutor(2).map(lambda number: both.wait() >= 0, range(2)))
    assert answers == {0: True, 1: True}


@pytest.mark.slow
@pytest.mark.timeout(600)
@NO_RAY
def test_a_worker_that_dies_costs_its_item_alone(ray: Callable[[int], Executor]) -> None:
    def work(number: int) -> int:
        if number == 1:
            os._exit(7)
        return os.getpid()

    answers = dict(ray(2).map(work, range(4)))
    died = answers.pop(1)
    assert isinstance(died, Failure)
    assert died.kind == "WorkerCrashedError"
    assert os.getpid() not in answers.values(), "the work is done in other processes"


def test_what_is_missing_or_wrong_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from vidembed.index.executors import RayExecutor

    for wrong in (lambda: ThreadExecutor(0), lambda: RayExecutor(0)):
        with pytest.raises(ConfigError, match="workers must be at least 1, got 0"):
            wrong()
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependency, match="run.executor ray needs the package 'ray'") as caught:
        RayExecutor(2)
    assert caught.value.hint == "pip install 'vidembed[ray]'"
