"""Every example of the README runs, on small generated media, and every link in it leads somewhere."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from media_factory import Media
from PIL import Image

from vidembed.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, media: Media, monkeypatch: Any) -> Path:
    """What the examples speak of: videos/, film.mp4 and photo.jpg."""
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("tone.mp4", "three_shots.mp4"):
        (videos / name).write_bytes(media.path(name).read_bytes())
    (tmp_path / "film.mp4").write_bytes(media.path("three_shots.mp4").read_bytes())
    Image.new("RGB", (64, 48), "red").save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("typer.get_app_dir", lambda name: str(tmp_path / name))
    return tmp_path


def test_the_commands_run(folder: Path, capsys: Any) -> None:
    commands = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    assert len(commands) >= 8
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "vidembed"
        if "+ocr_words" in arguments:
            pytest.importorskip("rapidocr")
        assert main(arguments) == 0, f"{command}: {capsys.readouterr().err}"
    written = [json.loads(line) for line in (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines()]
    captions = [line for line in written if line["kind"] == "caption"]
    assert {Path(line["path"]).name for line in captions} == {"three_shots.mp4", "tone.mp4"}
    sure = {Path(line["path"]).with_suffix(".srt").name for line in captions if line["confident"]}
    assert {path.name for path in (folder / "subtitles").iterdir()} == sure, "uncertain captions make no subtitles"


def test_the_python_runs(folder: Path) -> None:
    (code,) = blocks("python")
    exec(compile(code, "README.md", "exec"), {})
    assert (folder / "tone.srt").exists()


def test_every_named_option_and_profile_exists(capsys: Any) -> None:
    from vidembed.config.load import profiles

    for name in re.findall(r"^\| `(\w+)`", README, flags=re.MULTILINE):
        assert name in profiles()
    for line in (line for block in blocks("sh") for line in block.splitlines() if line.startswith("vidembed")):
        command = shlex.split(line)[1:]
        assert main([*[word for word in command if not word.startswith(("-", "http"))], "--help"]) == 0


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    missing = [link for link in links if not link.startswith("http") and not (ROOT / link).exists()]
    assert not missing
