"""The calculator: figures that a person can work out."""

from __future__ import annotations

import json

import pytest

from vidembed.cli import main
from vidembed.config.load import load_config
from vidembed.index.planning import plan

VISION = {"vision": {"source": "frames", "model": "mobileclip2-s0"}}
ONE = {"channels": VISION, "sample.rate_hz": 1.0}


def test_one_channel_of_512_dimensions_by_hand() -> None:
    config = load_config("base", None, {**ONE, "store.kind": "server", "store.url": "http://x", "store.replicas": 2})
    assert [name for name, channel in config.channels.items() if channel.enabled] == ["vision"]
    found = plan(config, 1000, speed=20, clip_s=4)
    assert (found.clips, found.vectors, found.segments, found.machine_hours) == (900_000, 900_000, 3_600_000, 50)
    none, scalar, turbo4 = found.needs
    assert none.memory_bytes == 2 * 900_000 * (512 * 4 + 150)
    assert scalar.memory_bytes == 2 * 900_000 * (512 + 150)
    assert turbo4.memory_bytes == 2 * 900_000 * (256 + 150)
    assert none.disk_bytes == pytest.approx(2 * 1.3 * 900_000 * (300 + 150 + 512 * 4 + 4 * 512 * 2))
    assert scalar.disk_bytes - none.disk_bytes == pytest.approx(2 * 1.3 * 900_000 * 512)


def test_what_was_not_measured_is_not_guessed() -> None:
    assert plan(load_config("starter"), 17).machine_hours == 1
    found = plan(load_config("gpu"), 1)
    assert found.machine_hours is None
    assert found.assumed == ("sound",)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--hours", "1e6", "--profile", "gpu", "--speed", "50", "--price", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["machine_hours"], found["money"]) == (20_000, 40_000)
    assert main(["plan", "--hours", "100", "--profile", "starter", "--store", "edge"]) == 0
    assert "90,000 clips" in capsys.readouterr().out
