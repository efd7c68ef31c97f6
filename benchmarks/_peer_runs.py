"""One run of a peer or of vidembed, in the Python of its own environment: `peers.py` starts it and takes the time.

    python _peer_runs.py WHO index|search|warm|make SCRATCH [VIDEO ...]

Command lines are used where a peer has one that takes the model as it lies on disk. VidXP's own checks its weights by a
hash, which random ones cannot have, so its pipeline, store and search are called as its command calls them. `warm`
prints one JSON list: the milliseconds of each query after the first.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

WORDS = ("a dog runs", "red sunset", "people at a table", "bars of colour", "a moving pattern", "the sea", "a street")
QUERIES = [f"{first} and {second}" for first in WORDS for second in WORDS if first != second][:20]
Search = Callable[[str], Any]


def amonhen(act: str, scratch: Path, videos: list[str]) -> Search:
    try:  # the peer's store loads an SQLite extension, which some Pythons are built without
        import pysqlite3

        sys.modules["sqlite3"] = pysqlite3
    except ImportError:
        pass
    from amonhen import cli, pipeline

    database = str(scratch / "index.db")
    if act == "index":
        _command(cli.app, ["index", *videos, "--db", database, "--no-audio"])
    if act == "search":
        _command(cli.app, ["search", WORDS[0], "--db", database])
    store, text = cli._open_store(Path(database), "mobileclip2-s0"), cli._build_text_encoder("mobileclip2-s0")
    return lambda query: pipeline.search(query, store, text)


def framesieve(act: str, scratch: Path, videos: list[str]) -> Search:
    from framesieve import cli

    if act == "index":
        for video in videos:
            link = scratch / Path(video).name  # its index lies beside the film, whatever --out says
            link.symlink_to(video)
            cli.main(["index", str(link)])
        raise SystemExit(0)
    import framesieve as peer

    indexes = [peer.load(str(path)) for path in sorted(scratch.glob("*.lance"))]

    def search(query: str) -> Any:  # one index a video: all of them are asked
        return [index.search(query, k=10) for index in indexes]

    if act == "search":
        print(search(WORDS[0]))
        raise SystemExit(0)
    return search


def vidxp(act: str, scratch: Path, videos: list[str]) -> Search:
    from vidxp.capabilities.registry import create_capability_registry
    from vidxp.capabilities.scene.operations import search_scene
    from vidxp.capabilities.visual import index_visuals
    from vidxp.core.contracts import CancellationToken, IndexConfig, VideoSource
    from vidxp.core.storage import IndexStorage

    class Runtime:
        """The models as its protocol asks for them, from the folder that holds the random weights."""

        model_cache = Path(os.environ["HF_HUB_CACHE"])
        cpu_thread_budget = os.cpu_count() or 1

        def __init__(self) -> None:
            self._loaded: dict[Any, Any] = {}

        def device_for(self, capability: str) -> str:
            return "cpu"

        def get_or_load(self, key: Any, load: Callable[[], Any]) -> Any:
            if key not in self._loaded:
                self._loaded[key] = load()
            return self._loaded[key]

        def resolve_model(self, spec: Any, **_: Any) -> str:
            name = "models--" + spec.model_id.replace("/", "--")
            return str(self.model_cache / name / "snapshots" / spec.revision)

        def record_compute_precision(self, *_: Any) -> None: ...

    runtime = Runtime()
    settings: dict[str, Any] = {"enabled_modalities": ("scene",), "storage_directory": scratch / "store"}
    settings["output_root"] = scratch
    settings["collection_names"] = {"scene": "scene"}
    config = IndexConfig(**settings)
    storage = IndexStorage(config, create=act == "index")
    if act == "index":
        for video in videos:
            of_video = IndexConfig(**settings, video_id=uuid4().hex, generation_id=uuid4().hex)
            index_visuals(
                VideoSource(video_id=of_video.video_id, path=video), config=of_video, storage=storage,
                cancellation=CancellationToken(), registry=create_capability_registry(), runtime=runtime,
            )  # fmt: skip
        raise SystemExit(0)

    def search(query: str) -> Any:
        return search_scene(query, config=config, runtime=runtime, storage=storage)

    if act == "search":
        print(search(WORDS[0]))
        raise SystemExit(0)
    return search


def vidembed(act: str, scratch: Path, videos: list[str]) -> Search:
    from vidembed.cli import run

    index, model = str(scratch / "index"), os.environ["PEER_TOWER"]
    if act == "index":
        off = [f"channels.{name}.enabled=false" for name in ("sound", "caption")]
        settings = [f"channels.vision.model={model}", *off, "search.calibration.enabled=false", "sample.rate_hz=1.0"]
        mode = "sample.mode=fixed"  # as the peers sample
        options = [part for one in (*settings, mode) for part in ("--set", one)]
        sys.argv = ["vidembed", "index", *videos, "--index", index, "--profile", "starter", *options]
        raise SystemExit(run())
    if act == "search":
        sys.argv = ["vidembed", "search", WORDS[0], "--index", index]
        raise SystemExit(run())
    from vidembed import open_index

    opened = open_index(index, readonly=True)
    return lambda query: opened.search(query)


def _command(app: Any, arguments: list[str]) -> None:
    """A typer application as its script starts it; it leaves the process."""
    sys.argv = ["command", *arguments]
    app()


RUNS = {"amon-hen": amonhen, "framesieve": framesieve, "vidxp": vidxp, "vidembed": vidembed}


def main() -> None:
    who, act, scratch, *videos = sys.argv[1:]
    search = RUNS[who](act, Path(scratch), videos)
    search(WORDS[0])
    spent = []
    for query in QUERIES:
        began = time.perf_counter()
        search(query)
        spent.append(1000 * (time.perf_counter() - began))
    print(json.dumps(spent))


if __name__ == "__main__":
    main()
