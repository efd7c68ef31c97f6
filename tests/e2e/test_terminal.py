"""What commands print fits a terminal of 80 columns; in a pipe it is whole (toy profile)."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import toy_videos

from vidembed import open_index
from vidembed.cli import main
from vidembed.cli.common import failure_text
from vidembed.types import Failure

FAR = Path("a folder with a name that is long enough for any terminal/of 80 columns/and some more")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with an index of a video, a copy of it far away, and a broken file beside that."""
    folder = tmp_path_factory.mktemp("terminal")
    toy_videos.make(folder / "near.mp4", "red", "lime", second_each=2.0)
    (folder / FAR).mkdir(parents=True)
    (folder / FAR / "a copy.mp4").write_bytes((folder / "near.mp4").read_bytes())
    (folder / FAR / "broken.mp4").write_bytes(b"no video" * 9)
    with open_index(folder / "vidembed-index", profile="toy") as index:
        index.add(folder)
        index.tag(folder / "near.mp4", {"place": "home " * 19 + "home"})
    return folder


@pytest.fixture
def terminal(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Any:
    """Runs a command as on a terminal of 80 columns: (exit code, lines of both streams)."""
    monkeypatch.chdir(shelf)
    monkeypatch.setattr("typer.get_app_dir", lambda name: str(tmp_path / name))
    for name, value in {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", "VIDEMBED_QUIET": "1"}.items():
        monkeypatch.setenv(name, value)

    def run(command: str) -> tuple[int, list[str]]:
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            for stream in (sys.stdout, sys.stderr):
                patch.setattr(stream, "isatty", lambda: True)
            code = main(command.split())
        printed = capsys.readouterr()
        return code, re.sub(r"\x1b\[[0-9;]*m", "", printed.out + printed.err).splitlines()

    return run


COMMANDS = [
    "info", "info --videos", "info --failures", "duplicates", "models", "models show starter", "config show",
    "config profiles", "search red", "search red --then lime", "search red --tag plce=home", "search --help", "index",
    "index nowhere", "doctor", "search red --like 77", "caption near.mp4",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_wider_than_the_terminal(terminal: Any, command: str) -> None:
    code, lines = terminal(command)
    assert code in (0, 2, 3)
    assert lines
    assert [line for line in lines if len(line) > 80] == []


def test_paths_are_shortened_for_people_alone(terminal: Any, shelf: Path, capsys: Any) -> None:
    _, lines = terminal("duplicates")
    assert lines[2] == "  near.mp4"
    assert lines[1].endswith("…/a copy.mp4")
    assert main(["duplicates"]) == 0
    assert capsys.readouterr().out.splitlines()[1:3] == [f"  {shelf / FAR / 'a copy.mp4'}", f"  {shelf / 'near.mp4'}"]
    assert main(["info", "--videos"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ready")]
    assert str(shelf / FAR / "a copy.mp4") in row
    assert row.endswith("home"), "one line a video"


def test_a_failure_names_its_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = Failure("/films/a.mp4", "probe", "MediaUnreadable", "a.mp4: no picture")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert failure_text(failure, sys.stdout) == "failed /films/a.mp4 (probe): no picture"


def test_the_demo_never_writes_into_an_index_of_ones_own(shelf: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDEMBED_INDEX", "mine")
    monkeypatch.setattr("vidembed.cli.serve.demo_videos", lambda: [shelf / "near.mp4"])
    assert main(["demo", "-p", "toy", "--query", "red"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo-index"]
