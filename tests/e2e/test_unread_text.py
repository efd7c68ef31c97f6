"""On-screen text in a script that is not read: counted, told, never searched; read once its recogniser is chosen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import hub_server
import numpy as np
import pytest
import tiny_recogniser
from PIL import Image

from vidembed import open_index
from vidembed.cli import main
from vidembed.models import registry

pytest.importorskip("rapidocr", reason="needs the extra ocr")

PICTURES = Path(__file__).parents[1] / "data" / "scripts"
CHANNEL = "channels.ocr_words"
SETTINGS = [f"{CHANNEL}.source=ocr", f"{CHANNEL}.model=words", f"{CHANNEL}.enabled=true"]


def filmed(pictures: list[np.ndarray], path: Path) -> Path:
    """Each picture for three seconds."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 10, options={"crf": "16"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            for _ in range(30):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_text_that_is_not_read_is_told_until_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [np.asarray(Image.open(PICTURES / f"{name}.png").convert("RGB")) for name in ("latin", "cyrillic")]
    video = filmed(shown, tmp_path / "station.mp4")
    where = str(tmp_path / "index")
    given = ["--index", where, *(piece for one in SETTINGS for piece in ("--set", one))]
    assert main(["index", str(video), "--channels", "ocr_words", *given]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "on screen, not read: 2 lines in Cyrillic script; to read: vidembed index" in told
    assert main(["transcript", "--written", "--index", where]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == [
        "Good morning, everyone",
        "Platform 7, 10:45",
        "[text in Cyrillic script, not read]",
        "[text in Cyrillic script, not read]",
    ]
    assert main(["transcript", "--written", "--format", "json", "--index", where]) == 0
    record = json.loads(capsys.readouterr().out)
    assert {one["script"] for one in record["unread"]} == {"cyrillic"}
    assert record["unread"][0]["start_s"] == pytest.approx(3.0, abs=0.6)
    assert main(["transcript", "--written", "--format", "srt", "--index", where]) == 0
    assert "script" not in capsys.readouterr().out

    (tmp_path / "served").mkdir()
    file = tiny_recogniser.write(tmp_path / "served" / "rec.onnx")
    known = registry.find("ocr-cyrillic", "ocr")
    with hub_server.running() as hub:
        hub_server.use(hub, tmp_path / "cache", monkeypatch)
        hub.add("some/models", tmp_path / "served", commit="1" * 40)
        url = f"{hub.url}/some/models/resolve/{'1' * 40}/rec.onnx"
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        monkeypatch.setitem(
            registry._registry(), ("ocr", known.name), replace(known, url=url, files={"rec.onnx": sha256})
        )
        scripts = f"{CHANNEL}.source_options.scripts=[cyrillic]"
        assert main(["index", "--index", where, "--reencode", "ocr_words", "--set", scripts]) == 0
        assert "not read" not in capsys.readouterr().err
    with open_index(where, readonly=True) as index:
        assert index.info().unread == {}
        written = index.transcript(str(video), kind="ocr")
        assert written is not None
        assert [set(line.text) for line in written.lines[2:]] == [set(tiny_recogniser.LETTERS)] * 2
