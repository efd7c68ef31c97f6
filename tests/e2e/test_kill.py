"""kill -9 at many points of indexing; a run after that ends in the same index as an undisturbed one."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_videos

from vidembed import VideoIndex, open_index

COLOURS = ("red", "lime", "blue", "yellow", "cyan", "magenta", "white", "gray")

MANY, SOME = 200, 30  # kills at moments that differ from run to run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for number in range(12):
        first, second = COLOURS[number % 8], COLOURS[(number * 3 + 1) % 8]
        hz = None if number % 4 == 3 else 200 + 700 * number
        toy_videos.make(folder / f"{number:02d}.mp4", first, second, second, hz=hz, second_each=1.0 + 0.1 * number)
    (folder / "broken.mp4").write_text("no video")
    return folder


@pytest.mark.parametrize(("seed", "workers", "kills"), [(1, 1, 8), (2, 2, 8)])
def test_killed_runs_end_in_the_same_index(videos: Path, tmp_path: Path, seed: int, workers: int, kills: int) -> None:
    check(videos, tmp_path, seed, workers, kills)


@pytest.mark.slow
@pytest.mark.timeout(5000)
def test_runs_killed_by_chance_end_in_the_same_index(videos: Path, tmp_path: Path, full: bool) -> None:
    check(videos, tmp_path, secrets.randbits(32), 1, MANY if full else SOME)


def check(videos: Path, tmp_path: Path, seed: int, workers: int, kills: int) -> None:
    driver = Path(__file__).with_name("kill_driver.py")
    command = [sys.executable, str(driver), str(videos), str(tmp_path / "index"), str(seed), str(kills), str(workers)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=25 * kills, check=False)
    assert run.returncode == 0, (seed, run.stderr)
    result = json.loads(run.stdout.splitlines()[-1])
    assert result["kills"] == kills
    assert result["steps"] > 50
    with open_index(result["plain"]) as plain, open_index(result["killed"]) as killed:
        assert contents(killed) == contents(plain)
        assert plain.info().videos == 12
        for query in ("red", "yellow", "high", "blue low"):
            assert answers(killed, query) == answers(plain, query)


def contents(index: VideoIndex) -> dict[str, Any]:
    """Everything but the times at which things were done."""
    catalog = index.catalog
    assert catalog.states.pending() == []
    vectors = {}
    for name, spec in index.parts.specs.items():
        for rows in index.parts.store.scan(spec.collection, segments=True):
            for row in rows:
                segments = None if row.segments is None else (row.segments.tobytes(), row.segment_times_s.tobytes())
                vectors[name, row.clip.clip_id] = (row.clip, np.asarray(row.vector).tobytes(), segments)
    return {
        "videos": catalog.videos.all(),
        "paths": catalog.videos.paths(),
        "clips": catalog.videos.clips(),
        "channels": catalog.states.all(),
        "failures": catalog.failures(),
        "collections": index.parts.store.collections(),
        "aliases": index.parts.store.aliases(),
        "thumbnails": sorted(path.name for path in (index.path / "thumbnails").rglob("*.jpg")),
        "vectors": vectors,
    }


def answers(index: VideoIndex, query: str) -> list[tuple[Any, ...]]:
    return [(moment.path, moment.span, round(moment.score, 9)) for moment in index.search(query, k=5)]
