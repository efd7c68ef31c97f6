"""Pictures and text through open_clip: any architecture, pretrained tag, hub id or local checkpoint."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import torch

from vidembed.errors import ConfigError, UnknownModel, VidembedError, WeightsMissing, did_you_mean
from vidembed.models import weights
from vidembed.models.encoders import _engines, _openvino, _torch
from vidembed.models.encoders._pictures import Preparation
from vidembed.models.encoders._torch import Tower, texts_of
from vidembed.models.hub import OPEN_CLIP_WEIGHTS
from vidembed.types import Item, Space

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vidembed.models.spec import ModelSpec

CONFIG = "open_clip_config.json"
_log = logging.getLogger(__name__)
_TRACED: Any = torch.jit.TracerWarning  # type: ignore[attr-defined]
ENGINES = ("auto", "torch", "openvino")


class OpenClipEncoder(Tower):
    """An `Encoder` of pictures and text. Made by `load`."""

    def __init__(
        self,
        space: Space,
        model: Any,
        tokenizer: Callable[[list[str]], Tensor],
        prepare: Preparation,
        device: torch.device,
        dtype: torch.dtype,
        tower: Callable[[], Callable[[Tensor], Tensor]],
    ) -> None:
        """tower: makes the image tower, at the first picture: a search by text waits for none of it."""
        super().__init__(space, model, device, frozenset({"text", "image"}))
        self.dtype, self.prepare = dtype, prepare
        self._tokenizer = tokenizer
        self._make, self._making = tower, Lock()
        self._tower: Callable[[Tensor], Tensor] | None = None
        # The vector is that of the end token, and no token sees a later one: what pads behind it need not be computed.
        text = getattr(model, "text", None)
        causal = getattr(text, "attn_mask", None) is not None and getattr(text, "cls_emb", None) is None
        self._ends_early = causal and getattr(text, "pool_type", None) == "argmax"

    @property
    def tower(self) -> Callable[[Tensor], Tensor]:
        """The image tower: (N, 3, H, W) -> (N, D)."""
        with self._making:
            if self._tower is None:
                self._tower = self._make()
            return self._tower

    def _image(self, items: Sequence[Item]) -> Tensor:
        return self.tower(self.prepare(items, self.device).to(self.dtype))  # type: ignore[arg-type]

    def _text(self, items: Sequence[Item]) -> Tensor:
        tokens = self._tokenizer(texts_of(items)).to(self.device)
        if self._ends_early:
            longest = int(tokens.argmax(dim=1).max()) + 1
            shortened: Tensor = _shortened(self._model.text, longest)(tokens[:, :longest])
            return shortened
        output: Tensor = self._model.encode_text(tokens)
        return output


def _shortened(text: nn.Module, length: int) -> nn.Module:
    """The causal tower for texts of this many tokens; it shares all weights."""
    short = copy.copy(text)
    short._buffers = {**text._buffers, "attn_mask": text.attn_mask[:length, :length]}  # type: ignore[index]
    return short


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
    arch: str | None = None,
    tag: str | None = None,
    engine: str = "auto",
) -> OpenClipEncoder:
    """The registry's factory: loads the record's folder, checkpoint, or hub repository, or that of the tag.

    Args:
        spec: The record.
        device: See `registry.load`.
        dtype: See `registry.load`.
        weights_dir: See `registry.load`.
        offline: See `registry.load`.
        arch: open_clip's name of the architecture; needed where the folder has no open_clip_config.json.
        tag: open_clip's name of the pretrained weights.
        engine: What runs the image tower on a CPU. "openvino" takes bfloat16 where the CPU has it and the vectors agree
            with float32 (cosine >= 0.999, checked when loaded). "auto": OpenVINO where it is installed, else torch.

    Raises:
        UnknownModel: For an unknown architecture or tag.
        WeightsMissing: When the weights are not found or do not load.
        ConfigError: For an unknown engine, device or dtype.
        MissingDependency: For engine "openvino" without the package.
    """
    if engine not in ENGINES:
        raise ConfigError(f"unknown engine {engine!r}; allowed: {', '.join(ENGINES)}")
    chosen = _torch.pick_device(device)
    if engine == "openvino" and chosen.type != "cpu":
        raise ConfigError(
            f"engine 'openvino' runs on the CPU, not on {chosen}", hint="set device: cpu or engine: torch"
        )
    cfg = _pretrained(arch, tag)
    if spec.path is None and spec.repo is None:
        spec = replace(spec, repo=_repo(cfg, f"{arch}/{tag}"))
    at = weights.folder(spec, weights_dir=weights_dir, offline=offline)
    model, tokenizer = _build(spec, at, arch, cfg)
    prepare = _preparation(spec, at, arch, cfg, model)
    on_openvino = chosen.type == "cpu" and (engine == "openvino" or (engine == "auto" and _engines.available()))
    kind = torch.float32 if on_openvino else _torch.pick_dtype(dtype, chosen, spec.dtypes)
    model = _torch.settle(model, chosen, kind)

    def tower() -> Callable[[Tensor], Tensor]:
        visual: nn.Module = _torch.settle(_fused(model.visual), chosen, kind)
        if on_openvino:
            compiled = _compiled(spec, visual, prepare.size, dtype, needed=engine == "openvino")
            if compiled is not None:
                del model.visual  # its memory is the engine's now
                return compiled
        return visual

    space = spec.space or Space(weights.space_name(spec, at), _dim(spec, at))
    encoder = OpenClipEncoder(space, model, tokenizer, prepare, chosen, kind, tower)
    if engine == "openvino":
        _ = encoder.tower  # whoever asks for it by name hears at once when it cannot be
    return encoder


def _compiled(
    spec: ModelSpec, visual: Any, size: tuple[int, int], dtype: str, *, needed: bool
) -> Callable[[Tensor], Tensor] | None:
    """The image tower under OpenVINO; None where it cannot be translated and torch may take its place."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=_TRACED)  # sizes are fixed: what it traced once holds
            return _openvino.compile_tower(visual, size, dtype=dtype)
    except (VidembedError, MemoryError):
        raise
    except Exception as error:  # of torch's tracer and of OpenVINO
        if needed:
            raise ConfigError(
                f"OpenVINO cannot run the image tower of {spec.name}: {str(error).strip().splitlines()[0][:200]}",
                hint="set the channel's engine to torch or auto",
            ) from error
        _log.warning("OpenVINO cannot run the image tower of %s; torch takes its place and is slower", spec.name)
        return None


def _build(spec: ModelSpec, at: Path, arch: str | None, cfg: Mapping[str, Any]) -> tuple[Any, Any]:
    """The model with all its weights from the files, in float32 on the CPU, and its tokenizer."""
    import open_clip

    folder = at if at.is_dir() else at.parent
    local = f"local-dir:{folder}"
    # Never the tower's own pretrained weights, never random ones, never pickles.
    strict = {"weights_only": True, "require_pretrained": True, "pretrained_image": False, "pretrained_text": False}
    if at.is_dir() and (at / CONFIG).is_file():
        text = weights.read_json(at / CONFIG, spec).get("model_cfg", {}).get("text_cfg", {})
        weights.find_file(at, OPEN_CLIP_WEIGHTS, spec)
        if text.get("hf_tokenizer_name"):  # transformers would make an empty one
            weights.find_file(at, _torch.VOCABULARIES, spec)
        with weights.loading(spec, at):
            with _torch.as_stored():
                model = open_clip.create_model(local, **strict)
            return model, open_clip.get_tokenizer(local)
    if arch is None:
        weights.find_file(folder, [CONFIG], spec)  # raises: without it, nothing says what the weights are for
    checkpoint = at if at.is_file() else weights.find_file(at, OPEN_CLIP_WEIGHTS, spec)
    if checkpoint.suffix not in (".safetensors", ".bin", ".pt", ".pth"):
        raise WeightsMissing(f"{checkpoint} is not a weights file", hint="allowed: .safetensors, .bin, .pt, .pth")
    with weights.loading(spec, checkpoint):
        quick = bool(cfg.get("quick_gelu"))  # some tags need it though the architecture's name does not say so
        with _torch.as_stored():
            model = open_clip.create_model(arch, pretrained=str(checkpoint), force_quick_gelu=quick, **strict)
        return model, _tokenizer(str(arch), folder)


def _tokenizer(arch: str, folder: Path) -> Any:
    """The architecture's tokenizer: from beside the weights where open_clip itself does not carry it."""
    import open_clip
    from open_clip.tokenizer import HFTokenizer

    text = open_clip.get_model_config(arch)["text_cfg"]
    if text.get("hf_tokenizer_name") and (folder / "tokenizer_config.json").is_file():
        length = text.get("context_length", 77)
        return HFTokenizer(str(folder), context_length=length, **text.get("tokenizer_kwargs", {}))
    return open_clip.get_tokenizer(arch)


def _preparation(spec: ModelSpec, at: Path, arch: str | None, cfg: Mapping[str, Any], model: Any) -> Preparation:
    """Preprocessing from the weights' own settings; for a bare file what all tags of its architecture share."""
    config = dict(model.visual.preprocess_cfg)
    beside = (at if at.is_dir() else at.parent) / CONFIG
    if beside.is_file():
        config |= weights.read_json(beside, spec).get("preprocess_cfg") or {}
    else:
        keys = ("mean", "std", "interpolation", "resize_mode")
        config |= {key: value for key, value in (cfg or _shared(arch)).items() if key in keys}
    config["size"] = model.visual.image_size
    with weights.loading(spec, at):
        return Preparation.read(config)


def _pretrained(arch: str | None, tag: str | None) -> Mapping[str, Any]:
    """open_clip's record of a pretrained tag; {} without a tag. Raises UnknownModel with close names."""
    if arch is None:
        return {}
    import open_clip

    if open_clip.get_model_config(arch) is None:
        raise UnknownModel(f"open_clip has no architecture {arch!r}", hint=did_you_mean(arch, open_clip.list_models()))
    if tag is None:
        return {}
    cfg: Mapping[str, Any] = open_clip.get_pretrained_cfg(arch, tag)
    if not cfg:
        tags = open_clip.list_pretrained_tags_by_model(arch)
        raise UnknownModel(f"open_clip's {arch} has no pretrained tag {tag!r}", hint=f"known: {', '.join(tags)}")
    return cfg


def _shared(arch: str | None) -> Mapping[str, Any]:
    """What the pretrained tags of an architecture agree on; {} where they do not, or there are none."""
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(arch) if arch else []
    records = [dict(open_clip.get_pretrained_cfg(arch, tag)) for tag in tags]
    return {k: v for k, v in records[0].items() if all(r.get(k) == v for r in records)} if records else {}


def _repo(cfg: Mapping[str, Any], what: str) -> str:
    repo = "/".join(str(cfg.get("hf_hub", "")).split("/")[:2])
    if repo.count("/") != 1 or repo.endswith("/"):
        url = cfg.get("url") or "unknown"
        raise WeightsMissing(
            f"the weights of {what} are in no hub repository; their address is {url}",
            hint=f"download the file yourself and use open_clip:{what.split('/')[0]}/PATH/TO/FILE",
        )
    return repo


def _fused(tower: Any) -> Any:
    """The tower with its training-time branches merged (RepVGG, MobileOne): the same output in fewer steps."""
    from timm.utils.model import reparameterize_model

    return reparameterize_model(tower.eval(), inplace=True)


def _dim(spec: ModelSpec, at: Path) -> int:
    import open_clip

    if at.is_dir() and (at / CONFIG).is_file():
        return int(weights.read_json(at / CONFIG, spec)["model_cfg"]["embed_dim"])
    return int(open_clip.get_model_config(spec.options["arch"])["embed_dim"])
