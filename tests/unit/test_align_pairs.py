"""Pairs files: what is read, what is merged, and what is said of bad rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vidembed.align import read_pairs
from vidembed.errors import InputError, MediaNotFound
from vidembed.types import Span


def media(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"x")


def test_rows_of_one_media_are_one_item_with_several_texts(tmp_path: Path) -> None:
    media(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "p.csv").write_text(
        "file,caption,split\na.jpg,one,train\nb.jpg,two,dev\na.jpg,three,train\na.jpg,one,train\n"
    )
    found = read_pairs(tmp_path / "p.csv", modality="image")
    assert [(i.path.name, i.texts, i.split, i.line) for i in found.items] == [
        ("a.jpg", ("one", "three"), "train", 2),
        ("b.jpg", ("two",), "dev", 3),
    ]
    assert found.bad == ()
    assert [i.path.name for i in found.split("dev")] == ["b.jpg"]


def test_spans_of_one_file_are_items_of_their_own(tmp_path: Path) -> None:
    media(tmp_path, "a.mp4")
    rows = [
        {"media": "a.mp4", "modality": "video", "start_s": 0, "end_s": 2.5, "texts": ["x", " y "]},
        {"media": "a.mp4", "modality": "video", "start_s": 2.5, "end_s": 4, "text": "z"},
        {"media": "a.mp4", "modality": "audio", "text": "hum"},
    ]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = read_pairs(tmp_path / "p.jsonl")
    assert [(i.modality, i.span, i.texts) for i in found.items] == [
        ("video", Span(0, 2.5), ("x", "y")),
        ("video", Span(2.5, 4), ("z",)),
        ("audio", None, ("hum",)),
    ]


def test_bad_rows_are_reported_with_their_lines_and_skipped(tmp_path: Path) -> None:
    media(tmp_path, "a.jpg")
    lines = [
        '{"media": "a.jpg", "text": "good"}',
        '{"media": "gone.jpg", "text": "x"}',
        '{"media": "a.jpg", "text": "  "}',
        "not json",
        "",
        '{"media": "a.jpg", "text": "x", "start_s": 3, "end_s": 1}',
        '{"media": "a.jpg", "text": "x", "split": "tomorrow"}',
        '{"media": "a.jpg", "text": "x", "start_s": 0, "end_s": NaN}',
        '{"text": "x"}',
        '{"media": "a.jpg", "text": "x", "split": "dev"}',
        "[1]",
    ]
    (tmp_path / "p.jsonl").write_text("\n".join(lines))
    found = read_pairs(tmp_path / "p.jsonl", modality="image")
    assert [i.texts for i in found.items] == [("good",)]
    reasons = {row.line: row.reason for row in found.bad}
    assert sorted(reasons) == [2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert "missing media 'gone.jpg'" in reasons[2]
    assert "empty text" in reasons[3]
    assert "not valid JSON" in reasons[4]
    assert "split 'tomorrow'" in reasons[7]
    assert "in split '' and in 'dev'" in reasons[10]
    assert str(found.bad[0]) == "p.jsonl:2: missing media 'gone.jpg'"


def test_nothing_usable_is_an_error_that_names_the_first_reasons(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("media,text\ngone.jpg,x\n")
    with pytest.raises(InputError, match=r"p\.csv:2: missing media 'gone\.jpg'"):
        read_pairs(tmp_path / "p.csv", modality="image")
    (tmp_path / "empty.csv").write_text("media,text\n")
    with pytest.raises(InputError, match="no rows"):
        read_pairs(tmp_path / "empty.csv", modality="image")


def test_modality_is_named_not_guessed(tmp_path: Path) -> None:
    media(tmp_path, "a.jpg")
    (tmp_path / "p.csv").write_text("media,text\na.jpg,x\n")
    with pytest.raises(InputError, match="modality None; allowed: image, audio, video"):
        read_pairs(tmp_path / "p.csv")


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFound, match="no pairs file") as caught:
        read_pairs(tmp_path / "none.csv")
    assert "columns media and text" in caught.value.hint
    (tmp_path / "p.txt").write_text("x")
    with pytest.raises(InputError, match="none of .csv"):
        read_pairs(tmp_path / "p.txt")
    (tmp_path / "p.csv").write_bytes(b"media,text\n\xff\xfe,x\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_pairs(tmp_path / "p.csv", modality="image")
