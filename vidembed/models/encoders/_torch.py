"""Shared by the torch encoders: device, dtype and weights, strict loading, towers, inputs as processors take them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from vidembed.errors import ConfigError, EncodingError
from vidembed.models import weights
from vidembed.models.encoders._tokens import texts_of
from vidembed.types import AudioSamples, AudioVisual, Floats, FrameBatch, Image, Item, Modality, Space
from vidembed.vectors import unit_rows

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vidembed.models.spec import ModelSpec


# Any of them carries a tokenizer's words.
VOCABULARIES = (
    "tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
)  # fmt: skip
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


def pick_dtype(dtype: str, device: torch.device, safe: Sequence[str]) -> torch.dtype:
    """The named dtype; "auto" is bfloat16 on CUDA GPUs that have it (Ampere and later) and float32 elsewhere.

    safe: those of the record; without bfloat16 among them, "auto" on a GPU is float16 where that is, else float32.
    Half precision on the CPU is only used through an engine that has proven its agreement (`_conversion`).
    """
    if dtype == "auto":
        if device.type != "cuda":
            return torch.float32
        if "bfloat16" in safe:
            return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
        return torch.float16 if "float16" in safe else torch.float32
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


def overflows(name: str) -> ConfigError:
    """The error for a model whose vectors are not finite in float16."""
    return ConfigError(
        f"{name} overflows in float16: its vectors are not finite",
        hint="set the channel's dtype to bfloat16 or float32",
    )


def settle(module: nn.Module, device: torch.device, dtype: torch.dtype) -> Any:
    """The module in inference mode, without gradients, where and as it shall run."""
    return module.eval().requires_grad_(False).to(device=device, dtype=dtype)


def load_transformers(model_class: Any, folder: Path, *, dtype: torch.dtype = torch.float32, **settings: Any) -> Any:
    """A transformers model from a local folder, on the CPU; every weight comes from the files.

    Raises ValueError when weights are missing or of another shape, which transformers would fill with random
    numbers; call it inside `weights.loading`.
    """
    with no_progress_bar():
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


class as_stored(TorchFunctionMode):  # noqa: N801 (used as a function is)
    """Models made inside are not filled with random numbers, and take the file's mapped memory for their weights.

    For models all of whose weights come from a file, read inside, too. A tower of 375 million parameters then takes a
    fifth of the time and a third of the memory: what is not used is never read, and nothing is copied.
    """

    def __torch_function__(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(function, "__name__", "")
        if name in _RANDOM:
            return args[0] if args else kwargs["tensor"]
        if name == "copy_" and _alike(*args[:2]):
            args[0].data = args[1]
            return args[0]
        return function(*args, **(kwargs or {}))


_RANDOM = {"normal_", "uniform_", "erfinv_", "trunc_normal_", "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_"}


def _alike(weight: Tensor, stored: Tensor) -> bool:
    return (
        isinstance(weight, torch.nn.Parameter)
        and weight.shape == stored.shape
        and weight.dtype == stored.dtype
        and weight.device == stored.device
        and stored.is_contiguous()
    )


class Placement(NamedTuple):
    """Where a model runs, in which precision, and the folder (or file) with its weights."""

    device: torch.device
    dtype: torch.dtype
    folder: Path

    def space(self, spec: ModelSpec, dim: int) -> Space:
        """The record's space; for weights without a record a space of their own."""
        return spec.space or Space(weights.space_name(spec, self.folder), dim)


def place(spec: ModelSpec, *, device: str, dtype: str, weights_dir: Path | None, offline: bool) -> Placement:
    """What every factory settles first. Raises ConfigError (device, dtype) or WeightsMissing."""
    chosen = pick_device(device)
    kind = pick_dtype(dtype, chosen, spec.dtypes)
    return Placement(chosen, kind, weights.folder(spec, weights_dir=weights_dir, offline=offline))


@contextmanager
def no_progress_bar() -> Iterator[None]:
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
    """An `Encoder` whose subclasses say how a batch of one modality becomes (N, D) features: `_text`, `_audio`, ...

    Attributes:
        clip_frames: How many frames of a clip it sees, evenly spaced; None: as many as it is given.
        queries: Prompt for text that is searched with; None: the record's prompts are for other media than text.
        documents: Prompt for text that is stored.
    """

    clip_frames: int | None = None
    queries: str | None = None
    documents: str = "{}"

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
            found = self._features(modality, items)
            if next(self._model.parameters()).dtype == torch.float16 and not torch.isfinite(found).all():
                raise overflows(self.space.name)
            return rows(found)

    def _features(self, modality: Modality, items: Sequence[Item]) -> Tensor:
        """(N, D) model output."""
        return getattr(self, f"_{modality}")(items)  # type: ignore[no-any-return]

    def _placed(self, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
        """Tensors on the device; floating ones in the model's dtype."""
        dtype = next(self._model.parameters()).dtype
        return {k: v.to(self.device, dtype if v.is_floating_point() else v.dtype) for k, v in inputs.items()}


class TransformersTower(Tower):
    """A `Tower` over a transformers model with its processor and tokenizer, loaded from one folder.

    Subclasses encode pictures, clips or sound with `_model` and `_processor`; text is encoded here.

    Attributes:
        model_class: Name of the transformers class of the model.
        processor_class: Name of the transformers class that prepares what is not text.
        understands: The encoder's modalities.
        padding: The tokenizer's: True pads to the longest text of a batch, "max_length" to the model's length.
    """

    model_class: str
    processor_class: str
    understands: frozenset[Modality]
    padding: bool | str = True

    def __init__(self, space: Space, model: Any, processor: Any, tokenizer: Any, device: torch.device) -> None:
        super().__init__(space, model, device, self.understands)
        self._processor, self._tokenizer = processor, tokenizer
        self._max_tokens = int(model.config.text_config.max_position_embeddings)

    @classmethod
    def load(
        cls,
        spec: ModelSpec,
        *,
        device: str = "auto",
        dtype: str = "auto",
        weights_dir: Path | None = None,
        offline: bool = False,
    ) -> Self:
        """The registry's factory: model, processor and tokenizer from one folder.

        Raises:
            WeightsMissing: When the folder, a file or a weight is missing.
            ConfigError: For an unknown or absent device, or an unknown dtype.
        """
        import transformers

        at = place(spec, device=device, dtype=dtype, weights_dir=weights_dir, offline=offline)
        tokenizer = load_tokenizer(at.folder, spec)
        with weights.loading(spec, at.folder):
            model = load_transformers(getattr(transformers, cls.model_class), at.folder)
            processor = getattr(transformers, cls.processor_class).from_pretrained(at.folder, local_files_only=True)
        model = settle(model, at.device, at.dtype)
        return cls(at.space(spec, _dim(model.config)), model, processor, tokenizer, at.device)

    def _text(self, items: Sequence[Item]) -> Tensor:
        inputs = self._tokenizer(
            [self._wording(text) for text in texts_of(items)],
            padding=self.padding, truncation=True, max_length=self._max_tokens, return_tensors="pt",
        )  # fmt: skip
        return pooled(self._model.get_text_features(**self._placed(inputs)))

    def text_network(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(N, L) token ids, and 1 where they are tokens -> (N, D) features: what `_text_conversion` converts."""
        return pooled(self._model.get_text_features(input_ids=ids, attention_mask=mask))

    @property
    def text_tokenizer(self) -> tuple[Any, int]:
        """The tokenizer of transformers, and the tokens that it gives at most."""
        return self._tokenizer, self._max_tokens

    def _wording(self, text: str) -> str:
        """The text in the form that the model was trained on."""
        return text


def _dim(config: Any) -> int:
    """Dimensions of the shared space, which each family writes elsewhere in its config."""
    text = config.text_config
    projected = getattr(config, "projection_dim", None) or getattr(text, "projection_size", None)
    return int(projected or text.hidden_size)


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
    if count in (None, len(frames)):
        return frames.rgb
    times_s = np.linspace(frames.times_s[0], frames.times_s[-1], count)
    return frames.rgb[np.searchsorted(frames.times_s, times_s + 1e-9, side="right") - 1]
