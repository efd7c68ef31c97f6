"""What every torch encoder needs: device, dtype, running without gradients, strict loading, rows as numpy,
and inputs in the form that processors take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from vidembed.errors import ConfigError, EncodingError
from vidembed.models import weights
from vidembed.types import AudioSamples, AudioVisual, Floats, FrameBatch, Image, Item, Modality, Space, TimedText
from vidembed.vectors import unit_rows

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vidembed.models.spec import ModelSpec


# Any of them carries a tokenizer's words.
VOCABULARIES = (
    "tokenizer.json",
    "vocab.json",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def pick_device(device: str) -> torch.device:
    """The named device, or for "auto" the best there is. Raises ConfigError when it is unknown or absent."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"unknown device {device!r}; allowed: auto, cpu, cuda, cuda:N, mps") from error
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device {device!r} is not there: {torch.cuda.device_count()} CUDA devices found", hint="use device: auto"
        )
    if chosen.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device 'mps' is not there: it needs an Apple GPU", hint="use device: auto")
    return chosen


def pick_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The named dtype; "auto" is bfloat16 on CUDA GPUs that have it (Ampere and later) and float32 elsewhere.

    Half precision on the CPU is only used through an engine that has proven its agreement (`_openvino`).
    """
    if dtype == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if fast else torch.float32
    if dtype not in DTYPES:
        raise ConfigError(f"unknown dtype {dtype!r}; allowed: auto, {', '.join(DTYPES)}")
    return DTYPES[dtype]


@contextmanager
def running(device: torch.device) -> Iterator[None]:
    """No gradients inside; running out of memory is a MemoryError, which makes callers halve the batch."""
    try:
        with torch.inference_mode():
            yield
    except torch.OutOfMemoryError as error:
        if device.type == "cuda":
            torch.cuda.empty_cache()
        raise MemoryError(str(error)) from error
    except RuntimeError as error:
        # The CPU allocator and Apple's GPU have no exception type of their own.
        if "can't allocate memory" in str(error) or "out of memory" in str(error):
            raise MemoryError(str(error)) from error
        raise


def rows(output: Tensor) -> Floats:
    """(N, D) model output -> (N, D) float32 unit rows on the CPU. Raises EncodingError on zero or non-finite rows."""
    return unit_rows(output.detach().float().cpu().numpy())


def settle(module: nn.Module, device: torch.device, dtype: torch.dtype) -> Any:
    """The module in inference mode, without gradients, where and as it shall run."""
    return module.eval().requires_grad_(False).to(device=device, dtype=dtype)


def load_transformers(model_class: Any, folder: Path, *, dtype: torch.dtype = torch.float32, **settings: Any) -> Any:
    """A transformers model from a local folder, on the CPU; every weight comes from the files.

    Raises ValueError when weights are missing or of another shape, which transformers would fill with random
    numbers; call it inside `weights.loading`.
    """
    with _no_progress_bar():
        model, info = model_class.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, dtype=dtype, **settings
        )
    wrong = sorted(info["missing_keys"]) + sorted(str(entry[0]) for entry in info["mismatched_keys"])
    if wrong:
        raise ValueError(f"{len(wrong)} weights are missing or of another shape, such as {', '.join(wrong[:3])}")
    return model


def load_tokenizer(folder: Path, spec: ModelSpec) -> Any:
    """A transformers tokenizer from a local folder. Raises WeightsMissing where the folder has no vocabulary.

    transformers would then make one that knows no word, and every text would get the same vector.
    """
    from transformers import AutoTokenizer

    weights.find_file(folder, VOCABULARIES, spec)
    with weights.loading(spec, folder):
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)


class Parts(NamedTuple):
    """A model, settled on its device, with what prepares its inputs."""

    model: Any
    processor: Any
    tokenizer: Any
    device: torch.device
    folder: Path

    def space(self, spec: ModelSpec, dim: int) -> Space:
        """The record's space; for a folder without a record one of its own."""
        return spec.space or Space(weights.space_name(spec, self.folder), dim)


def load_parts(
    spec: ModelSpec, model: str, processor: str, *, device: str, dtype: str, weights_dir: Path | None, offline: bool
) -> Parts:
    """What the transformers classes of these names load from the spec's folder. Raises WeightsMissing, ConfigError."""
    import transformers

    chosen = pick_device(device)
    kind = pick_dtype(dtype, chosen)
    at = weights.folder(spec, weights_dir=weights_dir, offline=offline)
    tokenizer = load_tokenizer(at, spec)
    with weights.loading(spec, at):
        loaded = load_transformers(getattr(transformers, model), at)
        prepares = getattr(transformers, processor).from_pretrained(at, local_files_only=True)
    return Parts(settle(loaded, chosen, kind), prepares, tokenizer, chosen, at)


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """Loading local weights takes a moment; transformers would draw a bar over ours."""
    from transformers import utils

    logging: Any = utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


class Tower:
    """An `Encoder` whose subclasses say how a batch of one modality becomes (N, D) features: `_text`, `_audio`, ..."""

    def __init__(self, space: Space, model: Any, device: torch.device, modalities: frozenset[Modality]) -> None:
        self.space, self.device, self.modalities = space, device, modalities
        self._model = model

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        """As `Encoder.encode`."""
        if modality not in self.modalities:
            raise ValueError(f"{self.space.name} understands {' and '.join(sorted(self.modalities))}, not {modality!r}")
        if not len(items):
            return np.zeros((0, self.space.dim), dtype=np.float32)
        with running(self.device):
            return rows(getattr(self, f"_{modality}")(items))

    def _placed(self, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
        """Tensors on the device; floating ones in the model's dtype."""
        dtype = next(self._model.parameters()).dtype
        return {k: v.to(self.device, dtype if v.is_floating_point() else v.dtype) for k, v in inputs.items()}


def texts_of(items: Sequence[Item]) -> list[str]:
    return [item.text if isinstance(item, TimedText) else str(item) for item in items]


def pooled(output: Any) -> Tensor:
    """The (N, D) features of an output; transformers 5 wraps them."""
    features: Tensor = output if isinstance(output, torch.Tensor) else output.pooler_output
    return features


def sound_of(item: Item, rate_hz: int) -> Floats:
    """(N,) mono samples at that rate. Raises EncodingError when the item has no sound."""
    sound = item.audio if isinstance(item, AudioVisual) else item
    if not isinstance(sound, AudioSamples):
        raise EncodingError(f"needs sound, got {type(item).__name__} without any")
    return resampled(sound, rate_hz)


def resampled(sound: AudioSamples, rate_hz: int) -> Floats:
    """The samples at another rate, by FFmpeg's resampler; N becomes round(N * rate / old rate), at least 1."""
    if sound.rate_hz == rate_hz:
        return sound.samples
    from av import AudioFrame, AudioResampler

    frame = AudioFrame.from_ndarray(sound.samples[None], format="flt", layout="mono")
    frame.sample_rate = sound.rate_hz
    resampler = AudioResampler(format="flt", layout="mono", rate=rate_hz)
    parts = [part.to_ndarray()[0] for given in (frame, None) for part in resampler.resample(given)]
    wanted = max(1, round(len(sound.samples) * rate_hz / sound.rate_hz))
    joined = np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)
    return np.pad(joined, (0, max(0, wanted - len(joined))))[:wanted].astype(np.float32)


def frames_of(item: Item, count: int | None) -> Image:
    """(count, H, W, 3) frames of a clip, evenly spaced in time; a frame is shown until the next, so some may repeat.

    count None: all of them. Raises EncodingError when the item has no picture.
    """
    frames = item.frames if isinstance(item, AudioVisual) else item
    if isinstance(frames, np.ndarray):  # a single picture
        frames = FrameBatch(frames[None], np.zeros(1))
    if not isinstance(frames, FrameBatch):
        raise EncodingError(f"needs pictures, got {type(item).__name__} without any")
    if count is None:
        return frames.rgb
    times_s = np.linspace(frames.times_s[0], frames.times_s[-1], count)
    return frames.rgb[np.searchsorted(frames.times_s, times_s + 1e-9, side="right") - 1]
