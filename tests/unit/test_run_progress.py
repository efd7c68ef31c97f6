"""How far a run is: weighed by length and size, never backwards."""

from __future__ import annotations

from pathlib import Path

from vidembed.index.pipeline.run import Meter, Progress


def test_progress_over_a_mixed_folder(tmp_path: Path) -> None:
    """A short film of 1 kB, then a long one of 9 kB: the short one is a tenth of the work, not all that is known."""
    short, long = tmp_path / "short.mp4", tmp_path / "long.mp4"
    short.write_bytes(b"x" * 1000)
    long.write_bytes(b"x" * 9000)
    seen: list[Progress] = []
    meter = Meter(seen.append, paths=[short, long], settled=lambda: 0)
    meter.step(str(short), 5.0, 10.0)
    meter.finished(str(short), 10.0)
    meter.step(str(long), 45.0, 90.0)
    meter.step(str(long), 80.0, 200.0)  # longer than its bytes made think: waits, never goes back
    meter.finished(str(long), 200.0)
    meter.end()
    shares = [round(now.done_s / now.total_s, 3) for now in seen]
    assert shares[:3] == [0.05, 0.1, 0.55]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [now.done_items for now in seen] == [0, 1, 1, 1, 2, 2]


def test_files_that_need_no_work_count_for_nothing(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.mp4" for name in "abc"]
    for file in files:
        file.write_bytes(b"x" * 1000)
    seen: list[Progress] = []
    meter = Meter(seen.append, paths=files, settled=lambda: 1)
    meter.finished(str(files[0]), 10.0)
    assert (seen[-1].done_s, seen[-1].total_s, seen[-1].done_items) == (10.0, 20.0, 2)
