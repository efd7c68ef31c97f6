"""Processes that read a store beside the one that has it open."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from vidembed.config.schema import StoreSettings
from vidembed.errors import IndexBusy, StoreError
from vidembed.index.stores import open_store
from vidembed.index.stores.shared import SharedStore, _connected
from vidembed.types import Clip, Row, Space, Span

NAME, SPACE = "vision.00000001", Space("toy", 4)


def row(place: int) -> Row:
    vector = np.zeros(4, np.float32)
    vector[place] = 1.0
    return Row(Clip.make("v" * 32, place, Span(place, place + 1)), vector)


def opener(folder: Path) -> Callable[[], SharedStore]:
    return lambda: SharedStore(lambda: open_store(StoreSettings(), folder=folder), folder)


@contextmanager
def store(folder: Path) -> Iterator[SharedStore]:
    opened = opener(folder)()
    try:
        yield opened
    finally:
        opened.close()


def best(reader: SharedStore, place: int) -> str:
    return reader.search(NAME, np.eye(4, dtype=np.float32)[place], k=1)[0][0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with store(tmp_path / "vectors") as owner:
        owner.create(NAME, SPACE)
        owner.put(NAME, [row(0), row(1)])
        owner.set_alias("vision", NAME)
    return tmp_path / "vectors"


def test_a_reader_sees_what_the_owner_writes(folder: Path) -> None:
    with store(folder) as owner, store(folder) as reader:
        assert (owner.owned, reader.owned) == (True, False)
        assert best(reader, 1) == row(1).clip.clip_id
        owner.put(NAME, [row(2)])
        assert reader.count(NAME) == 3
        assert best(reader, 2) == row(2).clip.clip_id
        assert reader.aliases() == {"vision": NAME}
        assert reader.collections() == {NAME: SPACE}
        own, theirs = (list(given.scan(NAME, segments=True, batch=2)) for given in (owner, reader))
        assert [[one.clip for one in part] for part in own] == [[one.clip for one in part] for part in theirs]
        assert [len(part) for part in theirs] == [2, 1]
        assert set(reader.rows(NAME, [row(0).clip.clip_id, "nothing"])) == {row(0).clip.clip_id}


def test_a_reader_cannot_write_and_errors_are_the_owner_s(folder: Path) -> None:
    with store(folder) as owner, store(folder) as reader:
        with pytest.raises(IndexBusy, match="in use by"):
            reader.put(NAME, [row(3)])
        with pytest.raises(StoreError, match="nowhere"):
            reader.search("nowhere", np.ones(4, np.float32), k=1)
        assert owner.count(NAME) == 2


def test_when_the_owner_closes_the_reader_has_the_store(folder: Path) -> None:
    with store(folder) as owner, store(folder) as reader, store(folder) as other:
        assert best(reader, 0) == best(other, 0) == row(0).clip.clip_id
        owner.close()
        assert best(reader, 0) == best(other, 0) == row(0).clip.clip_id
        assert [reader.owned, other.owned].count(True) == 1


def test_when_the_owner_is_killed_the_reader_has_the_store(folder: Path) -> None:
    program = """
        import sys
        from pathlib import Path
        from vidembed.config.schema import StoreSettings
        from vidembed.index.stores import open_store
        from vidembed.index.stores.shared import SharedStore
        folder = Path(sys.argv[1])
        store = SharedStore(lambda: open_store(StoreSettings(), folder=folder), folder)
        print("open", flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "open\n"
        with store(folder) as reader:
            assert not reader.owned
            assert best(reader, 1) == row(1).clip.clip_id
            owner.kill()
            owner.wait()
            assert best(reader, 1) == row(1).clip.clip_id
            assert reader.owned


def test_the_address_is_for_this_user_alone(folder: Path) -> None:
    with store(folder), store(folder) as reader:
        assert not reader.owned
        told = folder / "owner.json"
        assert told.stat().st_mode & 0o077 == 0
        facts = json.loads(told.read_text())
        told.write_text(json.dumps({**facts, "key": "00" * 32}))

        with pytest.raises(ConnectionError):
            _connected(folder)
        assert best(reader, 0) == row(0).clip.clip_id
        told.write_text(json.dumps(facts))


def test_a_closed_reader_says_so(folder: Path) -> None:
    with store(folder), store(folder) as reader:
        reader.close()
        with pytest.raises(StoreError, match="closed"):
            reader.count(NAME)


def test_any_thread_may_close_what_another_opened(folder: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(opener(folder)).result().close()
        with store(folder) as again:  # while the other thread still lives
            assert again.owned


def test_an_owner_that_does_not_answer_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidembed.index.stores.shared._TRIES", 2)
    silent = contextlib.closing(open_store(StoreSettings(), folder=folder))  # it has the folder, and listens to nobody
    with silent, pytest.raises(IndexBusy, match="is in use by this same process"):
        opener(folder)()
