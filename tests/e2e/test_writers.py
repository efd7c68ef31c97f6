"""One rule for every command that writes: what exists stays, unless --overwrite is given (toy profile)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy_videos

from vidembed import open_index
from vidembed.cli import main
from vidembed.media.reading.probe import probe


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of one captioned video with subtitles."""
    folder = tmp_path_factory.mktemp("writers")
    toy_videos.make(folder / "film.mp4", "red", "lime", "blue", second_each=2.0)
    (folder / "film.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nhello\n", encoding="utf-8")
    (folder / "q.jsonl").write_text(
        '{"text": "red", "video": "film.mp4", "start_s": 0, "end_s": 2}\n', encoding="utf-8"
    )
    with open_index(folder / "vidembed-index", profile="toy") as index:
        index.add(folder / "film.mp4")
        assert len(list(index.caption())) == 1
    return folder


@pytest.fixture
def shelf(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder; what a test writes there is taken away again."""
    monkeypatch.chdir(made)
    monkeypatch.setattr("typer.get_app_dir", lambda name: str(tmp_path / name))
    before = set(made.iterdir())
    yield made
    monkeypatch.chdir(tmp_path)
    for path in set(made.iterdir()) - before:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


WRITERS = {  # command -> the file it writes
    "cut film.mp4 0 1 out.mp4": "out.mp4",
    "search red -k 1 --cut parts": "parts/01_film_0.0s.mp4",
    "search red -k 1 --reel out.mp4": "out.mp4",
    "sheet film.mp4 --out out.jpg": "out.jpg",
    "transcript film.mp4 --out out.srt -i none": "out.srt",
    "transcript film.mp4 --out texts --format vtt -i none": "texts/film.vtt",
    "export --csv out.csv": "out.csv",
    "export --parquet out.parquet": "out.parquet",
    "export --srt subs": "subs/film.srt",
    "export --vtt subs": "subs/film.vtt",
    "export --sidecar": "film.captions.srt",
    "caption --csv out.csv": "out.csv",
    "evaluate run q.jsonl --out out.json": "out.json",
    "evaluate run q.jsonl --html out.html": "out.html",
}


@pytest.mark.parametrize("command", WRITERS)
def test_a_file_that_exists_is_replaced_only_when_that_is_said(shelf: Path, capsys: Any, command: str) -> None:
    if "parquet" in command:
        pytest.importorskip("pyarrow")
    arguments, file = command.split(), shelf / WRITERS[command]
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    capsys.readouterr()
    assert main(arguments) in (2, 3)
    said = capsys.readouterr().err
    assert f"{file.name} exists" in said
    assert "--overwrite" in said
    assert file.read_text() == "mine"
    assert main([*arguments, "--overwrite"]) == 0, capsys.readouterr().err
    assert file.read_bytes() != b"mine"
    assert not list(shelf.rglob("*.part*")), "nothing half done stays"


def test_a_run_that_comes_again_finds_its_own_subtitles(shelf: Path) -> None:
    assert main(["caption", "--srt", "subs", "--sidecar"]) == 0
    assert main(["caption", "--srt", "subs", "--sidecar"]) == 0, "they say the same"


def test_a_table_that_was_not_begun_is_not_in_the_way(shelf: Path) -> None:
    assert main(["export", "nowhere.mp4", "--csv", "out.csv"]) == 2
    assert not Path("out.csv").exists()
    assert main(["export", "--csv", "out.csv"]) == 0


@pytest.mark.parametrize(("name", "codec"), [("a.mov", "h264"), ("a.mkv", "h264"), ("a.webm", "vp9")])
def test_the_name_chooses_the_container(shelf: Path, name: str, codec: str) -> None:
    import av

    for arguments in (["search", "red", "-k", "1", "--reel", f"r{name}"], ["cut", "film.mp4", "0", "1", name]):
        assert main(arguments) == 0
    for file in (name, f"r{name}"):
        assert probe(Path(file)).codec == codec
        with av.open(file) as container:
            kinds = {".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
            assert kinds[Path(file).suffix] in container.format.name


def test_a_name_without_a_container_is_refused(shelf: Path, capsys: Any) -> None:
    for arguments in (["search", "red", "--reel", "out"], ["search", "red", "--reel", "out.avi"]):
        assert main(arguments) == 2
        assert ".mp4, .m4v, .mov, .mkv, .webm" in capsys.readouterr().err
    assert main(["cut", "film.mp4", "0", "1", "out.jpg"]) == 2
    assert "out.jpg: no container for it" in capsys.readouterr().err


def test_what_a_cut_had_to_change_is_said(shelf: Path, capsys: Any) -> None:
    assert main(["cut", "film.mp4", "4", "60", "end.mp4"]) == 0
    assert capsys.readouterr().err == "wrote end.mp4; the video ends at 0:06.000\n"
    assert main(["cut", "film.mp4", "1.5", "2", "copy.mp4", "--lossless"]) == 0
    assert "wrote copy.mp4; it begins at the keyframe 0:0" in capsys.readouterr().err
    assert main(["cut", "film.mp4", "7", "8", "late.mp4"]) == 2
    assert "begins after its end (6.000 s)" in capsys.readouterr().err
