"""A vector space small enough to work out by hand: colours, tones, and the words for them. numpy only.

Each dimension of `NAMES` is one colour, one band of tones, silence, or "other". A picture is the share of its pixels
nearest to each colour, a sound the share of its energy in each band, a text the count of the words it has for them.
So a half red, half blue picture is (1, 1) / sqrt(2) on red and blue, and its cosine with "red" is 0.7071.

`ToyEncoder` encodes into it, and `ToyCaptioner` names the colours of a clip and the tone of its sound. They need no
weights and are for tests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import NoSuchStream
from vidembed.types import AudioSamples, AudioVisual, Floats, Item, Modality, Space, TimedText
from vidembed.vectors import unit_rows

if TYPE_CHECKING:
    from vidembed.models.spec import ModelSpec
    from vidembed.protocols import ClipMedia


COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "white": (255, 255, 255),
    "gray": (128, 128, 128),
    "black": (0, 0, 0),
}
TONES_HZ: dict[str, tuple[float, float]] = {  # half-open bands
    "low": (20.0, 500.0),
    "middle": (500.0, 2000.0),
    "high": (2000.0, float("inf")),
}
NAMES: tuple[str, ...] = (*COLOURS, *TONES_HZ, "silence", "other")
DIM = len(NAMES)
SILENCE_RMS = 1e-4  # -80 dBFS

_SYNONYMS = {"grey": "gray", "deep": "low", "bass": "low", "mid": "middle", "silent": "silence", "quiet": "silence"}
_INDEX = {name: i for i, name in enumerate(NAMES)}
_GRAY = list(COLOURS).index("gray")
# The other colours are the corners of the RGB cube: by the bits of red, green and blue.
_CORNERS = np.array([list(COLOURS.values()).index((r, g, b)) for r in (0, 255) for g in (0, 255) for b in (0, 255)])
_VALUES = np.arange(256)
# Of one value of a pixel: how much farther gray is than the nearest corner, squared.
_TO_GRAY = ((_VALUES - 128) ** 2 - np.minimum(_VALUES, 255 - _VALUES) ** 2).astype(np.int32)


def colour_shares(rgb: NDArray[np.uint8]) -> Floats:
    """(..., 3) uint8 pixels -> (DIM,) share of the pixels nearest to each colour (Euclidean in RGB); sums to 1."""
    pixels = rgb.reshape(-1, 3)
    red, green, blue = (pixels > 127).astype(np.uint8).T
    nearest = _CORNERS[4 * red + 2 * green + blue]
    farther = _TO_GRAY[pixels]
    gray = farther[:, 0] + farther[:, 1] + farther[:, 2] < (nearest > _GRAY)  # a tie goes to the first of COLOURS
    counts = np.bincount(np.where(gray, _GRAY, nearest), minlength=DIM)
    return np.asarray(counts / len(pixels), dtype=np.float32)


def tone_shares(samples: Floats, rate_hz: int) -> Floats:
    """(N,) samples -> (DIM,) share of the energy in each band; sums to 1. Silence is all "silence"."""
    shares = np.zeros(DIM, dtype=np.float32)
    # A Hann window keeps a tone that does not fit the length from leaking into other bands.
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    for name, (low_hz, high_hz) in TONES_HZ.items():
        shares[_INDEX[name]] = power[(hz >= low_hz) & (hz < high_hz)].sum()
    total = float(shares.sum())
    if total <= 0 or float(np.sqrt(np.mean(np.square(samples)))) < SILENCE_RMS:
        shares[:] = 0
        shares[_INDEX["silence"]] = 1
        return shares
    return shares / np.float32(total)


def word_counts(text: str) -> Floats:
    """(DIM,) count of the words for each dimension; a text with none of them counts as "other"."""
    counts = np.zeros(DIM, dtype=np.float32)
    for word in re.findall(r"[^\W\d_]+", text.lower()):
        name = _SYNONYMS.get(word, word)
        if name in _INDEX and name != "other":
            counts[_INDEX[name]] += 1
    if not counts.any():
        counts[_INDEX["other"]] = 1
    return counts


def strongest(shares: Floats, names: tuple[str, ...], n: int = 1) -> list[str]:
    """The n names with the largest shares above zero, largest first, ties by the order of NAMES."""
    order = sorted((name for name in names if shares[_INDEX[name]] > 0), key=lambda name: -shares[_INDEX[name]])
    return order[:n]


class ToyEncoder:
    """Unit rows of the toy space for text, image, audio and video."""

    space = Space("toy", DIM)
    modalities: frozenset[Modality] = frozenset({"text", "image", "audio", "video"})

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        """Encode items of one modality; see `vidembed.protocols.Encoder`."""
        if modality not in self.modalities:
            raise ValueError(f"the toy encoder understands {', '.join(sorted(self.modalities))}, not {modality!r}")
        if not len(items):
            return np.zeros((0, self.space.dim), dtype=np.float32)
        return unit_rows(np.stack([_vector(modality, item) for item in items]))


def _vector(modality: Modality, item: Item) -> Floats:
    if modality == "text":
        return word_counts(item.text if isinstance(item, TimedText) else str(item))
    if modality == "image":
        assert isinstance(item, np.ndarray)
        return colour_shares(item)
    if modality == "audio":
        assert isinstance(item, AudioSamples)
        return tone_shares(item.samples, item.rate_hz)
    assert isinstance(item, AudioVisual)
    total = np.zeros(DIM, dtype=np.float32)
    if item.frames is not None:
        total += colour_shares(item.frames.rgb)
    if item.audio is not None:
        total += tone_shares(item.audio.samples, item.audio.rate_hz)
    return total


def load(spec: ModelSpec, **_: Any) -> ToyEncoder:
    """The factory of the registry; there is nothing to load, so device, dtype and folders do not matter."""
    return ToyEncoder()


class ToyCaptioner:
    """Says "red frames, low tone". Further candidates name the next colours. No picture and no sound: an error."""

    name = "toy-captioner"
    rate_hz = 8000

    def candidates(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str]]:
        """As `protocols.Captioner.candidates`."""
        return [self._of_one(media, n) for media in clips]

    def _of_one(self, media: ClipMedia, n: int) -> list[str]:
        tone = self._tone(media)
        if media.frames is None:
            if tone is None:
                raise NoSuchStream("a clip with neither picture nor sound cannot be captioned")
            return [tone]
        colours = strongest(colour_shares(media.frames.rgb), tuple(COLOURS), n)
        rest = [name for name in COLOURS if name not in colours]
        ending = f", {tone}" if tone else ""
        return [f"{colour} frames{ending}" for colour in (colours + rest)[:n]]

    def _tone(self, media: ClipMedia) -> str | None:
        if not media.info.has_audio:
            return None
        try:
            sound = media.video.audio(media.clip.span, rate_hz=self.rate_hz)
        except NoSuchStream:
            return None
        shares = tone_shares(np.asarray(sound.samples), sound.rate_hz)
        bands = strongest(shares, (*TONES_HZ, "silence"), 1)
        return None if bands in ([], ["silence"]) else f"{bands[0]} tone"


def load_captioner(spec: ModelSpec, **_: Any) -> ToyCaptioner:
    """The toy captioner; it has no weights and no settings."""
    return ToyCaptioner()
