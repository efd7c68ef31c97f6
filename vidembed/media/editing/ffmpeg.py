"""Run the ffmpeg program: the system's, or the one that the imageio-ffmpeg package brings."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from typing import Any

from vidembed.errors import MediaUnreadable, MissingDependency

_LAST_LINES = 4  # of ffmpeg's messages: the cause is at the end


@cache
def find_ffmpeg() -> str:
    """Path of the ffmpeg program. Raises MissingDependency when there is none."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise MissingDependency(
            "no ffmpeg program found", hint="install ffmpeg, or: pip install imageio-ffmpeg"
        ) from error


def environment() -> dict[str, str]:
    """The environment of ffmpeg's process.

    The static program that imageio-ffmpeg brings crashes when it loads the character sets of another libc, as for the
    names of channels in MPEG-TS; without them it takes the names as they are.
    """
    return dict(os.environ) if shutil.which("ffmpeg") else {**os.environ, "GCONV_PATH": os.devnull}


def run(stream: Any, *, doing: str, timeout_s: float, folder: str | None = None) -> None:
    """Run a graph made with ffmpeg-python (`ffmpeg.input(...).output(...)`).

    Args:
        stream: The graph.
        doing: For the message, as in "cutting holiday.mp4".
        timeout_s: How long it may take.
        folder: Where its filters find their files; None = the current one.

    Raises:
        MediaUnreadable: It failed, crashed or took too long; with ffmpeg's own last lines.
        MissingDependency: There is no ffmpeg program.
    """
    import ffmpeg

    graph = stream.global_args("-nostdin", "-hide_banner", "-loglevel", "error")
    command = ffmpeg.compile(graph, cmd=find_ffmpeg(), overwrite_output=True)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            env=environment(),
            cwd=folder,
        )
    except subprocess.TimeoutExpired as error:
        raise MediaUnreadable(f"{doing}: ffmpeg took longer than {timeout_s:g} s and was stopped") from error
    except OSError as error:
        raise MissingDependency(f"{doing}: ffmpeg cannot be started: {error}", hint="install ffmpeg") from error
    if done.returncode < 0:
        raise MediaUnreadable(
            f"{doing}: ffmpeg crashed (signal {-done.returncode})", hint="install the ffmpeg of your system"
        )
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise MediaUnreadable(f"{doing}: ffmpeg failed: {'; '.join(lines[-_LAST_LINES:]) or 'no message'}")
