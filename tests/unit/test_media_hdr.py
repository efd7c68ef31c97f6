"""High dynamic range: the standards' formulas worked by hand, and real files of both kinds through both readers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from vidembed.config.schema import MediaSettings
from vidembed.errors import MediaUnreadable
from vidembed.media.editing.cut import cut, reel
from vidembed.media.editing.ffmpeg import find_ffmpeg
from vidembed.media.reading.reader import open_video
from vidembed.media.reading.scaling import Transfer, lut, tone_map
from vidembed.types import Span

# 203 cd/m2, the white of graphics (BT.2408): PQ signal 0.58, HLG 0.75. By BT.2446 A with a peak of 1000 cd/m2:
# Y' = 0.203^(1/2.4) = 0.5146, Y'p = ln(1 + 12.26 Y') / ln 13.26 = 0.7695, Y'c = 0.8283 (the knee),
# Y'sdr = (5.697^Y'c - 1) / 4.697 = 0.687, of 255: 175.
WHITE = 175
TRC = {"pq": "smpte2084", "hlg": "arib-std-b67"}


def mapped(transfer: Transfer, *signal: float) -> list[int]:
    rgb = np.rint(np.array(signal) * 65535).astype(np.uint16).reshape(1, 1, 3)
    return tone_map(rgb, transfer)[0, 0].tolist()


@pytest.mark.parametrize(
    ("transfer", "signal", "expected"),
    [
        ("pq", 0.0, 0), ("pq", 0.5806, WHITE), ("pq", 0.7518, 255), ("pq", 1.0, 255),  # 0, 203, 1000, 10000 cd/m2
        ("pq", 0.5081, 137),  # 100 cd/m2: Y' 0.3831, Y'p 0.6732, Y'c 0.7250, Y'sdr 0.539
        ("hlg", 0.0, 0), ("hlg", 0.75, WHITE), ("hlg", 1.0, 255),
    ],
)  # fmt: skip
def test_grey_by_hand(transfer: Transfer, signal: float, expected: int) -> None:
    found = mapped(transfer, signal, signal, signal)
    assert max(found) - min(found) <= 1
    assert abs(found[0] - expected) <= 1


def test_colours_keep_their_place() -> None:
    """Red, green and blue of BT.2020 lie outside BT.709: each becomes the nearest pure colour."""
    for place in range(3):
        found = mapped("pq", *(0.5 if channel == place else 0.0 for channel in range(3)))
        assert found[place] == max(found) > 60
        assert sum(found) - found[place] <= 40


def test_the_table_for_cuts_says_the_same() -> None:
    """Red runs fastest; the corners are black, red and white."""
    lines = lut("pq", side=3).splitlines()
    assert lines[0] == "LUT_3D_SIZE 3"
    assert len(lines) == 1 + 27
    rows = [[float(value) for value in line.split()] for line in lines[1:]]
    assert rows[0] == [0, 0, 0]
    assert rows[-1] == [1, 1, 1]
    assert rows[1] == pytest.approx([value / 255 for value in mapped("pq", 0.5, 0.0, 0.0)], abs=0.005)


@pytest.mark.parametrize(("transfer", "grey"), [("pq", "0x949494"), ("hlg", "0xBFBFBF")])
def test_a_file_is_read_as_ordinary_pictures(tmp_path: Path, transfer: Transfer, grey: str) -> None:
    path = tmp_path / f"{transfer}.mp4"
    tags = ["-vf", f"setparams=color_primaries=bt2020:color_trc={TRC[transfer]}:colorspace=bt2020nc"]
    source = ["-f", "lavfi", "-i", f"color=c={grey}:s=64x48:r=10:d=1"]
    coding = ["-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-preset", "ultrafast", *tags, str(path)]
    subprocess.run([find_ffmpeg(), "-nostdin", "-v", "error", *source, *coding], check=True)
    with open_video(path) as video:
        frames = video.frames([0.0, 0.5], short_side_px=24)
        (streamed,) = [frame.rgb for frame in video.stream(rate_hz=1.0, short_side_px=24)]
    assert frames.rgb.shape == (2, 24, 32, 3)
    assert np.abs(frames.rgb.astype(int) - WHITE).max() <= 3
    np.testing.assert_array_equal(streamed, frames.rgb[0])
    made = cut(path, Span(0.0, 0.5), tmp_path / "cut.mp4", exact=True)
    joined = reel([(path, Span(0.0, 0.5))], tmp_path / "reel.mp4")
    for ordinary in (made.path, joined):
        with open_video(ordinary) as video:
            assert np.abs(video.frames([0.2], short_side_px=24).rgb.astype(int) - WHITE).max() <= 4
    pytest.importorskip("decord", reason="decord has no wheel for this platform")
    decord = MediaSettings(reader="decord")
    with open_video(path, decord) as video, pytest.raises(MediaUnreadable, match="high dynamic range"):
        video.frames([0.0], short_side_px=24)
