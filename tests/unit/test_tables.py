"""Parquet in place of CSV and JSON Lines: lists of videos, pairs, and captions out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vidembed.align.pairs import read_pairs
from vidembed.captions.export import Outputs
from vidembed.captions.run import CaptionedVideo
from vidembed.errors import InputError, MediaNotFound, MissingDependency
from vidembed.media.files import find_videos, survey
from vidembed.tables import read_rows
from vidembed.types import Candidate, Caption, Clip, Span

pyarrow = pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
from pyarrow import parquet  # noqa: E402


def table(path: Path, **columns: list[object]) -> Path:
    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_a_list_names_videos_and_their_tags(tmp_path: Path) -> None:
    for name in ("a.mp4", "b, c.mp4"):
        (tmp_path / name).write_bytes(b"x")
    a, b = tmp_path / "a.mp4", tmp_path / "b, c.mp4"
    rows = table(tmp_path / "list.parquet", year=[2024, None], Path=["a.mp4", "b, c.mp4"], seen=[True, False])
    assert find_videos(rows) == [a, b]
    assert survey(rows).files == {a: {"year": "2024", "seen": "true"}, b: {"seen": "false"}}


def test_wrong_lists_are_named(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFound, match="row 1 has no path; it must be text in a column named path, file, video"):
        find_videos(table(tmp_path / "columns.parquet", name=["a.mp4"]))
    (tmp_path / "junk.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(MediaNotFound, match="no readable Parquet file"):
        find_videos(tmp_path / "junk.parquet")


def test_pairs_may_hold_several_texts_and_spans(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    file = table(
        tmp_path / "pairs.parquet",
        media=["a.mp4", "a.mp4", "gone.mp4"], texts=[["x", "y"], ["z"], ["w"]],
        start_s=[0.0, 2.5, None], end_s=[2.5, 4.0, None],
    )  # fmt: skip
    found = read_pairs(file, modality="video")
    assert [(item.span, item.texts) for item in found.items] == [(Span(0, 2.5), ("x", "y")), (Span(2.5, 4), ("z",))]
    assert [str(row) for row in found.bad] == ["pairs.parquet:3: missing media 'gone.mp4'"]


def captioned(text: str) -> CaptionedVideo:
    clip = Clip.make("0" * 32, 0, Span(0.0, 2.0))
    candidates = (Candidate(text, {"vision": 0.5}), Candidate("other", {}))
    return CaptionedVideo("0" * 32, Path("/v/a.mp4"), (Caption(clip, text, 0.25, candidates, "m"),), None)


def test_captions_come_back_as_they_were(tmp_path: Path) -> None:
    with Outputs(parquet=tmp_path / "new" / "captions.parquet") as outputs:
        assert outputs.any
        outputs.write(captioned("=a bike"))
    (row,) = read_rows(tmp_path / "new" / "captions.parquet")
    assert (row["path"], row["start_s"], row["end_s"], row["text"]) == ("/v/a.mp4", 0.0, 2.0, "=a bike")
    assert (row["score"], row["confident"], row["human"], row["model"]) == (0.25, True, False, "m")
    assert [(c["text"], dict(c["scores"])) for c in row["candidates"]] == [("=a bike", {"vision": 0.5}), ("other", {})]


def test_a_run_that_breaks_off_leaves_the_last_table(tmp_path: Path) -> None:
    file = tmp_path / "captions.parquet"
    with Outputs(parquet=file) as outputs:
        outputs.write(captioned("first"))
    broken = Outputs(parquet=file, overwrite=True)
    broken.write(captioned("second"))
    broken.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert [row["text"] for row in read_rows(file)] == ["first"]
    assert [path.name for path in tmp_path.iterdir()] == ["captions.parquet"]


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(InputError, match="cannot write"):
        Outputs(parquet=tmp_path / "file" / "captions.parquet")


def test_without_pyarrow_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependency, match="needs the package 'pyarrow'") as caught:
        list(read_rows(tmp_path / "list.parquet"))
    assert caught.value.hint == "pip install 'vidembed[parquet]'"


def test_pyarrow_is_imported_only_when_a_file_is_opened() -> None:
    code = "import sys, vidembed.media.files, vidembed.captions.export; print('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
