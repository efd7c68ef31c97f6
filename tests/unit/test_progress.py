"""Progress goes to a terminal on standard error; what a command prints stays on standard output."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty")
os = pytest.importorskip("os")

BAR = """
from vidembed.cli.common import err, out, plain, print_json, say, step_bar
with step_bar("clips") as step:
    step("one.mp4", 0, 2)
    print_json({"done": 1})
    say("failed two.mp4")
    err().print("a message")
    plain(out(), "an answer")
    step("two.mp4", 1, 2)
"""
RUN = """
from vidembed.cli.common import progress_bar
from vidembed.index.pipeline.run import Progress
with progress_bar() as update:
    update(Progress("films/" + "a name " * 20 + ".mp4", "index", 812, 1234, 1.0, 2.0, 13.25))
"""
INTERRUPTED = """
import os, signal
from vidembed.cli.common import step_bar
try:
    with step_bar("clips"):
        os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("ended")
"""


def on_terminal(code: str, *, both: bool = False) -> tuple[str, str]:
    """(standard output, what the terminal on standard error got) of Python code. both: one terminal for both."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=theirs if both else subprocess.PIPE,
        stderr=theirs,
        stdin=theirs,
        env=environment,
        text=True,
    ) as run:
        os.close(theirs)
        printed = run.stdout.read() if run.stdout is not None else ""
        shown = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            shown += more
    os.close(ours)
    assert run.returncode == 0, shown
    return printed, shown.decode()


def lines(shown: str) -> list[str]:
    """What stands on the lines of a terminal: after what was erased, without colours."""
    rows = re.sub(r"\x1b\[[0-9;]*m", "", shown).split("\n")
    return [re.split(r"\r|\x1b\[2K", row.rstrip("\r"))[-1] for row in rows]


def test_data_goes_to_standard_output_while_a_bar_is_shown() -> None:
    printed, shown = on_terminal(BAR)
    assert [line for line in printed.splitlines() if line[0] != "{"] == ["an answer"]
    assert [json.loads(line) for line in printed.splitlines() if line[0] == "{"] == [{"done": 1}]
    assert {"failed two.mp4", "a message"} <= set(lines(shown))


def test_lines_and_the_bar_never_share_a_line() -> None:
    _, shown = on_terminal(BAR, both=True)
    assert {'{"done": 1}', "failed two.mp4", "a message", "an answer"} <= set(lines(shown))


def test_a_long_name_leaves_room_for_what_counts() -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal(RUN)[1])
    frames = re.split(r"\x1b\[[0-9;?]*[A-Z]|[\r\n]", shown)
    (frame,) = {re.sub("[━╸╺]+", "=", frame.strip()) for frame in frames if "812" in frame}
    assert re.fullmatch(r"a name a nam.*… = 812/1234 videos 13\.2x real time -*[0-9:-]*", frame), frame
    assert max(len(frame) for frame in frames) <= 80


def test_ctrl_c_says_what_is_kept() -> None:
    printed, shown = on_terminal(INTERRUPTED)
    assert printed == "ended\n"
    assert "what is done is kept, and the same command goes on from there" in shown
