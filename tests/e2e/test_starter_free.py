"""The profile for use at work, as a user meets it: index, search, captions, and what `doctor` says of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from media_factory import ffmpeg_program
from PIL import Image

from vidembed.cli import main

NOISE = {"china": ["-f", "lavfi", "-i", "anoisesrc=amplitude=0.3"], "flower": []}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of two seconds, each a photograph that scikit-learn brings; over the temple there is noise."""
    sklearn = pytest.importorskip("sklearn.datasets")
    folder = tmp_path_factory.mktemp("free")
    (folder / "films").mkdir()
    for name in ("china", "flower"):
        Image.fromarray(sklearn.load_sample_image(f"{name}.jpg")).resize((320, 212)).save(folder / f"{name}.png")
        made = ["-loop", "1", "-i", folder / f"{name}.png", *NOISE[name], "-t", "2", "-r", "5", "-pix_fmt", "yuv420p"]
        subprocess.run([ffmpeg_program(), "-v", "error", *made, folder / "films" / f"{name}.mp4"], check=True)
    assert main(["index", str(folder / "films"), "--index", str(folder / "index"), "--profile", "starter-free"]) == 0
    return folder / "index"


def test_clips_are_found_and_captioned_by_models_for_work(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    for asked, name in (("a flower in a garden", "flower.mp4"), ("a temple with a curved roof", "china.mp4")):
        assert main(["search", asked, "--index", str(index), "--json"]) == 0
        first = json.loads(capsys.readouterr().out.splitlines()[0])
        assert Path(first["path"]).name == name
    assert main(["search", "white noise", "--channels", "sound", "--index", str(index), "--json"]) == 0
    assert [Path(json.loads(line)["path"]).name for line in capsys.readouterr().out.splitlines()] == ["china.mp4"]
    captions = index.parent / "captions.jsonl"
    assert main(["caption", "--index", str(index), "--out", str(captions)]) == 0, capsys.readouterr().err
    written = [json.loads(line) for line in captions.read_text().splitlines()]
    assert {caption["model"].partition("#")[0] for caption in written if caption["kind"] == "caption"} == {"retrieval"}
    capsys.readouterr()
    assert main(["models", "--profile", "starter-free", "--json"]) == 0
    assert all(json.loads(line)["commercial"] for line in capsys.readouterr().out.splitlines())
    assert main(["doctor", "--index", str(index), "--json"]) == 0
    found = {row["check"]: row["detail"] for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["index"].endswith("models: starter-free (Apache-2.0), minilm (Apache-2.0), words (Apache-2.0)")
    assert "starter-free" in found["starter model"]
    assert "non-commercial" in found["starter model"]
