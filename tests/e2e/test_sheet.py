"""Contact sheets of shots and of moments: each tile is the colour that is shown then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from media_factory import BLUE, GREEN, RED, Media
from toy_index import filled

import vidembed as ve
from vidembed.cli import main
from vidembed.errors import BadQuery
from vidembed.media.editing.sheet import Tile, label


def tiles_of(sheet: np.ndarray, columns: int, rows: int) -> list[list[int]]:
    """The colour in the upper middle of each tile."""
    height, width = sheet.shape[0] / rows, sheet.shape[1] / columns
    return [
        sheet[int((row + 0.4) * height), int((column + 0.5) * width)].astype(int).tolist()
        for row in range(rows)
        for column in range(columns)
    ]


def test_a_tile_for_each_shot_in_order(media: Media) -> None:
    tiles = ve.Tile.of_shots(media.path("late.mp4"))
    assert [(tile.span.start_s, tile.span.end_s) for tile in tiles] == [
        pytest.approx(span) for span in ((0.0, 1.2), (1.2, 1.64), (1.64, 3.64))
    ]
    sheet = ve.contact_sheet(tiles, columns=3, tile_px=64)
    assert sheet.shape == (4 + 36 + 18 + 4, 3 * 68 + 4, 3)
    assert tiles_of(sheet, 3, 1) == [pytest.approx(colour, abs=12) for colour in (RED, GREEN, BLUE)]


def test_labels_say_when_and_where_from(tmp_path: Path) -> None:
    tile = Tile(tmp_path / "film.mp4", ve.Span(1.2, 61.64), 2.0)
    assert label(tile, named=False) == "0:01.2-1:01.6"
    assert label(tile, named=True) == "0:01.2-1:01.6  film.mp4"


def test_no_tile_is_no_sheet() -> None:
    with pytest.raises(BadQuery, match="1 to 400 tiles, got 0"):
        ve.contact_sheet([])


def test_the_command_writes_shots_and_moments(media: Media, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = media.path("late.mp4")
    assert main(["sheet", str(film), "--out", str(tmp_path / "shots.png"), "--columns", "3", "--width", "64"]) == 0
    shots = np.asarray(PIL.Image.open(tmp_path / "shots.png"))
    assert tiles_of(shots, 3, 1) == [pytest.approx(colour, abs=12) for colour in (RED, GREEN, BLUE)]
    with filled(tmp_path / "index", film, **{"store.kind": "edge"}):
        pass
    asked = ["sheet", "blue", "--tiles", "1", "--width", "64", "--index", str(tmp_path / "index")]
    assert main([*asked, "--out", str(tmp_path / "blue.jpg")]) == 0
    (colour,) = tiles_of(np.asarray(PIL.Image.open(tmp_path / "blue.jpg")), 1, 1)
    assert colour == pytest.approx(BLUE, abs=20)
    capsys.readouterr()
    for what, told in (("flim.mp4", "flim.mp4: no such file"), (str(tmp_path), "not a folder")):  # no words
        assert main(["sheet", what, "--out", str(tmp_path / "x.jpg"), "--index", str(tmp_path / "index")]) == 2
        assert told in capsys.readouterr().err
    assert main(["sheet", str(film), "--out", str(tmp_path / "shots.txt")]) != 0
    assert ".jpg, .png or .webp" in capsys.readouterr().err
