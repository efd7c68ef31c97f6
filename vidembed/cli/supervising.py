"""Runs a command in a child process and starts it again when a crash ends it.

Runs note which files they are decoding (`index.pipeline.in_hand`), so the second start decodes those apart: one file
that crashes its decoder costs that file, not the run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

COMMANDS = frozenset({"index", "caption", "demo"})  # those that decode many files and go on where they stopped
MOST_CRASHES = 100
_CHILD = "VIDEMBED_SUPERVISED"
# glibc keeps what one of many threads frees for that thread: with two heaps for all, runs take a quarter less memory.
_HEAPS = {"MALLOC_ARENA_MAX": "2"}
_CRASHES = frozenset(
    getattr(signal, name) for name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE") if hasattr(signal, name)
)
_NOT_DECODING = """error: the command crashed, and no decoder is the cause
hint: is the disk full? if a collection of vectors is damaged, delete its folder in vectors/collections of the index,
      and run `vidembed index`: its vectors are made anew, all else stays"""
_WINDOWS_CRASH = 0xC0000000  # exit codes from here on are unhandled exceptions


def wanted(argv: Sequence[str]) -> bool:
    """Whether this command is to be watched; its child process is not watched again."""
    return bool(argv) and argv[0] in COMMANDS and _CHILD not in os.environ


def supervise(argv: Sequence[str]) -> int:
    """Run `vidembed ARGV` in child processes until one ends by itself.

    Returns:
        Its exit code; 128 + the signal that ended it.
    """
    suspects: frozenset[str] = frozenset()
    for crashes in range(MOST_CRASHES + 1):
        code = _run(argv)
        if not _crashed(code) or crashes == MOST_CRASHES:
            return code if code >= 0 else 128 - code
        before, suspects = suspects, _in_hand(argv)
        if suspects <= before:  # nothing was being decoded in that process
            print(_NOT_DECODING, file=sys.stderr)
            return code if code >= 0 else 128 - code
        print("a decoder crashed; going on, with the file in hand decoded apart", file=sys.stderr)
    raise AssertionError("unreachable")


def _in_hand(argv: Sequence[str]) -> frozenset[str]:
    """The notes of what the command was decoding, in the folder of its index."""
    import re  # here: the supervisor of a run that does not crash is started for each one, and does without
    from pathlib import Path

    from vidembed.cli.common import DEFAULT_INDEX

    folder = os.environ.get("VIDEMBED_INDEX") or ("demo-index" if argv[0] == "demo" else DEFAULT_INDEX)
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word in ("--index", "-i"):
            folder = following
        elif found := re.match(r"--index=|-i(?=.)", word):
            folder = word[found.end() :]
    notes = Path(folder).expanduser() / "in-hand"
    return frozenset(note.name for note in notes.iterdir()) if notes.is_dir() else frozenset()


def die_with_parent() -> None:
    """In the child: end when the supervisor ends, however that happens. Linux only."""
    if _CHILD in os.environ and sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _run(argv: Sequence[str]) -> int:
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []  # signals that came before there was a child to pass them on to

    def pass_on(number: int, _: object) -> None:
        if not started:
            early.append(number)
        elif number != signal.SIGINT or not _told_by_terminal():
            started[0].send_signal(number)

    numbers = [number for number in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        child = subprocess.Popen([sys.executable, "-m", "vidembed", *argv], env={**_HEAPS, **os.environ, _CHILD: "1"})
        started.append(child)
        for number in early:
            child.send_signal(number)
        return child.wait()
    finally:
        for known, handler in before.items():
            signal.signal(known, handler)


def _told_by_terminal() -> bool:
    """Whether Ctrl-C reaches the child by itself. It stops when what is done is safe; told twice, it stops as it is."""
    try:
        return sys.platform == "win32" or os.tcgetpgrp(sys.__stdin__.fileno()) == os.getpgrp()  # type: ignore[union-attr]
    except (OSError, ValueError, AttributeError):  # no terminal: `kill -INT`, or a service that is stopped
        return False


def _crashed(code: int) -> bool:
    return -code in _CRASHES if code < 0 else sys.platform == "win32" and code >= _WINDOWS_CRASH
