"""Clips for training, as the libraries of training read them: pyarrow and webdataset."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import toy_videos
import webdataset
from PIL import Image
from toy_index import filled

from vidembed import VideoIndex
from vidembed.cli import main
from vidembed.errors import InputError

WINDOWS = {"segment.kind": "windows", "segment.window_s": 2, "store.kind": "edge"}


@pytest.fixture
def index(tmp_path: Path) -> VideoIndex:
    toy_videos.make(tmp_path / "videos" / "red_blue.mp4", "red", "red", "blue", "blue", hz=200)
    toy_videos.make(tmp_path / "videos" / "green.mp4", "lime", "lime", hz=None)
    with filled(tmp_path / "index", tmp_path / "videos", **WINDOWS) as made:
        made.tag(tmp_path / "videos" / "green.mp4", {"camera": "front"})
        red = made.clips(tmp_path / "videos" / "red_blue.mp4")[0]
        made.write_captions({red.clip_id: "A red wall"})
        yield made


def test_a_table_of_clips(index: VideoIndex, tmp_path: Path) -> None:
    assert index.export_clips(parquet=tmp_path / "clips.parquet") == 3
    table = pyarrow.parquet.read_table(tmp_path / "clips.parquet")
    rows = sorted(table.to_pylist(), key=lambda row: (Path(row["path"]).name, row["index"]))
    assert [(Path(row["path"]).name, row["start_s"], row["end_s"], row["text"]) for row in rows] == [
        ("green.mp4", 0.0, 2.0, None),
        ("red_blue.mp4", 0.0, 2.0, "A red wall"),
        ("red_blue.mp4", 2.0, 4.0, None),
    ]
    assert dict(rows[0]["tags"]) == {"camera": "front"}
    assert (rows[1]["human"], rows[1]["score"]) == (True, 1.0)
    stored = index.rows("vision", [row["clip_id"] for row in rows], segments=False)
    for row in rows:
        np.testing.assert_array_equal(np.float32(row["vision_vector"]), stored[row["clip_id"]].vector)
    assert rows[0]["sound_vector"] is None  # green.mp4 is silent
    assert (len(rows[1]["caption_vector"]), rows[2]["caption_vector"]) == (14, None)
    made = json.loads(table.schema.metadata[b"vidembed"])
    assert (made["vision"]["model"], made["vision"]["dim"]) == ("toy", 14)
    assert made["vision"]["collection"] == index.parts.specs["vision"].collection
    with pytest.raises(InputError, match="exists"):
        index.export_clips(parquet=tmp_path / "clips.parquet")
    with pytest.raises(InputError, match="'speech'"):
        index.export_clips(parquet=tmp_path / "other.parquet", channels=["speech"])
    assert not (tmp_path / "other.parquet").exists()


def test_shards_of_clips(index: VideoIndex, tmp_path: Path) -> None:
    folder = tmp_path / "100% shards"
    green = tmp_path / "videos" / "green.mp4"
    assert index.export_clips(webdataset=folder) == 3
    assert index.export_clips([green], webdataset=folder, channels=["vision"], overwrite=True) == 1
    assert [file.name for file in folder.iterdir()] == ["clips-000000.tar"]
    (sample,) = webdataset.WebDataset(str(folder / "clips-000000.tar"), shardshuffle=False)
    facts = json.loads(sample["json"])
    assert (facts["path"], facts["end_s"], facts["tags"]) == (str(green), 2.0, {"camera": "front"})
    assert facts["vectors"]["vision"]["model"] == "toy"
    assert sample["__key__"] == facts["clip_id"]
    vector = np.load(io.BytesIO(sample["vision.npy"]))
    np.testing.assert_array_equal(vector, index.rows("vision", [facts["clip_id"]])[facts["clip_id"]].vector)
    red, green_part, blue = Image.open(io.BytesIO(sample["jpg"])).convert("RGB").getpixel((5, 5))
    assert green_part > 200 > 60 > max(red, blue)
    assert "txt" not in sample


def test_by_command_and_captions_back_in(index: VideoIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index.close()
    where = ["--index", str(tmp_path / "index")]
    assert main(["export", "--clips", str(tmp_path / "clips.parquet"), *where]) == 0
    assert "3 clips" in capsys.readouterr().err
    table = pyarrow.parquet.read_table(tmp_path / "clips.parquet")
    rows = zip(table["start_s"].to_pylist(), table["text"].to_pylist(), strict=True)
    changed = ["A blue wall" if start_s == 2.0 else text for start_s, text in rows]
    place = table.schema.get_field_index("text")
    pyarrow.parquet.write_table(table.set_column(place, "text", [changed]), tmp_path / "people.parquet")
    assert main(["import", "captions", str(tmp_path / "people.parquet"), *where]) == 0
    assert "1 caption imported, 1 unchanged" in capsys.readouterr().err
    assert main(["search", "blue wall", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["caption"] == "A blue wall"
