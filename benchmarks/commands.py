"""What the command line costs as a whole process, this build and another in turn.

    python benchmarks/commands.py FOLDER --against ../build-before --rounds 5
    python benchmarks/commands.py --clips 500 --against ../build-before --only "index toy" "index starter"

The second measures what each file costs: a folder of 500 clips of 5 s, made first.

Runs, one after the other and each in a process of its own: `index` of the folder from nothing (profiles `starter` and
`toy`), `index` again when nothing has changed, and `search` from a cold prompt. Both builds run with this Python and
its packages; compiled bytecode is kept, as in an installation, and one run of each is thrown away so that caches are
as full for one as for the other. Prints one JSON object: the median seconds on the clock and of the processor (with
children), the peak memory in MB, and the ratios of the builds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from _machine import facts
from _videos import short_clips

HERE = Path(__file__).resolve().parents[1]
MEASURES = ("seconds", "processor_s", "peak_mb")


def measured(build: Path, caches: Path, arguments: list[str]) -> dict[str, float]:
    """Run `vidembed ARGUMENTS` of a build; returns seconds, seconds of the processor and peak MB."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(build), "PYTHONPYCACHEPREFIX": str(caches / build.name)}
    began = time.perf_counter()
    child = os.fork()
    if not child:
        os.chdir(build)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.execve(sys.executable, [sys.executable, "-m", "vidembed", *arguments], environment)
    _, status, used = os.wait4(child, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"vidembed {' '.join(arguments)} of {build} ended with {code}")
    return {
        "seconds": time.perf_counter() - began,
        "processor_s": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }


def commands(folder: Path, indexes: Path, turn: int) -> dict[str, list[str]]:
    """Name -> arguments, in the order in which they run; an index of the first turn serves the later commands."""
    fresh, kept = str(indexes / f"fresh-{turn}"), str(indexes / "kept")
    return {
        "index starter": ["index", str(folder), "--index", fresh, "--profile", "starter"],
        "index toy": ["index", str(folder), "--index", fresh + "-toy", "--profile", "toy"],
        "index again": ["index", str(folder), "--index", kept, "--profile", "starter"],
        "search": ["search", "a dog runs", "--index", kept],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="videos to index")
    parser.add_argument("--clips", type=int, default=500, help="without a folder: how many short clips are made")
    parser.add_argument("--against", type=Path, required=True, help="the folder of the other build (holds vidembed/)")
    parser.add_argument("--rounds", type=int, default=3, help="measured runs of each command and build")
    parser.add_argument("--only", nargs="*", help="names of commands; all by default")
    settings = parser.parse_args()
    builds = {"other": settings.against.resolve(), "this": HERE}
    runs: dict[str, dict[str, list[dict[str, float]]]] = {}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder = settings.folder or short_clips(scratch / "clips", settings.clips)
        for turn in range(settings.rounds + 1):
            for build, root in builds.items():
                (scratch / build).mkdir(exist_ok=True)
                for command, arguments in commands(folder.resolve(), scratch / build, turn).items():
                    makes = not turn and command == "index again"  # the index that is searched
                    if settings.only and command not in settings.only and not makes:
                        continue
                    seen = measured(root, scratch / f"bytecode-{build}", arguments)
                    if turn:
                        runs.setdefault(command, {}).setdefault(build, []).append(seen)
    report: dict[str, object] = {"machine": facts(), "rounds": settings.rounds}
    for command, of_build in runs.items():
        medians = {b: {m: statistics.median(r[m] for r in rows) for m in MEASURES} for b, rows in of_build.items()}
        medians["ratio"] = {m: medians["this"][m] / medians["other"][m] for m in MEASURES}
        report[command] = {b: {m: round(v, 3) for m, v in row.items()} for b, row in medians.items()}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
