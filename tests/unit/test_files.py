"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidembed.errors import InputError
from vidembed.files import replacing, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "new" / "a.mp4"
    with replacing(out) as part:
        assert (part.parent, part.suffix) == (out.parent, ".mp4")
        part.write_text("whole")
        assert not out.exists()
    assert (out.read_text(), names(out.parent)) == ("whole", ["a.mp4"])


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    out = tmp_path / "a.txt"
    out.write_text("old")

    def write_half() -> None:
        with replacing(out) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert (out.read_text(), names(tmp_path)) == ("old", ["a.txt"])


def test_a_replaced_file_keeps_who_may_read_it(tmp_path: Path) -> None:
    out = tmp_path / "secret.txt"
    out.write_text("old")
    out.chmod(0o600)
    write_text(out, "new")
    assert (out.read_text(), out.stat().st_mode & 0o777) == ("new", 0o600)


def test_a_name_that_is_taken_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "a.txt"

    def write(theirs: str) -> None:
        with replacing(out, overwrite=False) as part:
            part.write_text("mine")
            out.write_text(theirs)

    for theirs in ("first", "second"):  # the second time before the block runs
        with pytest.raises(InputError, match=r"a\.txt exists"):
            write(theirs)
        assert (out.read_text(), names(tmp_path)) == ("first", ["a.txt"])


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_text(tmp_path / "file" / "a.txt", "text")
