"""The examples of the pages on subtitles, transcripts, answers, records and agents run as they are written."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import server
from media_factory import Media

from vidembed import VideoIndex, open_index
from vidembed.cli import main

DOCS = Path(__file__).parents[2] / "docs"
SAID = "1\n00:00:00,200 --> 00:00:00,900\nThe budget for next year is nine hundred thousand euros.\n"
ENDPOINT = "http://127.0.0.1:8000/v1"
# What goes on until it is stopped, or needs a server that is not of this machine.
ENDLESS = ("vidembed serve", "vidembed mcp --", "vidembed store move")


def blocks(page: str, kind: str) -> list[str]:
    """The fenced blocks of a kind; "" are those without one."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [block for found, block in fenced if found == kind]


def commands(page: str, *, endless: bool = False) -> list[str]:
    """The command lines of a page, without their comments. endless: those that go on until they are stopped, too."""
    lines = [line for kind in ("", "bash") for block in blocks(page, kind) for line in block.splitlines()]
    plain = [line.removeprefix("$ ").partition(" #")[0].strip() for line in lines]
    return [line for line in plain if line.startswith("vidembed ") and (endless or not line.startswith(ENDLESS))]


@pytest.fixture(scope="module")
def indexed(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages speak of: talk.mp4, videos/ with a meeting and a scene, an index of each name."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "videos").mkdir()
    for name in ("videos/meeting", "videos/carphone_pristine", "talk"):
        video = folder / f"{name}.mp4"
        video.write_bytes(media.path("three_shots.mp4").read_bytes() + b"\0\0\0\x10free" + name[-8:].encode())
        video.with_suffix(".en.srt").write_text(SAID)
    settings = [f"channels.speech_words.{key}" for key in ("source=speech", "model=words")]
    options = [word for setting in settings for word in ("--set", setting)]
    arguments = ["index", str(folder / "videos"), str(folder / "talk.mp4"), "--profile", "toy", *options]
    assert main([*arguments, "--index", str(folder / "vidembed-index")]) == 0
    for name in ("demo-index", "videos-index"):
        shutil.copytree(folder / "vidembed-index", folder / name)
    (scene,) = blocks("asking.md", "json")
    (folder / "scene.json").write_text(scene)
    return folder


@pytest.fixture
def folder(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(indexed)
    return indexed


@pytest.fixture
def endpoint() -> Iterator[str]:
    with server([["It is nine hundred thousand euros [1]."]]) as (url, _):
        yield url


@pytest.mark.parametrize(("page", "least"), [("asking.md", 2), ("agents.md", 1), ("channels.md", 4)])
def test_the_commands_run(folder: Path, page: str, least: int, capsys: pytest.CaptureFixture[str]) -> None:
    # Models that this index has not, and runs of them, are tried elsewhere.
    others = re.compile(r"vidembed index|models download|ocr_words|--speaker|--channels sound")
    told = [line for line in commands(page) if not others.search(line)]
    assert len(told) >= least
    for line in told:
        assert main(shlex.split(line)[1:]) == 0, f"{line}: {capsys.readouterr().err}"


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_options_that_the_pages_name_exist(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for line in commands(page, endless=True):
        words = shlex.split(line)[1:]
        name = [word for word in words[:2] if not word.startswith("-")]  # a command, or one of a group
        capsys.readouterr()
        assert main([*name, "--help"]) == 0, line
        known = capsys.readouterr().out
        assert all(word in known for word in words if word.startswith("--") and word != "--"), line


def test_the_python_of_asking_runs(folder: Path, endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with open_index("vidembed-index", readonly=True) as index:
        for code in blocks("asking.md", "python"):
            run(code.replace(ENDPOINT, endpoint), index)
        text = (DOCS / "asking.md").read_text(encoding="utf-8")
        (inline,) = re.findall(r"`(for record in index\.extract[^`]*)`", text)
        schema = json.loads((folder / "scene.json").read_text())
        run(inline, index, schema=schema)
    printed = capsys.readouterr().out
    assert "The budget for next year is nine hundred thousand euros." in printed
    assert "It is nine hundred thousand euros. [1]" in printed


def run(code: str, index: VideoIndex, **names: Any) -> None:
    exec(compile(code, "docs", "exec"), {"index": index, **names})


def test_the_options_of_asking_reach_an_endpoint(
    folder: Path, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (DOCS / "asking.md").read_text(encoding="utf-8")
    (options,) = re.findall(r"\| `(--endpoint http[^`]*)` \|", text)
    capsys.readouterr()
    given = shlex.split(options.replace(ENDPOINT, endpoint))
    assert main(["ask", "What is the budget for next year?", *given, "--pictures"]) == 0
    assert capsys.readouterr().out.startswith("It is nine hundred thousand euros. [1]")
