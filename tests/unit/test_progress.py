"""Progress goes to a terminal on standard error; what a command prints stays on standard output."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty")
os = pytest.importorskip("os")

BAR = """
from vidembed.cli.common import print_json, say, step_bar
with step_bar("clips") as step:
    step("one.mp4", 0, 2)
    print_json({"done": 1})
    say("failed two.mp4")
    step("two.mp4", 1, 2)
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


def on_terminal(code: str) -> tuple[str, str]:
    """(standard output, what the terminal on standard error got) of Python code."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, stdin=theirs, env=environment, text=True
    ) as run:
        os.close(theirs)
        assert run.stdout is not None
        printed = run.stdout.read()
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


def test_data_goes_to_standard_output_while_a_bar_is_shown() -> None:
    printed, shown = on_terminal(BAR)
    assert [json.loads(line) for line in printed.splitlines()] == [{"done": 1}]
    line = next(line for line in shown.split("\n") if "failed two.mp4" in line)
    assert line.rstrip("\r").endswith("failed two.mp4"), "no bar stands behind the line"


def test_ctrl_c_says_what_is_kept() -> None:
    printed, shown = on_terminal(INTERRUPTED)
    assert printed == "ended\n"
    assert "what is done is kept, and the same command goes on from there" in shown
