"""Indexing on workers that share no memory with the driver: the same index as in one process."""

from __future__ import annotations

import importlib.util
import pickle
import platform
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_videos

from vidembed import VideoIndex, open_index
from vidembed.errors import IndexMismatch
from vidembed.index.executors import SerialExecutor
from vidembed.types import Candidate, Caption, RunReport

ON_RAY = {"store.kind": "memory", "run.executor": "ray", "run.workers": 2}


class Pickling:
    """Stands in for a cluster: work, items and results cross over as bytes."""

    def __init__(self, workers: int, **needs: float) -> None:
        self.workers, self.needs = workers, needs

    def map(self, work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        sent = pickle.dumps(work)

        def there(item: bytes) -> bytes:
            return pickle.dumps(pickle.loads(sent)(pickle.loads(item)))

        for item, result in SerialExecutor().map(there, (pickle.dumps(item) for item in items)):
            yield pickle.loads(item), pickle.loads(result) if isinstance(result, bytes) else result


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidembed.index.executors.RayExecutor", Pickling)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    toy_videos.make(folder / "red_blue.mp4", "red", "red", "blue", "blue", hz=200)
    toy_videos.make(folder / "green.mp4", "lime", "lime", hz=None)
    (folder / "junk.mp4").write_text("no video at all")
    return folder


def made(folder: Path, videos: Path, overrides: dict[str, Any]) -> tuple[RunReport, dict[Any, Any], list[str]]:
    with open_index(folder, profile="toy", overrides=overrides) as index:
        report = index.add(videos)
        pictures = sorted(path.name for path in (folder / "thumbnails").rglob("*.jpg"))
        return report, vectors(index), pictures


def vectors(index: VideoIndex) -> dict[Any, Any]:
    found = {}
    for name, spec in index.parts.specs.items():
        for rows in index.parts.store.scan(spec.collection, segments=True):
            for row in rows:
                segments = None if row.segments is None else row.segments.tobytes()
                found[name, row.clip] = (np.asarray(row.vector).tobytes(), segments)
    return found


def compare(tmp_path: Path, videos: Path) -> None:
    here = made(tmp_path / "here", videos, {"store.kind": "memory"})
    there = made(tmp_path / "there", videos, ON_RAY)
    assert sorted(there[0].done) == sorted(here[0].done)
    assert there[0].counts == here[0].counts
    assert [(f.item, f.stage, f.kind, f.message) for f in there[0].failed] == [
        (f.item, f.stage, f.kind, f.message) for f in here[0].failed
    ]
    assert there[1:] == here[1:]
    assert there[1]
    assert there[2]


@pytest.mark.usefixtures("cluster")
def test_the_index_is_the_same(tmp_path: Path, videos: Path) -> None:
    compare(tmp_path, videos)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra ray is not installed")
def test_the_index_is_the_same_on_two_real_workers(tmp_path: Path, videos: Path) -> None:
    import ray

    try:
        compare(tmp_path, videos)
    finally:
        ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_captions_cross_over(tmp_path: Path, videos: Path) -> None:
    with open_index(tmp_path / "index", profile="toy", overrides=ON_RAY) as index:
        index.add(videos)
        clip = index.clips()[0]
        index.save_captions([Caption(clip, "red", 1.0, (Candidate("red", {}),), "person", human=True)])
        before = index.parts.store.count(index.parts.specs["caption"].collection)
        index.reencode("caption", overrides={"channels.caption.keep_segments": False})
        assert index.parts.store.count(index.parts.specs["caption"].collection) == before == 1


@pytest.mark.usefixtures("cluster")
def test_other_weights_on_a_worker_stop_the_run(tmp_path: Path, videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vidembed.index import worker

    real = worker.channel_spec
    pooled = {"pool": "max"}
    monkeypatch.setattr(
        worker, "channel_spec", lambda name, given, *facts: real(name, given.model_copy(update=pooled), *facts)
    )
    with open_index(tmp_path / "index", profile="toy", overrides=ON_RAY) as index:
        with pytest.raises(IndexMismatch, match=rf"on the worker {platform.node()} is not the one of the driver"):
            index.add(videos)
        assert index.videos() == []


@pytest.mark.usefixtures("cluster")
def test_a_worker_without_the_file_says_which_it_is(
    tmp_path: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidembed.index import worker

    monkeypatch.setattr(worker, "exists", lambda path: not str(path).endswith("green.mp4"))
    with open_index(tmp_path / "index", profile="toy", overrides=ON_RAY) as index:
        report = index.add([videos / "red_blue.mp4", videos / "green.mp4"])
    assert [Path(done).name for done in report.done] == ["red_blue.mp4"]
    (failure,) = report.failed
    assert (failure.kind, failure.stage) == ("MediaNotFound", "probe")
    assert failure.message == f"{failure.item}: not on the worker {platform.node()}"
    assert "under the same path" in failure.hint
