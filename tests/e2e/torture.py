"""A folder with all that runs meet in the wild at once, and a user without rights who indexes it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import toy_videos
from crashing import CRASHING

REPOSITORY = Path(__file__).parents[2]

GOOD = {
    "good.mp4", "other.mp4", "[take 1] café.mp4", "ancient.mp4", "future.mp4", "line\nbreak.mp4", f"{'x' * 251}.mp4",
    "kept.mp4",
}  # fmt: skip
BAD = {  # what lies there -> words of its reason
    "shut": "the folder cannot be read",
    "me.mp4": "back to itself",
    "secret.mp4": "no permission to read it",
    "broken.mp4": "",
    "empty.mp4": "empty",
    "bad.mp4": "it crashed the decoder",
    "list.csv:3": "no such file or folder",
    "photo.jpg": "a picture, not a video",
    "all.zip": "an archive, not a video",
    "README.md": "a text, not a video",
}


class Torture:
    """The folder, and commands over it.

    Attributes:
        library: The folder; `inputs` names it with what people give by mistake.
        index: Where its index is made.
    """

    def __init__(self, root: Path, films: Path) -> None:
        self.root, self.library, self.index = root, root / "library", root / "index"
        (root / "site").mkdir()
        (root / "site" / "sitecustomize.py").write_text(CRASHING)
        self._fill(films)
        self.inputs = [str(self.library / name) for name in ("", "list.csv", "photo.jpg", "all.zip", "README.md")]
        self.user = _unprivileged(root)

    def _fill(self, films: Path) -> None:
        library = self.library
        for folder in ("shut", "kept"):
            (library / folder).mkdir(parents=True)
        for name in (*sorted(GOOD - {"kept.mp4"}), "kept/kept.mp4", "secret.mp4", "bad.mp4", "shut/inside.mp4"):
            colour = "green.mp4" if name == "other.mp4" else "red_blue.mp4"
            shutil.copy(films / colour, library / name)
            with (library / name).open("ab") as file:
                file.write(bytes(len(name)))  # no two are the same
        for name, year_s in (("ancient.mp4", -11_000_000_000), ("future.mp4", 15_000_000_000)):
            with suppress(OSError):
                os.utime(library / name, (year_s, year_s))
        (library / "empty.mp4").touch()
        (library / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(400))
        (library / "me.mp4").symlink_to("me.mp4")
        (library / "links").mkdir()
        (library / "links" / "up").symlink_to("..")
        os.mkfifo(library / "pipe.mp4")
        (library / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(64))
        (library / "all.zip").write_bytes(b"PK\x03\x04" + bytes(64))
        (library / "README.md").write_text("Grüße", encoding="utf-8")
        (library / "list.csv").write_text("path,camera\ngood.mp4,front\nlost.mp4,back\n", encoding="utf-8")
        recording = toy_videos.make(self.root / "whole.ts", *["white"] * 8)
        self.recorded = recording.read_bytes()
        (library / "growing.ts").write_bytes(self.recorded[: len(self.recorded) // 4])
        os.chmod(library / "secret.mp4", 0)
        os.chmod(library / "shut", 0)
        os.chmod(library / "kept", 0o555)

    @contextmanager
    def growing(self, stop: threading.Event) -> Iterator[None]:
        """Until `stop` is set or the block ends, a recorder appends to growing.ts, and a folder comes and goes."""

        def record() -> None:
            at = len(self.recorded) // 4
            while not stop.wait(0.1):
                with (self.library / "growing.ts").open("ab") as file:
                    file.write(self.recorded[at : at + 188])
                at = at + 188 if at + 188 < len(self.recorded) else 0
                (self.library / "coming and going").mkdir()
                (self.library / "coming and going").rmdir()

        recorder = threading.Thread(target=record)
        recorder.start()
        try:
            yield
        finally:
            stop.set()
            recorder.join()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`vidembed ARGUMENTS`, by a user who may not read everything."""
        return subprocess.Popen(
            [sys.executable, "-m", "vidembed", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **self.user,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """The same, to its end: (exit code, stdout, stderr)."""
        process = self.start(*arguments)
        out, said = process.communicate(timeout=300)
        return process.returncode, out, said


@contextmanager
def torture(root: Path, films: Path) -> Iterator[Torture]:
    """The folder for a test; its modes are put back for those who remove it."""
    made = Torture(root.resolve(), films)
    try:
        yield made
    finally:
        for folder in (made.library / "shut", made.library / "kept", made.index):
            if folder.exists():
                os.chmod(folder, 0o700)


def _unprivileged(root: Path) -> dict[str, Any]:
    """Arguments of Popen for a user whom file modes hold back. Skips the test where there is none."""
    path = os.pathsep.join([str(root / "site"), str(REPOSITORY)])
    how: dict[str, Any] = {"env": {**os.environ, "PYTHONPATH": path, "HOME": str(root)}, "cwd": root}
    if os.geteuid() == 0:
        how["preexec_fn"] = _obey_modes
    probe = f"import os; os._exit(os.access({str(root / 'library' / 'secret.mp4')!r}, os.R_OK))"
    if subprocess.run([sys.executable, "-c", probe], check=False, **how).returncode:
        pytest.skip("file modes hold back nobody here")
    return how


def _obey_modes() -> None:
    """Root without the two rights to pass over file modes is a user like others, and may still run its own Python."""
    libc = ctypes.CDLL(None)
    for right in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, right, 0, 0, 0)  # PR_CAPBSET_DROP
