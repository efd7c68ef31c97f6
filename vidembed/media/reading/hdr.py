"""High dynamic range (HLG and PQ in BT.2020) as pictures for ordinary screens and image towers.

Taken as they are, such pictures look grey and washed out. The steps, in the standards' own terms:
signal to light by ITU-R BT.2100-2, tables 4 (PQ) and 5 (HLG, for a screen of 1000 cd/m2); 1000 to 100 cd/m2 by
ITU-R BT.2446-1, method A (section 4); BT.2020 to BT.709 primaries by the inverse of ITU-R BT.2087-0, out-of-gamut
colours clipped; gamma 2.4 (BT.1886). White as graphics have it (203 cd/m2, ITU-R BT.2408) becomes 0.69 of full scale.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidembed.types import Image

Transfer = Literal["pq", "hlg"]
_TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}  # ITU-T H.273, table 3
BT2020 = 9  # the matrix from Y'CbCr to R'G'B', as FFmpeg numbers it
PEAK = 1000.0  # cd/m2 that become full scale; what is brighter is cut to it
_SDR_PEAK = 100.0
_GAMMA = 2.4
_SYSTEM_GAMMA = 1.2  # of HLG at 1000 cd/m2
_LUMA = np.array([0.2627, 0.6780, 0.0593], dtype=np.float32)  # BT.2020
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], dtype=np.float32
)
_BLUE_SPAN, _RED_SPAN = 1.8814, 1.4746  # of the colour differences, BT.2020

Floats = NDArray[np.float32]


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
    wide, small = (1 + 32 * (peak / 10_000) ** (1 / _GAMMA) for peak in (PEAK, _SDR_PEAK))
    perceived = np.log1p((wide - 1) * luma) / np.log(wide)
    knee = -1.1510 * perceived**2 + 2.7811 * perceived - 0.6302
    ends = np.where(perceived <= 0.7399, 1.0770 * perceived, 0.5 * perceived + 0.5)
    squeezed = np.where((perceived > 0.7399) & (perceived < 0.9909), knee, ends)
    curve: Floats = ((small**squeezed - 1) / (small - 1)).astype(np.float32)
    return curve


@cache
def _light(transfer: Transfer) -> Floats:
    """(65536,) light of each signal value: PQ on the screen, 1 = PEAK; HLG in the scene, 1 = its peak."""
    signal = np.arange(1 << 16) / ((1 << 16) - 1)
    light = _pq(signal) / PEAK if transfer == "pq" else _hlg(signal)
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
