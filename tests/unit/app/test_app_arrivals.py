"""Uploads piece by piece: what has arrived, what is refused, what is forgotten."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import toy_videos
from starlette.testclient import TestClient

from vidembed.errors import InputError
from vidembed.web import AppSettings, Site, make_server
from vidembed.web.arrivals import KEEP_S, PIECE_BYTES, Arrivals
from vidembed.web.library_tab import act


@pytest.fixture
def arrivals(tmp_path: Path) -> Arrivals:
    return Arrivals(tmp_path / "arriving", max_bytes=100, at_once=2)


def test_pieces_are_joined_and_those_from_elsewhere_left_out(arrivals: Arrivals) -> None:
    arrival = arrivals.begin("../../a film.mp4", 6)
    assert arrivals.put(arrival, 0, b"abc") == 3
    assert arrivals.put(arrival, 0, b"abc") == 3  # sent twice after a lost answer
    assert arrivals.put(arrival, 5, b"f") == 3
    assert arrivals.put(arrival, 3, b"def") == 6
    taken = arrivals.taken(arrival, "../../a film.mp4")
    assert (taken.name, taken.read_bytes()) == ("a film.mp4", b"abcdef")
    arrivals.drop(arrival)
    assert not taken.exists()


@pytest.mark.parametrize(("name", "size", "why"), [("a.txt", 9, "not a video"), ("a.mp4", 0, "empty"),
                                                   ("a.mp4", 101, "allowed")])  # fmt: skip
def test_what_would_be_refused_at_the_end_is_refused_before(arrivals: Arrivals, name: str, size: int, why: str) -> None:
    with pytest.raises(InputError, match=why):
        arrivals.begin(name, size)


def test_more_than_was_said_is_refused(arrivals: Arrivals) -> None:
    arrival = arrivals.begin("a.mp4", 1)
    with pytest.raises(InputError, match="allowed"):
        arrivals.put(arrival, 0, b"x" * 101)
    assert arrivals.held(arrival) == 0


@pytest.mark.parametrize("arrival", ["", "..", "../x", "0" * 31, "0" * 32, "g" * 32])
def test_ids_cannot_be_guessed(arrivals: Arrivals, arrival: str) -> None:
    with pytest.raises(InputError, match="no such upload"):
        arrivals.put(arrival, 0, b"x")
    with pytest.raises(InputError, match="no such upload"):
        arrivals.taken(arrival, "a.mp4")
    arrivals.drop(arrival)


def test_too_many_are_refused_until_old_ones_are_swept(arrivals: Arrivals) -> None:
    first, _ = arrivals.begin("a.mp4", 1), arrivals.begin("b.mp4", 1)
    with pytest.raises(InputError, match="2 uploads are on their way"):
        arrivals.begin("c.mp4", 1)
    arrivals.sweep(now_s=time.time() + KEEP_S - 60)
    assert arrivals.held(first) == 0
    arrivals.sweep(now_s=time.time() + KEEP_S + 60)
    with pytest.raises(InputError, match="no such upload"):
        arrivals.held(first)


def test_over_http_into_the_library(site: Site, tmp_path: Path) -> None:
    film = toy_videos.make(tmp_path / "made" / "yellow.mp4", "yellow", hz=None).read_bytes()
    guard = make_server(site.index, AppSettings(max_upload_mb=1, max_uploads=2))
    with TestClient(guard, base_url="http://127.0.0.1") as web:
        begun = web.post("/arrivals", params={"name": "my yellow.mp4", "size": len(film)}).json()
        half = len(film) // 2
        address = f"/arrivals/{begun['id']}"
        assert web.put(address, params={"at": 0}, content=film[:half]).json() == {"held": half}
        assert web.get(address).json() == {"held": half}  # as after a reload
        assert web.put(address, params={"at": half}, content=film[half:]).json() == {"held": len(film)}
        assert web.put(address, params={"at": 0}, content=b"x" * (PIECE_BYTES + 1)).status_code == 404
        given = json.dumps([{"id": begun["id"], "name": "my yellow.mp4"}])
        assert act(guard.site, "arrived", {"files": given}) == ""
        assert guard.site.jobs.wait(60)
        assert "my yellow.mp4" in {record.info.path.name for record in guard.site.index.videos()}
        assert web.get(address).status_code == 404
        other = web.post("/arrivals", params={"name": "b.mp4", "size": 9}).json()["id"]
        assert web.delete(f"/arrivals/{other}").status_code == 204
        assert web.get(f"/arrivals/{other}").status_code == 404


def test_a_page_that_only_shows_takes_nothing(site: Site) -> None:
    guard = make_server(site.index, AppSettings(readonly=True))
    with TestClient(guard, base_url="http://127.0.0.1") as web:
        assert web.post("/arrivals", params={"name": "a.mp4", "size": 9}).status_code in (404, 405)
