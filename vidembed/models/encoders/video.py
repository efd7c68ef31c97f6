"""Clips and text through video-text towers of transformers: VideoPrism (Zhao et al. 2024), X-CLIP (Ni et al. 2022)."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from vidembed.models.encoders._torch import TransformersTower, frames_of, pooled
from vidembed.types import Item, Space

if TYPE_CHECKING:
    from torch import Tensor

_SPACES = str.maketrans(string.punctuation, " " * len(string.punctuation))


class _VideoTower(TransformersTower):
    """Each clip is seen as the model's number of frames, evenly spaced."""

    understands = frozenset({"text", "video"})
    input_name: str  # of the pixels, in the model's forward pass

    def __init__(self, space: Space, model: Any, processor: Any, tokenizer: Any, device: torch.device) -> None:
        super().__init__(space, model, processor, tokenizer, device)
        self._count = int(model.config.vision_config.num_frames)

    def _video(self, items: Sequence[Item]) -> Tensor:
        pixels = torch.cat([self._pixels(item) for item in items])
        features = pooled(self._model.get_video_features(**self._placed({self.input_name: pixels})))
        return features.reshape(len(items), -1)  # VideoPrism's are (N, 1, D)

    def _pixels(self, item: Item) -> Tensor:
        """(1, T, 3, H, W) of a clip."""
        raise NotImplementedError


class VideoPrismEncoder(_VideoTower):
    """An `Encoder` of clips and text. Made by `load_videoprism`."""

    model_class, processor_class = "VideoPrismClipModel", "AutoVideoProcessor"
    input_name = "pixel_values_videos"
    padding = "max_length"  # as in training

    def _pixels(self, item: Item) -> Tensor:
        # The model was trained on squashed squares in 0..1 (its reference code: no mean, no crop).
        size = self._model.config.vision_config.image_size
        side_px = int(size if isinstance(size, int) else size[0])
        made: Tensor = self._processor(
            videos=[frames_of(item, self._count)],
            do_sample_frames=False,
            do_normalize=False,
            size={"height": side_px, "width": side_px},
            input_data_format="channels_last",
            return_tensors="pt",
        )["pixel_values_videos"]
        return made

    def _wording(self, text: str) -> str:
        return canonical(text)


class XclipEncoder(_VideoTower):
    """An `Encoder` of clips and text. Made by `load_xclip`.

    X-CLIP adapts its text vector to each video ("video-specific prompting"); a search has one vector for all videos,
    so the unadapted text vector is used, as for any dual tower. It costs accuracy: prefer VideoPrism.
    """

    model_class, processor_class = "XCLIPModel", "AutoImageProcessor"
    input_name = "pixel_values"

    def _pixels(self, item: Item) -> Tensor:
        # Some checkpoints come with a processor of pictures, some with one of videos.
        frames = list(frames_of(item, self._count))
        pixels = self._processor(frames, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        return pixels.reshape(1, self._count, *pixels.shape[-3:])


def canonical(text: str) -> str:
    """Lower case, spaces for punctuation, a full stop: what VideoPrism's text tower was trained on (its utils.py)."""
    return " ".join(text.translate(_SPACES).lower().split()) + "."


load_videoprism = VideoPrismEncoder.load
load_xclip = XclipEncoder.load
