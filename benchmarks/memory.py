"""Peak memory of indexing a long video against a short one; it should not grow with the length.

    python benchmarks/memory.py --long 7200 --short 60 --profile starter --out memory.json

Each length runs in a process of its own. The film is generated: 320x240, H.264, with sound.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _machine import facts, peak_memory_mb
from _videos import long_video


def one(video: Path, profile: str, overrides: list[str]) -> dict[str, Any]:
    import vidembed

    with (
        tempfile.TemporaryDirectory() as folder,
        vidembed.open_index(Path(folder) / "index", profile=profile, overrides=overrides) as index,
    ):
        started = time.perf_counter()
        report = index.add(video)
        wall_s = time.perf_counter() - started
    return {
        "wall_s": round(wall_s, 1),
        "video_s": report.seconds_of_video,
        "clips": report.clips,
        "failed": len(report.failed),
        "counts": dict(report.counts),
        "peak_mb": peak_memory_mb(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", type=int, default=7200, help="seconds")
    parser.add_argument("--short", type=int, default=60, help="seconds")
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "vidembed-memory")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one(arguments.one, arguments.profile, arguments.overrides)))
        return
    rows: dict[str, Any] = {}
    for name, seconds in (("short", arguments.short), ("long", arguments.long)):
        video = long_video(arguments.work, width=320, height=240, seconds=seconds, sound=True)
        command = [sys.executable, __file__, "--one", str(video), "--profile", arguments.profile]
        command += [part for setting in arguments.overrides for part in ("--set", setting)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        rows[name] = json.loads(done.stdout.strip().splitlines()[-1])
    growth = round(rows["long"]["peak_mb"] - rows["short"]["peak_mb"], 1)
    report = {
        "benchmark": "memory",
        "machine": facts(["av"]),
        "profile": arguments.profile,
        **rows,
        "growth_mb": growth,
    }
    text = json.dumps(report, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
