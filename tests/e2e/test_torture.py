"""All that runs meet in the wild at once: good files are indexed, the others listed with a reason, nothing crashes."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from torture import BAD, GOOD, Torture, torture

pytestmark = pytest.mark.skipif(os.name == "nt", reason="rights and links are POSIX's")
WATCHED_S, BRIEFLY_S = 60, 10


@pytest.fixture
def tortured(tmp_path: Path, films: Path) -> Iterator[Torture]:
    with torture(tmp_path, films) as made:
        yield made


def indexed(tortured: Torture) -> set[str]:
    """The names of the files in the index; before it is there, what is said of that."""
    code, out, said = tortured.run("info", "--videos", "--json", "--index", str(tortured.index))
    if code:
        return {said}
    records = [json.loads(line) for line in out.splitlines()[1:]]
    return {Path(path).name for record in records for path in record["paths"]}


def test_everything_at_once(tortured: Torture) -> None:
    with tortured.growing(threading.Event()):
        code, out, said = tortured.run(
            "index", *tortured.inputs, "--index", str(tortured.index), "--profile", "toy", "--json"
        )
    assert (code, "Traceback" in said) == (3, False), said
    report = json.loads(out)
    reasons = {Path(failure["item"]).name: failure["message"] for failure in report["failed"]}
    assert set(reasons) == set(BAD)
    assert {name: words for name, words in BAD.items() if words not in reasons[name].lower()} == {}
    assert indexed(tortured) == GOOD | {"growing.ts"}
    code, _, said = tortured.run("caption", "--sidecar", "--index", str(tortured.index))
    assert (code, "Traceback" in said) == (3, False), said
    assert len(list(tortured.library.glob("*.captions.srt"))) == len(GOOD | {"growing.ts"}) - 1
    assert said.count("failed") == 2, (said, "kept.mp4, whose folder may not be written to, and the number of failures")
    for folder, names, files in os.walk(tortured.index):  # and now nobody may change the index
        for name in (*names, *files):
            os.chmod(Path(folder) / name, 0o555 if name in names else 0o444)
    os.chmod(tortured.index, 0o555)
    code, out, said = tortured.run("search", "green", "-k", "1", "--json", "--index", str(tortured.index))
    assert (code, Path(json.loads(out)["path"]).name) == (0, "other.mp4"), said


@pytest.mark.slow
def test_everything_at_once_while_watching(tortured: Torture, full: bool) -> None:
    stop, growing_s = threading.Event(), WATCHED_S if full else BRIEFLY_S
    with tortured.growing(stop), ExitStack() as stack:
        process = tortured.start(
            "index", *tortured.inputs, "--index", str(tortured.index), "--profile", "toy", "--watch"
        )
        stack.callback(lambda: os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None)
        wait_until(tortured, GOOD)
        stop.wait(growing_s)
        assert indexed(tortured) == GOOD, "the file that grows waits, the others do not"
        stop.set()
        wait_until(tortured, GOOD | {"growing.ts"})
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=100)
    assert "Traceback" not in said, said
    assert {name for name in BAD if name not in said} == set()


def wait_until(tortured: Torture, names: set[str]) -> None:
    """Wait until these files are in the index that another process makes and fills."""
    for _ in range(400):  # each look starts a process
        if indexed(tortured) == names:
            return
    assert indexed(tortured) == names
