"""A real Ray cluster: a head and two workers as processes with their own addresses, some of which are killed."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_videos
from ray_nodes import RAY, RayNodes, environment, takes_jobs
from toy_index import all_vectors

from vidembed import open_index

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra ray is not installed"),
    pytest.mark.skipif(sys.platform != "linux", reason="other systems have one loopback address"),
]
VIDEOS = 10


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(VIDEOS):
        toy_videos.make(folder / f"{number}.mp4", "red", "blue", "lime", hz=100 + 50 * number)
    return folder


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    with tempfile.TemporaryDirectory(prefix="r") as folder:  # Ray's sockets lie in it: their path must be short
        cluster = RayNodes(Path(folder))
        try:
            cluster.head()
            for ip in ("127.0.0.3", "127.0.0.4"):
                cluster.worker(ip)
            yield cluster
        finally:
            cluster.close()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, videos: Path) -> dict[Any, Any]:
    return vectors_after_adding(tmp_path_factory.mktemp("here") / "index", videos)


def vectors_after_adding(folder: Path, videos: Path) -> dict[Any, Any]:
    with open_index(folder, profile="toy") as index:
        index.add(videos)
        return all_vectors(index)


def vectors(folder: Path) -> dict[Any, Any]:
    with open_index(folder, readonly=True) as index:
        return all_vectors(index)


def driver(nodes: RayNodes, videos: Path, index: Path, **more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "vidembed", "index", str(videos), "--index", str(index), "--profile", "toy"]
    command += ["--set", "run.executor=ray", "--workers", "4", "--json"]
    known = environment(RAY_ADDRESS=nodes.address, **more)
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=known, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def report_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return dict(json.loads(out.strip().splitlines()[-1]))


def wait_until_done(index: Path, videos: int) -> None:
    """Until the catalog holds so many videos."""
    ends = time.monotonic() + 240
    while time.monotonic() < ends:
        try:
            with sqlite3.connect(f"file:{index / 'catalog.sqlite'}?mode=ro", uri=True) as db:
                if db.execute("SELECT count(DISTINCT video_id) FROM channel_states").fetchone()[0] >= videos:
                    return
        except sqlite3.Error:
            pass
        time.sleep(0.05)
    raise AssertionError("the run does not get on")


def test_two_machines_make_the_same_index(
    tmp_path: Path, nodes: RayNodes, videos: Path, expected: dict[Any, Any]
) -> None:
    report = report_of(driver(nodes, videos, tmp_path / "index"))
    assert (len(report["done"]), report["failed"]) == (VIDEOS, [])
    assert vectors(tmp_path / "index") == expected


def test_a_killed_driver_leaves_what_it_had_and_goes_on(
    tmp_path: Path, nodes: RayNodes, videos: Path, expected: dict[Any, Any]
) -> None:
    first = driver(nodes, videos, tmp_path / "index")
    wait_until_done(tmp_path / "index", 2)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    report = report_of(driver(nodes, videos, tmp_path / "index"))
    assert len({*report["done"], *report["unchanged"]}) == VIDEOS
    assert vectors(tmp_path / "index") == expected


def test_a_job_that_is_submitted_indexes(
    tmp_path: Path, nodes: RayNodes, videos: Path, expected: dict[Any, Any]
) -> None:
    """`ray job submit`: the driver runs on the head, which works on nothing itself."""
    if not takes_jobs():
        pytest.skip("ray[default] is not installed")
    command = [*RAY, "job", "submit", f"--address={nodes.jobs}", "--", sys.executable, "-m", "vidembed", "index"]
    command += [str(videos), "--index", str(tmp_path / "index"), "--profile", "toy", "--set", "run.executor=ray"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "succeeded" in done.stdout + done.stderr
    assert vectors(tmp_path / "index") == expected


def test_another_token_is_refused_with_what_to_do(tmp_path: Path, nodes: RayNodes, videos: Path) -> None:
    process = driver(nodes, videos, tmp_path / "index", RAY_AUTH_TOKEN="0" * 64)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 2, err
    assert "refused this machine's token" in " ".join(err.split())
    assert "ray get-auth-token" in err


def test_a_killed_machine_costs_no_file(
    tmp_path: Path, nodes: RayNodes, videos: Path, expected: dict[Any, Any]
) -> None:
    """Last: it takes some time until Ray believes that the machine is gone."""
    process = driver(nodes, videos, tmp_path / "index")
    wait_until_done(tmp_path / "index", 2)
    nodes.kill("127.0.0.4")
    report = report_of(process)
    assert (len(report["done"]), report["failed"]) == (VIDEOS, [])
    assert vectors(tmp_path / "index") == expected
