"""Captions of people come in: from subtitles and records, by an editor, and one by one (toy profile)."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toy_videos

from vidembed import open_index
from vidembed.cli import main

COLOURS = ("red", "lime", "blue")  # two seconds each, a clip each


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an index of one captioned video of three clips."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("typer.get_app_dir", lambda name: str(tmp_path / "settings" / name))
    toy_videos.make(tmp_path / "film.mp4", *COLOURS, second_each=2.0)
    with open_index("vidembed-index", profile="toy") as index:
        index.add("film.mp4")
        assert len(list(index.caption())) == 1
    return tmp_path


def held() -> list[tuple[str, bool]]:
    """(text, by a person) of each clip, in order of time."""
    with open_index("vidembed-index", readonly=True) as index:
        return [(caption.text, caption.human) for caption in index.captions()]


def write_srt(path: Path, *cues: tuple[str, str, str]) -> Path:
    blocks = (f"{number}\n{start} --> {end}\n{text}\n" for number, (start, end, text) in enumerate(cues, start=1))
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


def test_subtitles_become_captions_that_are_found_and_stay(shelf: Path, capsys: Any) -> None:
    cues = [
        ("00:00:00,100", "00:00:01,000", "A black"),
        ("00:00:01,000", "00:00:01,900", "hole."),
        ("00:00:02,500", "00:00:03,500", "A white wall"),
        ("00:00:09,000", "00:00:10,000", "The end"),
    ]
    write_srt(shelf / "mine.srt", *cues)
    before = held()[2]
    assert main(["import", "captions", "mine.srt", "--video", "film.mp4"]) == 3
    said = capsys.readouterr().err
    assert "mine.srt: 2 captions imported, 1 left out" in said
    assert "no clip is at 0:09.000-0:10.000; the last ends at 6.000 s" in said
    assert held() == [("A black hole.", True), ("A white wall", True), before]
    with open_index("vidembed-index") as index:
        assert index.search("white", channels=["caption"], k=1)[0].caption == "A white wall"
        assert len(list(index.caption(redo=True))) == 1
    assert held() == [("A black hole.", True), ("A white wall", True), before], "no model replaces them"


def test_an_export_comes_back_as_it_was(shelf: Path, capsys: Any) -> None:
    assert (
        main(["caption", "film.mp4@0:01", "--text", "A very long caption, " + "with many words, " * 8 + "of red"]) == 0
    )
    for name in ("out", "csv"):
        before = held()
        assert main(["export", f"--{name}", f"all.{'jsonl' if name == 'out' else name}"]) == 0
        assert main(["import", "captions", f"all.{'jsonl' if name == 'out' else name}"]) == 0
        assert "0 captions imported, 3 unchanged" in capsys.readouterr().err
        assert held() == before, "what a model wrote is still a model's"
    for kind in ("srt", "vtt"):
        texts = [text for text, _ in held()]
        assert main(["export", f"--{kind}", "subs"]) == 0
        assert main(["import", "captions", f"subs/film.{kind}"]) == 0
        assert held() == [(text, True) for text in texts]


def test_a_record_that_was_changed_is_a_persons(shelf: Path, capsys: Any) -> None:
    before = held()
    assert main(["export", "--out", "all.jsonl"]) == 0
    records = [json.loads(line) for line in Path("all.jsonl").read_text(encoding="utf-8").splitlines()]
    records[1]["text"] = "A green field"
    del records[2]["clip_id"]
    records[2]["text"] = "The sea"
    Path("all.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    assert main(["import", "captions", "all.jsonl"]) == 0
    assert held() == [before[0], ("A green field", True), ("The sea", True)]


BAD: list[tuple[str, str | None, str]] = [  # file, what is in it, what is said
    ("a.txt", "hello", "captions come from"),
    ("a.srt", "hello", "no subtitle in it"),
    ("missing.srt", None, "No such file"),
    ("a.jsonl", '{"text": "hi"}\n', "line 1 has no time"),
    ("a.jsonl", "{}\n", "line 1 has no text"),
    ("a.jsonl", "[1]\n", "line 1 is no object"),
    ("a.jsonl", "{\n", "line 1 is not valid JSON"),
    ("a.jsonl", "", "no caption in it"),
    ("a.jsonl", '{"text": "hi", "start_s": 3, "end_s": 1}\n', "line 1: span needs"),
    ("a.jsonl", '{"text": " ", "start_s": 0, "end_s": 1, "path": "film.mp4"}\n', "needs some words"),
    ("a.jsonl", '{"text": "hi", "start_s": 0, "end_s": 1, "path": "other.mp4"}\n', "other.mp4"),
    ("a.csv", "start_s,end_s\n0,1\n", "no column 'text'"),
    ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nhi\n", "no video of this index has its name"),
]


def test_what_cannot_be_taken_in_is_said(shelf: Path, capsys: Any) -> None:
    before = held()
    for name, content, words in BAD:
        if content is not None:
            Path(name).write_text(content, encoding="utf-8")
        assert main(["import", "captions", name]) == 2, content
        assert words in capsys.readouterr().err
    assert held() == before


@pytest.fixture
def editor(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets an editor that changes what it opens by a Python expression over `text`."""

    def use(expression: str) -> None:
        script = shelf / "my editor.py"
        script.write_text(
            "import pathlib, sys\nfile = pathlib.Path(sys.argv[1])\ntext = file.read_text(encoding='utf-8')\n"
            f"file.write_text({expression}, encoding='utf-8')\n",
            encoding="utf-8",
        )
        monkeypatch.setenv("VISUAL", f'"{sys.executable}" "{script}"')

    return use


def test_captions_are_corrected_in_an_editor(shelf: Path, editor: Any, capsys: Any) -> None:
    before = held()
    editor("text")
    assert main(["caption", "--edit"]) == 0
    assert "nothing changed" in capsys.readouterr().err
    assert held() == before
    editor(f"text.replace('0:02.000-0:04.000  {before[1][0]}', '0:02.000-0:04.000  A lawn')")
    assert main(["caption", "film.mp4", "--edit"]) == 0
    assert "1 caption saved" in capsys.readouterr().err
    assert held() == [before[0], ("A lawn", True), before[2]]


def test_what_was_written_in_an_editor_is_not_lost(shelf: Path, editor: Any, capsys: Any) -> None:
    before = held()
    editor("text + '\\n0:99.000-1:00.000  A tree\\n'")
    assert main(["caption", "--edit"]) == 2
    said = capsys.readouterr().err
    assert "begins with the time of no clip: 0:99.000-1:00.000  A tree" in said
    kept = Path(said.rpartition(" is in ")[2].strip())
    assert kept.read_text(encoding="utf-8").endswith("A tree\n")
    assert held() == before


def test_one_caption_is_written_at_the_prompt(shelf: Path, capsys: Any) -> None:
    assert main(["caption", "film.mp4@0:05", "--text", "The sea"]) == 0
    assert held()[2] == ("The sea", True)
    assert main(["caption", "film.mp4", "--text", "The sea"]) == 2
    assert main(["caption", "--text", "The sea"]) == 2
    assert "one clip" in capsys.readouterr().err


def test_uncertain_captions_are_left_out_of_subtitles_search_and_titles(shelf: Path) -> None:
    with open_index("vidembed-index") as index:
        kept = index.parts.catalog.captions
        for number, caption in enumerate(index.captions()):
            kept.put([replace(caption, text=f"a {COLOURS[number]} wall", confident=number == 1)])
        (film,) = index.captioned()
        assert [cue.text for cue in film.cues] == ["a lime wall"]
        assert film.summary is not None
        assert film.summary.title == "Lime wall"
        assert {moment.caption for moment in index.search("red", k=3)} == {None, "a lime wall"}
        assert len(film.captions) == 3  # they stay in the records
        kept.put([replace(film.captions[1], confident=False)])
        (film,) = index.captioned()
        assert (film.cues, len(film.captions)) == ((), 3)
        assert film.summary is None or "wall" not in film.summary.title.lower()
    with open_index("vidembed-index", readonly=True, overrides=["caption.use_uncertain=true"]) as index:
        (film,) = index.captioned()
        assert [cue.text for cue in film.cues] == [f"a {colour} wall" for colour in COLOURS]
