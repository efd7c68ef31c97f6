"""Four processes search while another one indexes, and go on when it is killed; no answer is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from media_factory import Media

from vidembed import open_index
from vidembed.cli import main
from vidembed.errors import StoreError

READER = textwrap.dedent("""
    import json, sys, threading
    import vidembed

    done = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
    searches, wrong = 0, []
    with vidembed.open_index(sys.argv[1], readonly=True) as index:
        while not done.is_set() or searches < 3:
            best = index.search("red", k=20, channels=["vision"])
            searches += 1
            if not best or best[0].span.start_s >= 1.0:  # red is the first second of each video
                wrong.append([str(moment.span) for moment in best])
            if searches == 1:
                print("searching", flush=True)
    print(json.dumps({"searches": searches, "wrong": wrong}), flush=True)
""")


@pytest.fixture
def folder(media: Media, tmp_path: Path) -> Path:
    """An index of one video, and more videos to index: the same three colours in other files."""
    for name in ("first", "more"):
        (tmp_path / name).mkdir()
    original = media.path("three_shots.mp4").read_bytes()
    (tmp_path / "first" / "0.mp4").write_bytes(original)
    for number in range(1, 13):
        # Bytes after the last box make another video of it, with the same pictures.
        (tmp_path / "more" / f"{number}.mp4").write_bytes(original + b"\0\0\0\x10free" + bytes([number] * 8))
    options = ["--profile", "toy", "--set", "segment.window_s=1", "--set", "sample.rate_hz=4"]
    assert main(["index", str(tmp_path / "first"), "--index", str(tmp_path / "index"), *options]) == 0
    return tmp_path


@contextmanager
def readers(folder: Path, count: int = 4) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that search until their input ends."""
    command = [sys.executable, "-c", READER, str(folder / "index")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with ExitStack() as stack:
        started = [stack.enter_context(subprocess.Popen(command, text=True, **pipes)) for _ in range(count)]
        stack.callback(lambda: [process.kill() for process in started])
        for process in started:
            assert process.stdout is not None
            if process.stdout.readline() != "searching\n":
                pytest.fail(process.communicate()[1])
        yield started


def outcome(process: subprocess.Popen[str]) -> dict[str, object]:
    out, err = process.communicate("", timeout=120)
    assert process.returncode == 0, err
    found: dict[str, object] = json.loads(out)
    return found


def test_readers_beside_a_run(folder: Path) -> None:
    with open_index(folder / "index") as index:
        index.search("red")  # this process has the store open
        with readers(folder) as started:
            report = index.add(folder / "more")
            assert (len(report.done), report.failed) == (12, ())
            found = [outcome(process) for process in started]
    assert all(one["wrong"] == [] and one["searches"] for one in found), found


def test_readers_when_the_owner_is_killed(folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "vidembed",
        "index",
        str(folder / "more"),
        "--index",
        str(folder / "index"),
        "--watch",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as owner:
        try:
            assert owner.stderr is not None
            assert owner.stderr.readline()
            with readers(folder) as started:
                owner.kill()
                owner.wait()
                found = [outcome(process) for process in started]
        finally:
            owner.kill()
    assert all(one["wrong"] == [] and one["searches"] for one in found), found


def test_a_closed_index_opens_nothing_again(folder: Path) -> None:
    """A thread that still searches when the page ends would keep everybody else out."""
    index = open_index(folder / "index")
    index.close()
    with pytest.raises(StoreError, match="is closed"):
        index.search("red")
    with open_index(folder / "index") as again:
        assert again.parts.own_store.count("vision")
