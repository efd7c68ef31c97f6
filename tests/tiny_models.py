"""Tiny models with random weights, built from a config and saved to a folder as their real kin are published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

WORDS = tuple("a photo of red green blue yellow car dog cat lake the runs jumps and in on music rain".split())  # noqa: SIM905


def seeded(seed: int = 0) -> None:
    torch.manual_seed(seed)


def open_clip_folder(
    folder: Path, *, fast: bool = False, preprocess: dict[str, Any] | None = None, dim: int = 24
) -> Path:
    """An open_clip model of 1.7 M parameters (almost all of them the words'), with its open_clip_config.json.

    fast: a picture tower with branches to fuse, as MobileCLIP has.
    """
    import open_clip
    from safetensors.torch import save_model

    vision: dict[str, Any] = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32}
    if fast:
        vision = {
            "timm_model_name": "mobileone_s0", "timm_pool": "avg", "timm_proj": "linear", "image_size": 64,
        }  # fmt: skip
    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    model_cfg = {"embed_dim": dim, "vision_cfg": vision, "text_cfg": text, "custom_text": fast}
    preprocess_cfg = {
        "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bicubic", "resize_mode": "squash",
        **(preprocess or {}),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    seeded()
    kwargs = {k: v for k, v in model_cfg.items() if k != "custom_text"}
    model = (open_clip.CustomTextCLIP if fast else open_clip.CLIP)(**kwargs)
    if not fast:  # untrained batch norms would let it overflow
        spread(model)
    save_model(model, str(folder / "open_clip_model.safetensors"))
    return folder


def spread(model: torch.nn.Module) -> None:
    """Larger weights than training starts from, so that different inputs give clearly different vectors."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(3)


def word_tokenizer(folder: Path, *, bos: str = "<s>", eos: str = "</s>", pad: str = "<pad>") -> Any:
    """A tokenizer of a few whole words, saved to the folder as transformers does."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate([pad, bos, eos, "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}", special_tokens=[(bos, vocabulary[bos]), (eos, vocabulary[eos])]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=bos, eos_token=eos, pad_token=pad, unk_token="<unk>", model_max_length=12
    )
    fast.save_pretrained(folder)
    return fast


def dual_folder(folder: Path, family: str, *, dim: int | None = None) -> Path:
    """A transformers dual tower of about 40 k parameters. family: "clip", "siglip", "metaclip_2"."""
    import transformers as t

    tokenizer = word_tokenizer(folder)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {
        **size, "vocab_size": len(tokenizer), "max_position_embeddings": 12, "pad_token_id": 0, "bos_token_id": 1,
        "eos_token_id": 2, "projection_size": dim or 32,
    }  # fmt: skip
    vision = {**size, "image_size": 32, "patch_size": 8}
    if family == "siglip":
        vision["hidden_size"] = dim or 32
        config: Any = t.SiglipConfig(text_config=text, vision_config=vision)
        model: Any = t.SiglipModel
        processor: Any = t.SiglipImageProcessor(size={"height": 32, "width": 32})
    else:
        text.pop("projection_size")
        kinds = {"clip": (t.CLIPConfig, t.CLIPModel), "metaclip_2": (t.MetaClip2Config, t.MetaClip2Model)}
        config_class, model = kinds[family]
        config = config_class(text_config=text, vision_config=vision, projection_dim=dim or 24)
        processor = t.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    seeded()
    built = model(config)
    spread(built)
    built.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
