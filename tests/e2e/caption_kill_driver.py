"""Captions a folder in forked children that kill themselves (SIGKILL) at seeded steps; run by test_caption_run.py.

The first child dies while indexing, the next ones while captioning: right before or after a write to the catalog or the
store, or with half of a record written. The last one is left alone.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import kill_driver
from kill_driver import STEPS, in_child

from vidembed.captions import export
from vidembed.cli import main as vidembed
from vidembed.index.video_index import VideoIndex

SETTINGS = ("segment.kind=windows", "segment.window_s=0.5", "segment.min_s=0.1", "sample.rate_hz=4")
HALF_RECORD = 15  # records till the one that is cut


def command(videos: Path) -> list[str]:
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    return ["caption", str(videos), "-p", "toy", "-i", "index", "--out", "c.jsonl", *settings]


def run(videos: Path, fatal: int, *, captioning: bool) -> None:
    """Die at step `fatal`, counted from the first caption on where captioning."""
    STEPS.count, STEPS.fatal = 0, -1 if captioning else fatal
    if captioning:
        inner = VideoIndex.caption

        def caption(*args: Any, **kwargs: Any) -> Any:
            STEPS.count, STEPS.fatal = 0, fatal
            return inner(*args, **kwargs)

        VideoIndex.caption = caption  # type: ignore[method-assign]
    if vidembed(command(videos)) != 0:
        raise SystemExit("the command failed")


def run_to_half_record(videos: Path) -> None:
    left = HALF_RECORD

    def append(handle: TextIO, lines: Iterable[Mapping[str, Any]]) -> None:
        nonlocal left
        for line in lines:
            text = export.dump(line) + "\n"
            left -= 1
            handle.write(text if left else text[: len(text) // 2])
            handle.flush()
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    export.append_records = append
    run(videos, -1, captioning=False)


def main() -> None:
    videos, seed = Path(sys.argv[1]), int(sys.argv[2])
    chance = random.Random(seed)
    kill_driver.instrument()
    kills = [
        partial(run, videos, chance.randint(20, 300), captioning=False),
        partial(run, videos, chance.randint(1, 150), captioning=True),
        partial(run_to_half_record, videos),
        partial(run, videos, chance.randint(1, 150), captioning=True),
        partial(run, videos, chance.randint(1, 150), captioning=True),
    ]
    lines = []
    for number, kill in enumerate(kills):
        status = in_child(kill)
        assert status == -signal.SIGKILL, f"run {number} ended with {status}"
        out = Path("c.jsonl")
        lines.append(out.read_text().count("\n") if out.exists() else 0)
    assert in_child(partial(run, videos, -1, captioning=False)) == 0
    print(json.dumps({"records_after_each_kill": lines}))


if __name__ == "__main__":
    main()
