"""From decoded frames to RGB as a player shows them, at the size asked for: aspect ratio, rotation, dynamic range.

High dynamic range (HLG and PQ in BT.2020) taken as it is looks grey and washed out, on ordinary screens and to image
towers. The steps, in the standards' own terms: signal to light by ITU-R BT.2100-2, tables 4 (PQ) and 5 (HLG, for a
screen of 1000 cd/m2); 1000 to 100 cd/m2 by ITU-R BT.2446-1, method A (section 4); BT.2020 to BT.709 primaries by the
inverse of ITU-R BT.2087-0, out-of-gamut colours clipped; gamma 2.4 (BT.1886). White as graphics have it (203 cd/m2,
ITU-R BT.2408) becomes 0.69 of full scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidembed.media.reading.container import mapped_errors
from vidembed.types import Floats, Image

Transfer = Literal["pq", "hlg"]
_TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}  # ITU-T H.273, table 3
_BT709, _UNSPECIFIED, _BT2020 = 1, 2, 9  # the matrix from Y'CbCr to R'G'B' (ITU-T H.273, table 4)
# x' = a x + c y, y' = b x + d y, with y downwards: (a, b, c, d) -> (turns, mirrored).
_ORIENTATIONS: dict[tuple[int, ...], tuple[int, bool]] = {
    (1, 0, 0, 1): (0, False), (0, -1, 1, 0): (1, False), (-1, 0, 0, -1): (2, False), (0, 1, -1, 0): (3, False),
    (-1, 0, 0, 1): (0, True), (0, 1, 1, 0): (1, True), (1, 0, 0, -1): (2, True), (0, -1, -1, 0): (3, True),
}  # fmt: skip
_DISPLAY_MATRIX, _MATRIX_BYTES = "DISPLAYMATRIX", 36
Edges = tuple[int, int, int, int]  # left, top, right, bottom, in pixels
NO_EDGES: Edges = (0, 0, 0, 0)
_PEAK = 1000.0  # cd/m2 that become full scale; what is brighter is cut to it
_SDR_PEAK = 100.0
_GAMMA = 2.4
_SYSTEM_GAMMA = 1.2  # of HLG at 1000 cd/m2
_LUMA = np.array([0.2627, 0.6780, 0.0593], dtype=np.float32)  # BT.2020
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], dtype=np.float32
)
_BLUE_SPAN, _RED_SPAN = 1.8814, 1.4746  # of the colour differences, BT.2020


class Scaler:
    """Scales, tone-maps and turns the frames of one video. A picture that does not change is scaled once."""

    def __init__(self, path: Path, geometry: Geometry) -> None:
        from av.video.reformatter import Interpolation, VideoReformatter

        self._path, self._geometry = path, geometry
        self._reformatter = VideoReformatter()
        # Bicubic with its support widened for shrinking: what image towers were trained on.
        self._interpolation = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
        self._crop = Crop(geometry)
        self._last: tuple[Any, int, Image] | None = None  # the last frame, the size asked for, and what was given

    def rgb(self, frame: Any, short_side_px: int) -> Image:
        """(H, W, 3) uint8, scaled and turned in that order, so that only few pixels are turned.

        The same array is given for equal frames in a row: not to be written to.
        """
        if self._last is not None:
            before, size, picture = self._last
            if size == short_side_px and _equal(frame, before):
                return picture
        picture = self._scaled(frame, short_side_px)
        self._last = (frame, short_side_px, picture)
        return picture

    def bytes_of(self, short_side_px: int) -> int:
        """What one picture takes at that size."""
        width, height = self._geometry.scaled_size(short_side_px)
        return 3 * width * height

    def _scaled(self, frame: Any, short_side_px: int) -> Image:
        width, height = self._geometry.scaled_size(short_side_px)
        frame = self._crop.inside(frame)
        inside = self._geometry.fitted(frame.width, frame.height, (width, height))
        transfer = transfer_of(frame)
        how: dict[str, Any] = {"format": "rgb24"}
        if transfer:
            how = {"format": "rgb48le", "src_colorspace": _BT2020}
        elif _is_unmarked_hd(frame):
            how["src_colorspace"] = _BT709
        with mapped_errors(self._path, "decoded"):
            scaled = self._reformatter.reformat(
                frame, width=inside[0], height=inside[1], interpolation=self._interpolation, threads=1, **how
            )
            pixels: Any = scaled.to_ndarray()
            rgb = tone_map(pixels, transfer) if transfer else np.asarray(pixels, dtype=np.uint8)
            return self._geometry.turn(rgb if inside == (width, height) else _centred(rgb, width, height))


class Crop:
    """Cuts the edges off a frame that are not to be shown, without copying a pixel."""

    def __init__(self, geometry: Geometry) -> None:
        left, top, right, bottom = geometry.hidden_px
        self._inside = (geometry.coded_width_px, geometry.coded_height_px, left, top)
        self._whole = (self._inside[0] + left + right, self._inside[1] + top + bottom)
        self._graphs: dict[str, Any] = {}  # by pixel format

    def inside(self, frame: Any) -> Any:
        """The part that is shown: of a frame of another size, all."""
        if self._whole == self._inside[:2] or (frame.width, frame.height) != self._whole:
            return frame
        name = frame.format.name
        graph = self._graphs.get(name) or self._graphs.setdefault(name, self._graph(frame.format))
        graph.vpush(frame)
        return graph.vpull()

    def _graph(self, pixels: Any) -> Any:
        from av.filter import Graph

        graph = Graph()
        graph.threads = 1
        width, height = self._whole
        nodes = (
            graph.add_buffer(width=width, height=height, format=pixels, time_base=Fraction(1, 1000)),
            graph.add("crop", ":".join(map(str, self._inside)) + ":exact=1"),
            graph.add("buffersink"),
        )
        graph.link_nodes(*nodes).configure()
        return graph


def _is_unmarked_hd(frame: Any) -> bool:
    """Whether it does not say its colours and is larger than DVDs, so that players take it for BT.709."""
    large = frame.width >= 1280 or frame.height > 576
    return large and int(frame.colorspace) == _UNSPECIFIED and not frame.format.is_rgb


def _centred(rgb: Image, width: int, height: int) -> Image:
    """The picture in the middle of a black one."""
    whole = np.zeros((height, width, 3), dtype=np.uint8)
    top, left = (height - rgb.shape[0]) // 2, (width - rgb.shape[1]) // 2
    whole[top : top + rgb.shape[0], left : left + rgb.shape[1]] = rgb
    return whole


def _equal(frame: Any, other: Any) -> bool:
    """Whether both show the same, to the last bit: slides and recorded screens. A tenth of the time of scaling.

    Lines are compared with their padding; where that differs they count as different, which costs time only.
    """
    # Formats other than YUV may keep part of a picture, as a palette, outside its planes.
    if _layout(frame) != _layout(other) or not frame.format.name.startswith("yuv"):
        return False
    planes = [
        (np.frombuffer(one, np.uint8), np.frombuffer(two, np.uint8))
        for one, two in zip(frame.planes, other.planes, strict=True)
    ]
    # A few bytes of each first: most frames of a film differ in them.
    return all(np.array_equal(one[::997], two[::997]) and np.array_equal(one, two) for one, two in planes)


def _layout(frame: Any) -> tuple[Any, ...]:
    return frame.format.name, frame.width, frame.height, frame.color_trc, frame.colorspace, frame.color_range


@dataclass(frozen=True)
class Geometry:
    """How a coded picture is shown.

    coded_width_px, coded_height_px: without hidden_px, the edges that are not to be shown. mirrored: left and right
    change places, before it is turned. turns: quarter turns counter-clockwise, 0..3.
    """

    coded_width_px: int
    coded_height_px: int
    sample_aspect: Fraction = Fraction(1)
    turns: int = 0
    mirrored: bool = False
    hidden_px: Edges = NO_EDGES

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) with square pixels, before rotation."""
        # Ratios beyond 1:8 come from broken headers only.
        aspect = self.sample_aspect if Fraction(1, 8) <= self.sample_aspect <= 8 else Fraction(1)
        return max(1, round(self.coded_width_px * aspect)), self.coded_height_px

    @property
    def shown_size(self) -> tuple[int, int]:
        """(width, height) as a player shows it."""
        width, height = self.upright_size
        return (height, width) if self.turns % 2 else (width, height)

    def fitted(self, width_px: int, height_px: int, into: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of a coded picture of that size within a scaled one: less than all where its shape differs.

        Only where pixels are square: who changes the size of others, as broadcasters do, keeps the shape that is shown.
        """
        if (width_px, height_px) == (self.coded_width_px, self.coded_height_px) or self.sample_aspect != 1:
            return into
        scale = min(into[0] / width_px, into[1] / height_px)
        width, height = max(1, round(width_px * scale)), max(1, round(height_px * scale))
        close = into[0] - width <= 1 + into[0] // 50 and into[1] - height <= 1 + into[1] // 50
        return into if close else (width, height)

    def scaled_size(self, short_side_px: int) -> tuple[int, int]:
        """(width, height) before rotation so that the short side is at most short_side_px; never enlarged."""
        if short_side_px < 1:
            raise ValueError(f"short_side_px must be at least 1, got {short_side_px}")
        width, height = self.upright_size
        scale = min(1.0, short_side_px / min(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def turn(self, rgb: Image) -> Image:
        """The scaled (H, W, 3) picture as it is shown."""
        if self.mirrored:
            rgb = rgb[:, ::-1]
        return np.ascontiguousarray(np.rot90(rgb, self.turns)) if self.turns or self.mirrored else rgb


def orientation(frame: Any) -> tuple[int, bool]:
    """(quarter turns counter-clockwise, whether mirrored before) by a frame's display matrix.

    A matrix that does more than that, or nothing that can be shown, changes nothing.
    """
    data = frame.side_data.get(_DISPLAY_MATRIX)
    if data is None or data.buffer_size < _MATRIX_BYTES:
        return 0, False
    a, b, _, c, d = (int(value) for value in np.frombuffer(data, np.int32)[:5])
    size = max(map(abs, (a, b, c, d)))
    signs = tuple(round(value / size) if size else 0 for value in (a, b, c, d))
    exact = all(abs(value - sign * size) <= size / 100 for value, sign in zip((a, b, c, d), signs, strict=True))
    return _ORIENTATIONS.get(signs, (0, False)) if exact else (0, False)


def transfer_of(source: Any) -> Transfer | None:
    """How a decoded frame, or a codec context, codes light; None for ordinary pictures."""
    return _TRANSFERS.get(int(source.color_trc or 0))


def tone_map(rgb: NDArray[np.uint16], transfer: Transfer) -> Image:
    """(H, W, 3) uint16 R'G'B' over the full range, BT.2020 -> (H, W, 3) uint8 BT.709."""
    light = _light(transfer)[rgb]
    if transfer == "hlg":
        light *= (light @ _LUMA)[..., None] ** np.float32(_SYSTEM_GAMMA - 1)
    linear = _to_sdr(light ** np.float32(1 / _GAMMA)) ** np.float32(_GAMMA)
    narrow = np.clip(linear @ _TO_709.T, 0, 1)
    return np.rint(255 * narrow ** np.float32(1 / _GAMMA)).astype(np.uint8)


def lut(transfer: Transfer, side: int = 33) -> str:
    """`tone_map` as a table of side^3 colours in the form of .cube files, for the ffmpeg program."""
    steps = np.rint(np.linspace(0, 65535, side)).astype(np.uint16)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")  # red runs fastest
    mapped = tone_map(np.stack([red, green, blue], axis=-1).reshape(-1, side, 3), transfer).reshape(-1, 3) / 255
    return "\n".join([f"LUT_3D_SIZE {side}", *(f"{r:.5f} {g:.5f} {b:.5f}" for r, g, b in mapped.tolist()), ""])


def _to_sdr(prime: Floats) -> Floats:
    """BT.2446-1 method A on gamma-coded R'G'B' of 0..1; the same of the smaller range, cut to 0..1."""
    luma = prime @ _LUMA
    mapped = _curve(luma)
    # Darker colours in proportion, less saturated ones by a tenth: the report's f(Y'_SDR).
    share = mapped / np.maximum(1.1 * luma, 1e-6)
    blue = share * (prime[..., 2] - luma) / _BLUE_SPAN
    red = share * (prime[..., 0] - luma) / _RED_SPAN
    toned = mapped - np.maximum(0.1 * red, 0)
    out = np.empty_like(prime)
    out[..., 0] = toned + _RED_SPAN * red
    out[..., 2] = toned + _BLUE_SPAN * blue
    out[..., 1] = (toned - _LUMA[0] * out[..., 0] - _LUMA[2] * out[..., 2]) / _LUMA[1]
    return np.clip(out, 0, 1)


def _curve(luma: Floats) -> Floats:
    """Y' of the large range to Y' of the small one, both 0..1."""
    wide, small = (1 + 32 * (peak / 10_000) ** (1 / _GAMMA) for peak in (_PEAK, _SDR_PEAK))
    perceived = np.log1p((wide - 1) * luma) / np.log(wide)
    knee = -1.1510 * perceived**2 + 2.7811 * perceived - 0.6302
    ends = np.where(perceived <= 0.7399, 1.0770 * perceived, 0.5 * perceived + 0.5)
    squeezed = np.where((perceived > 0.7399) & (perceived < 0.9909), knee, ends)
    curve: Floats = ((small**squeezed - 1) / (small - 1)).astype(np.float32)
    return curve


@cache
def _light(transfer: Transfer) -> Floats:
    """(65536,) light of each signal value: PQ on the screen, 1 = _PEAK; HLG in the scene, 1 = its peak."""
    signal = np.arange(1 << 16) / ((1 << 16) - 1)
    light = _pq(signal) / _PEAK if transfer == "pq" else _hlg(signal)
    return np.clip(light, 0, 1).astype(np.float32)


def _pq(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """cd/m2 (BT.2100-2, table 4: the PQ EOTF, as in SMPTE ST 2084)."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = signal ** (1 / m2)
    light: NDArray[np.float64] = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return light


def _hlg(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scene light 0..1 (BT.2100-2, table 5: the inverse of the HLG OETF)."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
