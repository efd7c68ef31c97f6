"""For all tests: no network, nothing left changed, no ERROR logs, and promised hardware is not skipped."""

from __future__ import annotations

import logging
import os
import random
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as for commands (`vidembed.cli.main`); before numpy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")  # on busy cores, threads that wait for each other take four times as long

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import toy_videos
from awkward_media import CLOCKS, SHAPES
from media_factory import Media
from odd_streams import ODD_STREAMS

pytest.register_assert_rewrite("seen_media", "store_rows")  # they compare for the tests, and show both sides

_LOOPBACK = {"127.0.0.1", "::1", "localhost", "0.0.0.0", ""}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="long tests at full length: `make test-slow`")


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether long tests run at their full length; without it they do less of the same."""
    return bool(request.config.getoption("--full"))


def pytest_configure(config: pytest.Config) -> None:
    # Libraries that ask a model hub do so at import or at first use; both must fail fast instead of waiting.
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("RAY_AUTH_MODE", "token")  # Ray listens on all addresses; and keeps no token of ours
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    if "VIDEMBED_CACHE" not in os.environ:  # set once for all processes of the run
        converted = tempfile.TemporaryDirectory(prefix="vidembed-tests-")
        os.environ["VIDEMBED_CACHE"] = converted.name
        config.add_cleanup(converted.cleanup)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # started in the background, where Ctrl-C is not heard
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _shut_network()


def _shut_network() -> None:
    """Connections beyond this machine raise at once, in this process."""
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def refuse_unless_local(host: Any) -> None:
        if isinstance(host, bytes):
            host = host.decode("ascii", "replace")
        if host is not None and str(host) not in _LOOPBACK:
            raise OSError(f"tests use no network, but something wants to reach {host}")

    def checked(inner: Any) -> Any:
        def call(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                refuse_unless_local(address[0])
            return inner(self, address)

        return call

    def checked_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        refuse_unless_local(host)
        return resolve(host, *args, **kwargs)

    socket.socket.connect = checked(connect)  # type: ignore[method-assign]
    socket.socket.connect_ex = checked(connect_ex)  # type: ignore[method-assign]
    socket.getaddrinfo = checked_resolve


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs hardware or weights, unless VIDEMBED_REQUIRE ("gpu,weights") promises that they are there."""
    required = {name.strip() for name in os.environ.get("VIDEMBED_REQUIRE", "").split(",")}
    for item in items:
        for need, is_there in (("gpu", _has_gpu), ("weights", lambda: False), ("server", _has_server)):
            if item.get_closest_marker(f"needs_{need}") and need not in required and not is_there():
                item.add_marker(pytest.mark.skip(reason=f"needs {need}; VIDEMBED_REQUIRE={need} makes this a failure"))


def _has_gpu() -> bool:
    # Importing torch to ask would cost every run two seconds.
    return Path("/dev/nvidiactl").exists() or Path("/dev/nvidia0").exists()


def _has_server() -> bool:
    return "VIDEMBED_TEST_QDRANT_URL" in os.environ


@pytest.fixture(autouse=True)
def _leave_no_trace() -> Iterator[None]:
    """Environment, working folder and random generators are as before each test."""
    environment, folder = dict(os.environ), os.getcwd()
    python_state, numpy_state = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    torch_state = torch.get_rng_state() if torch is not None else None
    yield
    if dict(os.environ) != environment:
        os.environ.clear()
        os.environ.update(environment)
    if os.getcwd() != folder:
        os.chdir(folder)
    random.setstate(python_state)
    np.random.set_state(numpy_state)
    if torch is not None and torch_state is not None:
        torch.set_rng_state(torch_state)


class _ErrorKeeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("libav."):  # FFmpeg's own words, which torchvision before 0.22 turns on
            self.records.append(record)


@pytest.fixture(autouse=True)
def _no_error_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    """An ERROR in the log fails the test; `@pytest.mark.error_logs` says that one is meant."""
    keeper = _ErrorKeeper()
    logging.getLogger().addHandler(keeper)
    yield
    logging.getLogger().removeHandler(keeper)
    if keeper.records and not request.node.get_closest_marker("error_logs"):
        pytest.fail("ERROR logged: " + "; ".join(record.getMessage() for record in keeper.records))


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    """Small generated files with known truth: `media.path("three_shots.mp4")`, `media.samples[...]`."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # the workers share what they make
    folder = folder / "media"
    folder.mkdir(exist_ok=True)
    return Media(folder, CLOCKS + SHAPES + ODD_STREAMS)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tiny videos in a folder: red and blue with a low tone; green, silent."""
    folder = tmp_path_factory.mktemp("films")
    toy_videos.make(folder / "red_blue.mp4", "red", "red", "blue", "blue", hz=200)
    toy_videos.make(folder / "green.mp4", "lime", "lime", hz=None)
    return folder
