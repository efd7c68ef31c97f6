"""Towers of transformers that share a space with text.

Pictures: CLIP, SigLIP, SigLIP 2, MetaCLIP 2. Sound: CLAP (Wu et al. 2023). Clips: VideoPrism (Zhao et al. 2024), X-CLIP
(Ni et al. 2022).
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from vidembed.models.encoders._torch import TransformersTower, frames_of, pooled, sound_of
from vidembed.types import Floats, Item, Space

if TYPE_CHECKING:
    from torch import Tensor


# SigLIP was trained on texts padded to its full length; other lengths are worse (its model card).
_PADDED = ("siglip", "siglip2", "siglip_text_model", "siglip2_text_model")


class DualEncoder(TransformersTower):
    """An `Encoder` of pictures and text. Made by `load`."""

    model_class, processor_class = "AutoModel", "AutoImageProcessor"
    understands = frozenset({"text", "image"})

    def __init__(self, space: Space, model: Any, processor: Any, tokenizer: Any, device: torch.device) -> None:
        super().__init__(space, model, processor, tokenizer, device)
        self.padding = "max_length" if model.config.model_type in _PADDED else True

    def _wording(self, text: str) -> str:
        # SigLIP 2 was trained on lower case, which its tokenizer leaves to the caller (Tschannen et al. 2025).
        return text.lower() if self._model.config.model_type in _PADDED else text

    def _image(self, items: Sequence[Item]) -> Tensor:
        images = [np.ascontiguousarray(item) for item in items]  # type: ignore[arg-type]
        # The layout is named, or a picture three pixels high would be taken for channels first.
        inputs = self._processor(
            images=images, return_tensors="pt", input_data_format="channels_last", device=self.device
        )
        return pooled(self._model.get_image_features(**self._placed(inputs)))


load = DualEncoder.load


_MAX_TOKENS = 77  # LAION trained with texts cut there (laion_clap/training/data.py)


class ClapEncoder(TransformersTower):
    """An `Encoder` of sound and text. Made by `load_clap`.

    Of a sound longer than the model's window (10 s), checkpoints with fusion take the whole, shrunk, and three windows;
    others take its middle. The processor itself would take random windows; here they are fixed, so that the same
    sound always has the same vector. For the same reason a shorter sound is never marked as long: where no sound of a
    batch is, the processor marks one of them, drawn by chance, whose vector then differs (cosine 0.84 to 0.88 between
    the two), and a sound that is processed alone is always the marked one.
    """

    model_class, processor_class = "ClapModel", "AutoFeatureExtractor"
    understands = frozenset({"text", "audio"})

    def __init__(self, space: Space, model: Any, processor: Any, tokenizer: Any, device: torch.device) -> None:
        super().__init__(space, model, processor, tokenizer, device)
        self._rate_hz = int(processor.sampling_rate)
        self._limit = round(float(processor.max_length_s) * self._rate_hz)
        self._fuses = processor.truncation == "fusion"
        self._max_tokens = min(_MAX_TOKENS, int(tokenizer.model_max_length))

    def _audio(self, items: Sequence[Item]) -> Tensor:
        sounds = [sound_of(item, self._rate_hz) for item in items]
        longer = [self._fuses and len(sound) >= self._limit + int(self._processor.hop_length) for sound in sounds]
        mels = [self._fused(s) if is_long else self._mel(s) for s, is_long in zip(sounds, longer, strict=True)]
        inputs = {"input_features": torch.from_numpy(np.stack(mels)), "is_longer": torch.tensor(longer)[:, None]}
        return pooled(self._model.get_audio_features(**self._placed(inputs)))

    def _mel(self, sound: Floats) -> Floats:
        """(C, frames, mels) of a sound, of its middle when it is too long; short ones are padded as the files say."""
        start = max(0, (len(sound) - self._limit) // 2)
        return self._extract(sound[start : start + self._limit], self._limit)

    def _fused(self, sound: Floats) -> Floats:
        """(4, frames, mels): the whole shrunk to one window, and the middles of its first, second and last third.

        As `ClapFeatureExtractor._random_mel_fusion`, with the middle of each third in place of a random place.
        """
        whole = torch.from_numpy(self._extract(sound, len(sound))[0])
        frames = self._limit // int(self._processor.hop_length) + 1
        shrunk = torch.nn.functional.interpolate(
            whole[None, None], size=[frames, whole.shape[1]], mode="bilinear", align_corners=False
        )[0, 0]
        starts = np.array_split(np.arange(len(whole) - frames + 1), 3)
        middles = [int(third[len(third) // 2]) if len(third) else 0 for third in starts]
        return torch.stack([shrunk, *(whole[i : i + frames] for i in middles)]).numpy()

    def _extract(self, sound: Floats, length: int) -> Floats:
        features = self._processor(sound, sampling_rate=self._rate_hz, max_length=length, return_tensors="np")
        return np.asarray(features["input_features"][0], dtype=np.float32)


_SPACES = str.maketrans(string.punctuation, " " * len(string.punctuation))


class _VideoTower(TransformersTower):
    """Each clip is seen as the model's number of frames, evenly spaced."""

    understands = frozenset({"text", "video"})
    input_name: str  # of the pixels, in the model's forward pass

    def __init__(self, space: Space, model: Any, processor: Any, tokenizer: Any, device: torch.device) -> None:
        super().__init__(space, model, processor, tokenizer, device)
        self.clip_frames = int(model.config.vision_config.num_frames)

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
            videos=[frames_of(item, self.clip_frames)],
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
        frames = list(frames_of(item, self.clip_frames))
        pixels = self._processor(frames, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        return pixels.reshape(1, self.clip_frames, *pixels.shape[-3:])


def canonical(text: str) -> str:
    """Lower case, spaces for punctuation, a full stop: what VideoPrism's text tower was trained on (its utils.py)."""
    return " ".join(text.translate(_SPACES).lower().split()) + "."


load_videoprism = VideoPrismEncoder.load
load_xclip = XclipEncoder.load
