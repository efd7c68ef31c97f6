"""What `vidembed search` prints and takes, on toy videos with known colours."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_videos

from vidembed import open_index
from vidembed.cli import main
from vidembed.cli.showing import show_moments
from vidembed.cli.terminal import clock, shown_path
from vidembed.config.schema import Config
from vidembed.types import Moment, Span


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of two videos of three seconds a colour, moved away from the folder in which it works."""
    folder = tmp_path_factory.mktemp("searched") / "shelf"
    toy_videos.make(folder / "videos" / "one.mp4", "red", "white", "blue", second_each=3.0)
    toy_videos.make(folder / "videos" / "two.mp4", "blue", "lime", second_each=3.0)
    with open_index(folder / "vidembed-index", profile="toy") as index:
        index.add(folder / "videos")
        index.tag(str(folder / "videos" / "one.mp4"), {"place": "home"})
    return folder.rename(folder.with_name("as it was"))


@pytest.fixture
def shelf(filled: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with that index, and a place of its own for settings."""
    folder = shutil.copytree(filled, filled.with_name("shelf"))
    monkeypatch.chdir(folder)
    monkeypatch.setattr("typer.get_app_dir", lambda name: str(folder / "settings" / name))
    yield folder
    monkeypatch.chdir(filled)
    shutil.rmtree(folder)


def asked(capsys: Any, *arguments: str, code: int = 0) -> str:
    """Standard output of a search; its exit code is checked."""
    capsys.readouterr()
    assert main(["search", *arguments]) == code
    return str(capsys.readouterr().out)


def records(capsys: Any, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in asked(capsys, *arguments, "--json").splitlines()]


def test_a_number_of_the_last_search_and_a_time_of_a_file_name_a_clip(shelf: Path, capsys: Any) -> None:
    known = records(capsys, "red", "-k", "3")
    asked(capsys, "red", "-k", "3")
    with open_index("other", profile="toy") as other:
        other.add("videos/two.mp4")
    asked(capsys, "blue", "-k", "1", "-i", "other")  # an index has its own numbers
    by_id = records(capsys, "--like", known[1]["clip_id"])
    assert records(capsys, "--like", "2") == by_id
    assert known[1]["clip_id"] not in {record["clip_id"] for record in by_id}
    for blue in records(capsys, "--like", "videos/one.mp4@0:07", "-k", "2"):
        assert blue["best_s"] >= 6 if blue["path"].endswith("one.mp4") else blue["best_s"] < 3, "where blue is shown"
    assert main(["search", "--like", "9"]) == 2
    assert "has no moment 9" in capsys.readouterr().err
    assert main(["search", "--like", "videos/one.mp4@9:00"]) == 2
    assert "end at 0:09" in capsys.readouterr().err


def test_good_and_min_confidence_leave_out_what_does_not_convince(shelf: Path, capsys: Any) -> None:
    every = records(capsys, "red", "-k", "20")
    good = [record for record in every if record["good_match"]]
    assert 0 < len(good) < len(every)
    assert records(capsys, "red", "-k", "20", "--good") == good
    floor = every[2]["confidence"] + 1e-4
    assert records(capsys, "red", "--min-confidence", str(floor)) == [r for r in every if r["confidence"] >= floor]


def test_a_filter_that_no_video_meets_is_named(shelf: Path, capsys: Any) -> None:
    def told(*arguments: str) -> str:
        capsys.readouterr()
        assert main(["search", "red", *arguments]) == 0
        return capsys.readouterr().err.strip()

    nothing = "nothing found: no video meets the filter"
    assert told("--min-duration", "600") == nothing
    assert told("--shot-after", "2026-05", "--near", "48.86,2.35") == (
        f"{nothing} (0 say when they were shot, 0 say where they were shot)"
    )
    with open_index("vidembed-index") as index:
        index.tag("videos/one.mp4", {"shot": "2026-04-30T10:00:00+00:00"})
    assert told("--shot-after", "2026-05") == f"{nothing} (1 say when they were shot)"
    assert told("--min-confidence", "1") == "nothing found"


def test_what_is_understood_is_said_and_can_be_taken_at_its_word(shelf: Path, capsys: Any) -> None:
    def told(*arguments: str) -> tuple[str, str]:
        capsys.readouterr()
        assert main(["search", *arguments, "--json", "-k", "3"]) == 0
        found = capsys.readouterr()
        return found.out, " ".join(found.err.split())

    out, err = told("red, longer than ten minutes")
    assert out == ""
    assert "understood: videos of at least 10 min (--as-is looks for the words)" in err
    assert told("red, longer than 1 s")[0] == told("red", "--min-duration", "1")[0]
    out, err = told("red, longer than ten minutes", "--as-is")
    assert out
    assert "understood" not in err
    assert "understood: without blue" in told("red without blue")[1]
    assert "note: the query seems not to be English" in told("ein Hund auf der Wiese")[1]


def test_queries_of_standard_input_are_answered_line_by_line(
    shelf: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("red\n\n?!\nblue\n"))
    answers = [json.loads(line) for line in asked(capsys, "-", "-k", "1", code=3).splitlines()]
    assert [answer["query"] for answer in answers] == ["red", "?!", "blue"]
    assert answers[0]["moments"] == records(capsys, "red", "-k", "1")
    assert "no letter or digit" in answers[1]["error"]


def test_a_terminal_gets_lines_that_fit_and_a_pipe_whole_paths(
    shelf: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped = asked(capsys, "red", "then", "more", "red").splitlines()  # words need no quotes
    assert piped[0].split("\t")[:4] == ["1", piped[0].split("\t")[1], "0:00-0:03", str(shelf / "videos/one.mp4")]
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown = asked(capsys, "red").splitlines()
    assert shown[0].split() == ["#", "sure", "when", "file", "matched", "by"]
    assert all(len(line) <= 60 for line in shown)
    assert "  videos/one.mp4  " in shown[1]
    assert shown[1].endswith("seen")


def test_words_that_were_asked_for_stand_out_on_a_terminal(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    text, sure = {"speech_words": "the budget is small"}, {"speech_words": 0.9}
    moment = Moment("v", Path("a.mp4"), Span(1, 2), 1.5, 1.0, 0.9, "c", texts=text, matched_by=sure,
                    marks={"speech_words": ((4, 10),)})  # fmt: skip
    config = Config.model_validate(
        {"profile": "x", "channels": {"speech_words": {"source": "speech", "model": "words"}}}
    )
    show_moments([moment], config)
    assert "\x1b[1;4mbudget\x1b[0m" in capsys.readouterr().out


def test_paths_are_shortened_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(tmp_path / "a" / "b.mp4", 20) == str(Path("a/b.mp4"))
    far = Path("/films/of/many/years/holiday.mp4")
    assert shown_path(far, 100) == str(far)
    assert shown_path(far, 20) == "/films/…/holiday.mp4"
    assert shown_path(far, 9) == "holi….mp4"


def test_times_are_said_as_people_say_them() -> None:
    assert [clock(seconds) for seconds in (7, 70, 3723)] == ["0:07", "1:10", "1:02:03"]


def test_moments_become_files_that_are_not_overwritten(shelf: Path, capsys: Any) -> None:
    assert main(["search", "red", "--good", "-k", "1", "--cut", "parts"]) == 0
    assert [file.name for file in Path("parts").iterdir()] == ["01_one_0.0s.mp4"]
    assert main(["search", "red", "--good", "-k", "1", "--cut", "parts"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["search", "red", "--good", "-k", "1", "--cut", "parts", "--overwrite"]) == 0
    with open_index("vidembed-index") as index:
        assert len(index) == 2
        assert index.reel(index.search("red", k=1), "all.mp4").stat().st_size > 0
        assert index.clips("videos/two.mp4") == index.clips(index.search("green")[0].video_id)
        assert index.path_of("videos/two.mp4") == shelf / "videos/two.mp4"
        index.hide("videos/t*.mp4")
        assert {moment.path.name for moment in index.search("blue")} == {"one.mp4"}
        index.hide("videos/two.mp4", hidden=False)
        assert {moment.path.name for moment in index.search("blue")} == {"one.mp4", "two.mp4"}


@pytest.mark.parametrize("command", ["search red -k 1 --cut FILE/parts", "sheet videos/one.mp4 --out FILE/shots.jpg"])
def test_a_place_that_cannot_be_written_is_said(shelf: Path, capsys: Any, command: str) -> None:
    Path("FILE").write_text("no folder")
    assert main(command.split()) == 2
    assert "cannot write 'FILE" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("search red --tag ", ["place=home"]),
        ("search red --channels vision,so", ["vision,sound"]),
        ("index --channels +so", ["+sound"]),
        ("index x --profile la", ["laptop"]),
        ("caption --model toy-", ["toy-captioner"]),
        ("models show toy-", ["toy-captioner"]),
        ("ca", ["caption"]),
    ],
)
def test_the_shell_completes_values(
    shelf: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, typed: str, offered: list[str]
) -> None:
    capsys.readouterr()
    monkeypatch.setenv("_VIDEMBED_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"vidembed {typed}")
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split(" "))))
    assert main([]) == 0
    assert capsys.readouterr().out.split() == offered


def test_a_shell_answers_line_after_line_and_goes_on_after_a_mistake(
    shelf: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = iter(["red", "", "red --channels smell", "blue -k 1 --json", "exit"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(lines))
    capsys.readouterr()
    assert main(["shell"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0].startswith("1\t")
    assert json.loads(printed.out.splitlines()[-1])["path"].endswith(".mp4")
    assert "smell" in printed.err
