"""Files damaged afresh each time, by chance: none of them ends a run, hangs it or is left out of its report."""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from media_factory import Media

from vidembed.demo import demo_videos
from vidembed.errors import VidembedError
from vidembed.media.files import find_videos

FILES, FEW, MOST_S = 300, 60, 1800
_PLAIN = (
    "three_shots.mp4",
    "tone.mp4",
    "vfr.mp4",
    "audio_only.m4a",
    "subtitled.mkv",
    "mpeg4.avi",
    "mpeg2.ts",
    "mjpeg.mov",
)


def flip_bits(content: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.randint(1, 200)):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return content


def zero(content: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.randint(1, 5)):
        start, size = chance.randrange(len(content)), chance.randint(10, 5000)
        content[start : start + size] = bytes(min(size, len(content) - start))
    return content


def cut(content: bytearray, chance: random.Random) -> bytearray:
    return content[: chance.randrange(1, len(content))]


def swap(content: bytearray, chance: random.Random) -> bytearray:
    size = min(chance.randint(100, 4000), len(content) // 3)
    one, other = (chance.randrange(len(content) - size) for _ in range(2))
    piece = content[one : one + size]
    content[one : one + size] = content[other : other + size]
    content[other : other + size] = piece
    return content


@pytest.mark.slow
@pytest.mark.timeout(2 * MOST_S + 100)
def test_no_damaged_file_ends_a_run(media: Media, tmp_path: Path, full: bool) -> None:
    """VIDEMBED_TEST_VIDEOS names a folder of videos of one's own that are damaged (as copies), too."""
    own = os.environ.get("VIDEMBED_TEST_VIDEOS")
    originals = [*real_videos(), *(media.path(name) for name in _PLAIN)]
    originals += [path for path in find_videos(own) if path.stat().st_size < 5_000_000] if own else []
    seed = secrets.randbits(32)
    chance = random.Random(seed)
    library = tmp_path / "library"
    library.mkdir()
    for number in range(FILES if full else FEW):
        original, damage = chance.choice(originals), chance.choice([flip_bits, zero, cut, swap])
        content = damage(bytearray(original.read_bytes()), chance)
        (library / f"{number:03d}-{damage.__name__}{original.suffix}").write_bytes(content)
    report = json.loads(
        ended(seed, "index", str(library), "--index", str(tmp_path / "index"), "--profile", "toy", "--json")
    )
    failed = {failure["item"] for failure in report["failed"]}
    told = {Path(path).name for path in {*report["done"], *report["unchanged"], *failed}}
    assert told == {path.name for path in library.iterdir()}, seed
    assert all(failure["message"] for failure in report["failed"]), seed
    ended(seed, "caption", "--index", str(tmp_path / "index"), "--model", "toy-captioner")
    print(f"{len(told) - len(failed)} done, {len(failed)} failed, {len(report['damaged'])} damaged")


def ended(seed: int, *arguments: str) -> str:
    """What a command prints that ends as it should."""
    command = [sys.executable, "-m", "vidembed", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=MOST_S, check=False)
    assert run.returncode in (0, 3), (seed, run.stderr[-2000:])
    assert "Traceback" not in run.stderr, (seed, run.stderr[-2000:])
    print(f"{arguments[0]}: {run.stderr.count('a decoder crashed')} crashes of decoders")
    return run.stdout


def real_videos() -> list[Path]:
    """Filmed ones, where the extra demo is installed."""
    try:
        return [path for path in demo_videos() if path.stat().st_size < 5_000_000]
    except VidembedError:
        return []
