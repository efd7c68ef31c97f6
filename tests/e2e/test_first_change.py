"""docs/first-change.md, step by step, in a copy of the repository: files are made, edits fit, commands print that."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from media_factory import H264, colour
from PIL import Image

from vidembed.media.editing.ffmpeg import find_ffmpeg

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "first-change.md"
BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)
PARTS = ("vidembed", "configs", "tests", "pyproject.toml")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository without its history, its weights linked, and what the page speaks of: videos/."""
    folder = tmp_path_factory.mktemp("checkout")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "assets"))
        else:
            shutil.copy(ROOT / part, folder / part)
    (folder / "vidembed" / "assets").symlink_to(ROOT / "vidembed" / "assets")
    (folder / "videos").mkdir()
    for name in ("red", "blue"):
        command = [str(find_ffmpeg()), "-v", "error", "-nostdin", *colour(name, 1), *H264]
        subprocess.run([*command, str(folder / "videos" / f"{name}.mp4")], check=True)
    Image.new("RGB", (64, 48), "red").save(folder / "videos" / "red.png")
    return folder


def blocks() -> Iterator[tuple[str, str, str]]:
    """(language, the line before, text) of each block, in order."""
    for found in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        yield found["language"], found["before"], found["text"]


def write(folder: Path, before: str, text: str) -> None:
    """A whole file; the line before names it."""
    (folder / re.findall(r"`([\w/]+\.(?:py|yaml))`", before)[-1]).write_text(text, encoding="utf-8")


def edit(folder: Path, text: str) -> None:
    """The lines of "--- FILE": those with "-" and " " must stand in it once, and become those with "+" and " "."""
    head, *lines = text.rstrip("\n").split("\n")
    file = folder / head.removeprefix("--- ")
    old, new = ("".join(line[1:] + "\n" for line in lines if line[:1] != other) for other in ("+", "-"))
    content = file.read_text(encoding="utf-8")
    assert content.count(old) == 1, f"{file.name} no longer has once:\n{old}"
    file.write_text(content.replace(old, new), encoding="utf-8")


def run(folder: Path, text: str) -> None:
    """Each command must work and print what stands below it; "..." stands for anything."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "COLUMNS": "120",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    for step in text.split("$ ")[1:]:
        command, _, expected = step.partition("\n")
        if command.startswith("vidembed "):
            command = f"python -m {command}"
        done = subprocess.run(
            command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}\n{said}"
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert doctest.OutputChecker().check_output(expected, said, flags), f"{command}\n{said}\nnot\n{expected}"


@pytest.mark.slow
def test_every_step_of_the_page(copy: Path) -> None:
    steps = list(blocks())
    assert [language for language, _, _ in steps].count("diff") >= 5
    for language, before, text in steps:
        if language == "console":
            run(copy, text)
        elif language == "diff":
            edit(copy, text)
        else:
            write(copy, before, text)


def test_a_block_that_no_longer_fits_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one\ntwo\nthree\n")
    edit(tmp_path, "--- a.py\n two\n+and a half\n-three\n+four\n")
    assert (tmp_path / "a.py").read_text() == "one\ntwo\nand a half\nfour\n"
    with pytest.raises(AssertionError, match=r"a.py no longer has once:\s+five"):
        edit(tmp_path, "--- a.py\n-five\n+six\n")
    with pytest.raises(AssertionError, match=r"not\s+blue"):
        run(tmp_path, "$ echo red\nblue\n")
    run(tmp_path, "$ echo red  and blue\nred ... blue\n")
