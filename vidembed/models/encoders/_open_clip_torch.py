"""open_clip's models in torch: loaded from files alone; run where OpenVINO does not run them, else converted once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import open_clip
import torch
from torch.nn.functional import interpolate, pad

from vidembed.errors import UnknownModel, WeightsMissing, did_you_mean
from vidembed.models import weights
from vidembed.models.encoders import _torch
from vidembed.models.encoders._pictures import Preparation, checked
from vidembed.models.hub import OPEN_CLIP_WEIGHTS
from vidembed.types import Floats, Image, Modality

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vidembed.models.spec import ModelSpec

CONFIG = "open_clip_config.json"


class TorchModel:
    """A model with its tokenizer and preprocessing, all from one folder or file.

    Attributes:
        dim: Of its vectors.
        model: open_clip's, in inference mode.
        tokenizer: Its own.
        prepare: Its preprocessing.
        ends_early: A text's vector is that of its end token, and no token sees a later one: what pads behind it need
            not be computed.
    """

    def __init__(
        self, spec: ModelSpec, at: Path, *, device: str, dtype: str, arch: str | None = None, tag: str | None = None
    ) -> None:
        """Raises ConfigError (device, dtype), UnknownModel (arch, tag), WeightsMissing."""
        self.device = _torch.pick_device(device)
        self.dtype = _torch.pick_dtype(dtype, self.device, spec.dtypes)
        cfg = _pretrained(arch, tag)
        model, self.tokenizer = _build(spec, at, arch, cfg)
        self.prepare = _preparation(spec, at, arch, cfg, model)
        self.model = _torch.settle(model, self.device, self.dtype)
        self.dim = _dim(spec, at, arch)
        text = getattr(model, "text", model)
        causal = getattr(text, "attn_mask", None) is not None and getattr(text, "cls_emb", None) is None
        pool = getattr(text, "text_pool_type", None) or getattr(text, "pool_type", None)
        self.ends_early = causal and pool == "argmax" and not getattr(text, "use_pad_mask", False)
        self._name = spec.name

    @cached_property
    def visual(self) -> nn.Module:
        """The image tower, (N, 3, H, W) -> (N, D), with its training-time branches merged (RepVGG, MobileOne)."""
        from timm.utils.model import reparameterize_model

        fused: nn.Module = reparameterize_model(self.model.visual.eval(), inplace=True)
        return _torch.settle(fused, self.device, self.dtype)  # type: ignore[no-any-return]

    def tower(self, modality: Modality) -> Callable[[Sequence[Any]], Floats]:
        """What computes the features of pictures or texts."""
        return self._pictures if modality == "image" else self._texts

    def _pictures(self, images: Sequence[Image]) -> Floats:
        """(H, W, 3) uint8 -> (N, D) features."""
        if self.device.type == "cpu":
            pixels = torch.from_numpy(self.prepare(images))
        else:
            pixels = prepared_on(self.prepare, images, self.device)
        with _torch.running(self.device):
            return self._checked(self.visual(pixels.to(self.dtype)))

    def _texts(self, texts: Sequence[str]) -> Floats:
        """(N, D) features."""
        tokens = self.tokenizer(list(texts)).to(self.device)
        with _torch.running(self.device):
            if self.ends_early and hasattr(self.model, "text"):
                longest = int(tokens.argmax(dim=1).max()) + 1
                return self._checked(_shortened(self.model.text, longest)(tokens[:, :longest]))
            return self._checked(self.model.encode_text(tokens))

    def _checked(self, output: Tensor) -> Floats:
        if self.dtype == torch.float16 and not torch.isfinite(output).all():
            raise _torch.overflows(self._name)
        features: Floats = output.float().cpu().numpy()
        return features


def prepared_on(prepare: Preparation, images: Sequence[Image], device: torch.device) -> Tensor:
    """As `prepare`, computed on a GPU: (N, 3, *size) float32, channels last in memory; equal shapes together."""
    out = torch.empty((len(images), *prepare.size, 3), dtype=torch.float32, device=device).permute(0, 3, 1, 2)
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        by_shape.setdefault(checked(image).shape, []).append(index)
    for indices in by_shape.values():
        stacked = torch.stack([torch.from_numpy(images[i]) for i in indices]).to(device)
        out[torch.tensor(indices, device=device)] = _fitted(prepare, stacked.permute(0, 3, 1, 2).float())
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (prepare.mean, prepare.std))
    return out.div_(255).sub_(mean).div_(std)


def _fitted(prepare: Preparation, pixels: Tensor) -> Tensor:
    """(N, 3, H, W) -> (N, 3, *size), 0..255 before and after."""
    height, width = prepare.resized(int(pixels.shape[2]), int(pixels.shape[3]))
    if pixels.shape[2:] != (height, width):
        pixels = (
            interpolate(pixels, (height, width), mode=prepare.interpolation, antialias=True).round_().clamp_(0, 255)
        )
    if prepare.resize_mode == "shortest":
        top, left = prepare.corner(height, width)
        return pixels[:, :, top : top + prepare.size[0], left : left + prepare.size[1]]
    down, right = prepare.size[0] - height, prepare.size[1] - width
    return pad(pixels, (right // 2, right - right // 2, down // 2, down - down // 2), value=prepare.fill_color)


def _shortened(text: nn.Module, length: int) -> nn.Module:
    """The causal tower for texts of this many tokens; it shares all weights."""
    short = copy.copy(text)
    short._buffers = {**text._buffers, "attn_mask": text.attn_mask[:length, :length]}  # type: ignore[index]
    return short


def _build(spec: ModelSpec, at: Path, arch: str | None, cfg: Mapping[str, Any]) -> tuple[Any, Any]:
    """The model with all its weights from the files, in float32 on the CPU, and its tokenizer."""
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
    tags = open_clip.list_pretrained_tags_by_model(arch) if arch else []
    records = [dict(open_clip.get_pretrained_cfg(arch, tag)) for tag in tags]
    return {k: v for k, v in records[0].items() if all(r.get(k) == v for r in records)} if records else {}


def repository(arch: str | None, tag: str | None) -> str:
    """The hub repository of a tag's weights. Raises UnknownModel; WeightsMissing where they are in none."""
    cfg, what = _pretrained(arch, tag), f"{arch}/{tag}"
    repo = "/".join(str(cfg.get("hf_hub", "")).split("/")[:2])
    if repo.count("/") != 1 or repo.endswith("/"):
        url = cfg.get("url") or "unknown"
        raise WeightsMissing(
            f"the weights of {what} are in no hub repository; their address is {url}",
            hint=f"download the file yourself and use open_clip:{what.split('/')[0]}/PATH/TO/FILE",
        )
    return repo


def _dim(spec: ModelSpec, at: Path, arch: str | None) -> int:
    if at.is_dir() and (at / CONFIG).is_file():
        return int(weights.read_json(at / CONFIG, spec)["model_cfg"]["embed_dim"])
    return int(open_clip.get_model_config(arch)["embed_dim"])
