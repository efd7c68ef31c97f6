"""Cues, subtitles, summaries and records."""

from __future__ import annotations

import csv
import html
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from subtitle_reading import read_srt, read_vtt

from vidembed.captions import export
from vidembed.captions.subtitles import Cue, clean, is_degenerate, srt, to_cues, vtt, write_srt
from vidembed.captions.summarise import summarise, title_of
from vidembed.errors import InputError
from vidembed.types import Caption, Clip, Failure, Span
from vidembed.vectors import unit_rows


def caption(start_s: float, end_s: float, text: str, score: float = 0.5) -> Caption:
    return Caption(Clip.make("b" * 32, 0, Span(start_s, end_s)), text, score, (), "test")


def test_neighbours_that_say_the_same_become_one_cue_with_the_better_text() -> None:
    cues = to_cues([caption(0, 5, "A dog runs."), caption(5, 10, "a dog runs.", 0.9), caption(10, 12, "A cat.")])
    assert [(c.span.start_s, c.span.end_s, c.text) for c in cues] == [(0, 10, "a dog runs."), (10, 12, "A cat.")]


def test_near_equal_texts_are_judged_by_embedding() -> None:
    vectors = {"a dog runs": [1, 0.05], "one dog is running": [1, 0], "a train": [0, 1]}
    captions = [caption(0, 5, "a dog runs"), caption(5, 10, "one dog is running"), caption(10, 15, "a train")]
    cues = to_cues(captions, embed=lambda texts: unit_rows(np.asarray([vectors[t] for t in texts], "f4")))
    assert [c.text for c in cues] == ["a dog runs", "a train"]
    assert cues[0].span == Span(0, 10)


def test_overlapping_windows_are_cut_where_the_next_begins() -> None:
    cues = to_cues([caption(0, 6, "one"), caption(4, 10, "two")])
    assert [(c.span.start_s, c.span.end_s) for c in cues] == [(0, 4), (4, 10)]


def test_a_gap_keeps_equal_texts_apart() -> None:
    assert len(to_cues([caption(0, 1, "same"), caption(30, 31, "same")])) == 2


@pytest.mark.parametrize(
    ("text", "degenerate"),
    [("a man walks", False), ("", True), ("no no no no no", True), ("very very good", False), ("ab cd " * 4, True)],
)
def test_degenerate_texts(text: str, degenerate: bool) -> None:
    assert is_degenerate(text) is degenerate


def test_srt_is_exact_and_disarms_arrows_and_tags() -> None:
    text = srt([Cue(Span(0, 1.5), "a --> b <b>bold</b>\nnext"), Cue(Span(3661.0005, 3662), "späť 日本語")])
    assert text == (
        "1\n00:00:00,000 --> 00:00:01,500\na → b ‹b›bold‹/b› next\n\n2\n01:01:01,000 --> 01:01:02,000\nspäť 日本語\n"
    )


def test_vtt_escapes_and_reads_back() -> None:
    cue = Cue(Span(1, 2), "x --> y & <i>z</i>")
    text = vtt([cue])
    assert "x --&gt; y &amp; &lt;i&gt;z&lt;/i&gt;" in text
    assert read_vtt(text) == [cue]


@given(
    st.lists(
        st.tuples(st.integers(0, 50_000_000), st.integers(1, 100_000), st.text(min_size=1, max_size=42)).filter(
            lambda entry: bool(clean(entry[2])) and "-->" not in entry[2] and not set("<>") & set(entry[2])
        ),
        max_size=5,
    )
)
def test_subtitles_round_trip_to_the_millisecond(entries: list[tuple[int, int, str]]) -> None:
    cues = [Cue(Span(start / 1000, (start + length) / 1000), clean(text)) for start, length, text in entries]
    assert read_srt(srt(cues)) == cues
    assert read_vtt(vtt(cues)) == cues


AWKWARD = [
    Cue(Span(0.0, 1.234), "a --> b"),
    Cue(Span(1.234, 59.999), "<b>bold</b> & <script>alert(1)</script>"),
    Cue(Span(3599.999, 3600.001), "späť 日本語 ភាសាខ្មែរ العربية 🐕"),
    Cue(Span(359998.0, 359999.5), "one line\n\nanother -->"),
]


def test_other_peoples_parsers_read_our_srt() -> None:
    pysrt = pytest.importorskip("pysrt")
    found = pysrt.from_string(srt(AWKWARD))
    assert [(item.start.ordinal, item.end.ordinal) for item in found] == [
        (0, 1234), (1234, 59_999), (3_599_999, 3_600_001), (359_998_000, 359_999_500)
    ]  # fmt: skip
    assert [item.text for item in found] == [
        "a → b", "‹b›bold‹/b› & ‹script›alert(1)‹/script›", AWKWARD[2].text, "one line another →"
    ]  # fmt: skip


def test_other_peoples_parsers_read_our_vtt() -> None:
    webvtt = pytest.importorskip("webvtt")
    found = webvtt.from_string(vtt(AWKWARD))
    assert [(item.start, item.end) for item in found] == [
        ("00:00:00.000", "00:00:01.234"), ("00:00:01.234", "00:00:59.999"), ("00:59:59.999", "01:00:00.001"),
        ("99:59:58.000", "99:59:59.500"),
    ]  # fmt: skip
    assert [html.unescape(item.text) for item in found] == [clean(cue.text) for cue in AWKWARD]
    assert not any("<" in item.raw_text for item in found)


def test_long_texts_are_laid_out_in_two_short_lines_at_a_time() -> None:
    text = " ".join(f"word{number:03d}" for number in range(120))  # 959 characters
    cues = read_srt(srt([Cue(Span(10.0, 70.0), text)]))
    assert all(len(line) <= 42 for cue in cues for line in cue.text.split("\n"))
    assert max(cue.text.count("\n") for cue in cues) == 1
    assert " ".join(cue.text.replace("\n", " ") for cue in cues) == text
    assert (cues[0].span.start_s, cues[-1].span.end_s) == (10.0, 70.0)
    assert all(one.span.end_s == other.span.start_s for one, other in itertools.pairwise(cues))


def test_writing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.srt"
    write_srt([Cue(Span(0, 1), "x")], target)
    assert read_srt(target.read_text(encoding="utf-8")) == [Cue(Span(0, 1), "x")]
    assert list(target.parent.iterdir()) == [target]
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_srt([], blocked / "a.srt")


AXES = {"a dog runs": [1, 0, 0], "a dog jumps": [0.98, 0.2, 0], "a train passes": [0, 1, 0.1], "a red train": [0, 1, 0]}


def embed(texts: list[str] | tuple[str, ...]) -> object:
    return unit_rows(np.asarray([AXES.get(t, [0.3, 0.3, 0.9]) for t in texts], "f4"))


def test_chapters_cut_where_the_scene_changes() -> None:
    captions = [
        caption(0, 30, "a dog runs"),
        caption(30, 60, "a dog jumps"),
        caption(60, 100, "a train passes"),
        caption(100, 140, "a red train"),
    ]
    summary = summarise(captions, embed=embed)  # type: ignore[arg-type]
    assert summary is not None
    assert [(c.span.start_s, c.span.end_s) for c in summary.chapters] == [(0, 60), (60, 140)]
    assert summary.chapters[0].text.startswith("Dog")
    assert "train" in summary.sentence  # trains fill more of the time
    assert summarise([], embed=embed) is None  # type: ignore[arg-type]


def test_hours_of_captions_are_summed_up() -> None:
    words = ["a dog runs", "a train passes"]
    captions = [caption(n * 2, n * 2 + 2, words[n // 1000 % 2]) for n in range(9000)]
    summary = summarise(captions, embed=embed)  # type: ignore[arg-type]
    assert summary is not None
    assert [(c.span.start_s, c.span.end_s) for c in summary.chapters] == [(n * 2000, (n + 1) * 2000) for n in range(9)]


def test_titles() -> None:
    assert title_of("A man in a red shirt rides a bike down the long street.") == "Man in a red shirt rides a bike"
    assert title_of("A girl in a blue dress is standing in front of a house") == "Girl in a blue dress standing"
    assert title_of("Dogs are running in front of a red house") == "Dogs running in front of a red house"
    assert title_of("1 2 3 4 5 6 7 8 9 10") == "1 2 3 4 5 6 7 8 9…"
    assert title_of("the dog.") == "Dog"


def test_records_survive_a_crash_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "captions.jsonl"
    with export.open_for_append(path) as handle:
        export.append_records(handle, [export.caption_record(caption(0, 1, "one"), "v.mp4")])
    with path.open("a") as handle:
        handle.write('{"schema": 1, "kind": "capt')
    assert [r["text"] for r in export.read_records(path)] == ["one"]
    with export.open_for_append(path) as handle:
        failure = Failure("c", "decode", "MediaUnreadable", "broken")
        export.append_records(handle, [export.failure_record(failure, "v.mp4")])
    assert [r["kind"] for r in export.read_records(path)] == ["caption", "failure"]


def test_another_schema_is_refused_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "old.jsonl"
    path.write_text(json.dumps({"schema": 1}) + "\n" + json.dumps({"schema": 99}) + "\n")
    with pytest.raises(InputError, match=r"old.jsonl:2 has schema 99"):
        list(export.read_records(path))
    path.write_text("not json\n")
    with pytest.raises(InputError, match=r"old.jsonl:1 is not a caption record"):
        list(export.read_records(path))


def test_csv_cells_cannot_run_as_formulas(tmp_path: Path) -> None:
    with export.open_table(tmp_path / "new" / "c.csv") as table:
        export.append_rows(table, [(caption(0, 1, "=HYPERLINK(1)"), Path("v.mp4"))])
    (row,) = csv.DictReader((tmp_path / "new" / "c.csv").read_text().splitlines())
    assert row["text"] == "'=HYPERLINK(1)"
    assert row["start_s"] == "0"
    with pytest.raises(InputError, match="cannot write"):
        export.open_table(tmp_path / "new" / "c.csv" / "d.csv")
