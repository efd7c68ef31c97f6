"""Models with random weights and the configurations of the real ones, saved to folders: nothing is fetched.

The sizes are those of the published config.json files; parameters agree with what the authors state to 0.3 percent.
Tokenizers know a few words only, which changes no cost.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from tiny_models import word_tokenizer
from tiny_models_sentence import GEMMA_CHAT
from tiny_models_vlm import QWEN_CHAT, _tokenizer

from vidembed.models import registry
from vidembed.models.spec import ModelSpec


def build(name: str, folder: Path) -> Path:
    """Save the named record's model to the folder. Raises KeyError where nothing here makes one."""
    spec = registry.find(name)
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    with _quickly():
        BUILDERS[spec.name if spec.name in BUILDERS else spec.factory.rpartition(".")[2]](spec, folder)
    return folder


@contextmanager
def _quickly() -> Iterator[None]:
    """Large tensors are filled with one block of random numbers again and again: minutes of drawing less."""
    drawn: dict[str, Any] = {name: getattr(torch.Tensor, name) for name in ("normal_", "uniform_")}

    def repeating(draw: Any) -> Any:
        def fill(tensor: Any, *given: Any, **named: Any) -> Any:
            if tensor.numel() <= _BLOCK or not tensor.is_contiguous() or tensor.is_meta:
                return draw(tensor, *given, **named)
            block = draw(torch.empty(_BLOCK, dtype=tensor.dtype, device=tensor.device), *given, **named)
            for part in tensor.view(-1).split(_BLOCK):
                part.copy_(block[: len(part)])
            return tensor

        return fill

    try:
        for name, draw in drawn.items():
            setattr(torch.Tensor, name, repeating(draw))
        yield
    finally:
        for name, draw in drawn.items():
            setattr(torch.Tensor, name, draw)


_BLOCK = 1 << 20


def _save(model: Any, folder: Path) -> None:
    model.eval().save_pretrained(folder)


def open_clip(spec: ModelSpec, folder: Path) -> None:
    import open_clip
    from safetensors.torch import save_model

    model = open_clip.create_model(spec.options["arch"], pretrained=None)
    save_model(model, str(folder / "open_clip_model.safetensors"))


def clap(spec: ModelSpec, folder: Path) -> None:
    import transformers as t

    word_tokenizer(folder)
    t.ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    _save(t.ClapModel(t.ClapConfig()), folder)


def videoprism(spec: ModelSpec, folder: Path) -> None:
    import transformers as t

    wide: dict[str, Any] = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16}
    text, vision = (wide, {**wide, "num_spatial_layers": 24}) if "large" in spec.name else ({}, {})
    word_tokenizer(folder)
    t.LlavaOnevisionVideoProcessor(size={"height": 288, "width": 288}).save_pretrained(folder)
    vision = {**vision, "num_frames": spec.input.frames}
    _save(t.VideoPrismClipModel(t.VideoPrismConfig(text_config=text, vision_config=vision)), folder)


def pe_av(spec: ModelSpec, folder: Path) -> None:
    import transformers as t
    from transformers.models.pe_audio.feature_extraction_pe_audio import PeAudioFeatureExtractor
    from transformers.models.pe_video.video_processing_pe_video import PeVideoVideoProcessor

    sizes = {"small": (768, 6, 2048, 12), "base": (1024, 8, 2752, 16), "large": (1792, 14, 4800, 28)}
    hidden, heads, inner, layers = sizes[spec.name.split("-")[2]]
    block = {"hidden_size": hidden, "num_attention_heads": heads, "intermediate_size": inner}
    both = {
        **block, "num_hidden_layers": 6,
        "audio_config": {**block, "model_type": "pe_audio_encoder", "num_hidden_layers": layers},
        "video_config": {**block, "model_type": "pe_video_encoder", "num_hidden_layers": 4},
    }  # fmt: skip
    t.PeAudioVideoProcessor(
        feature_extractor=PeAudioFeatureExtractor(sampling_rate=48_000, hop_length=1920),
        video_processor=PeVideoVideoProcessor(
            size={"height": 336, "width": 336}, image_mean=[0.5] * 3, image_std=[0.5] * 3,
            do_resize=True, do_rescale=True, do_normalize=True,
        ),
        tokenizer=word_tokenizer(folder),
    ).save_pretrained(folder)  # fmt: skip
    _save(t.PeAudioVideoModel(t.PeAudioVideoConfig(audio_video_config=both)), folder)


def multilingual_minilm(spec: ModelSpec, folder: Path) -> None:
    import transformers as t

    config = t.BertConfig(
        vocab_size=250_037, hidden_size=384, num_hidden_layers=12, num_attention_heads=12, intermediate_size=1536
    )
    plain = folder.with_name(folder.name + "-plain")
    word_tokenizer(plain)
    _save(t.BertModel(config, add_pooling_layer=False), plain)
    _sentences(plain, folder, dim=384, pooling="mean")


def embedding_gemma2(spec: ModelSpec, folder: Path) -> None:
    import transformers as t

    kinds = ("image", "audio", "video")
    named = {f"{kind}_token": f"<|{kind}|>" for kind in kinds}
    named |= {"boi_token": "<boi>", "eoi_token": "<eoi>", "boa_token": "<boa>", "eoa_token": "<eoa>"}
    tokenizer = _tokenizer(tuple(named.values()), bos="<bos>", eos="<eos>", pad="<pad>", **named)
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in named.items()}
    for kind in kinds:
        setattr(tokenizer, f"{kind}_token_id", ids[f"{kind}_token"])
    config = t.EmbeddingGemma2Config(
        vision_config={"model_type": "gemma4_vision"}, audio_config={"model_type": "gemma4_audio"},
        **{f"{name}_id": ids[name] for name in named if name != "eoa_token"}, eoa_token_index=ids["eoa_token"],
    )  # fmt: skip
    plain = folder.with_name(folder.name + "-plain")
    _save(t.EmbeddingGemma2Model(config), plain)
    t.EmbeddingGemma2Processor(
        t.Gemma4AudioFeatureExtractor(), t.Gemma4ImageProcessor(), tokenizer, t.EmbeddingGemma2VideoProcessor(),
        chat_template=GEMMA_CHAT,
    ).save_pretrained(plain)  # fmt: skip
    _sentences(plain, folder, dim=768, pooling="mean")


def qwen3_vl_embedding_2b(spec: ModelSpec, folder: Path) -> None:
    import transformers as t

    named = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
    ends = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>")
    tokenizer = _tokenizer((*ends, *named.values()), bos=None, eos="<|im_end|>", pad="<|endoftext|>", **named)
    ids = tokenizer.convert_tokens_to_ids
    patches = {"patch_size": 16, "temporal_patch_size": 2, "merge_size": 2}
    config = t.Qwen3VLConfig(
        text_config={"hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28, "head_dim": 128,
                     "num_attention_heads": 16, "num_key_value_heads": 8, "vocab_size": 151_936,
                     "rope_parameters": {"rope_type": "default", "mrope_section": [24, 20, 20], "rope_theta": 5e6,
                                         "mrope_interleaved": True}},
        vision_config={"depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16,
                       "out_hidden_size": 2048, "deepstack_visual_indexes": [5, 11, 17]},
        image_token_id=ids("<|image_pad|>"), video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"), vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=True,
    )  # fmt: skip
    plain = folder.with_name(folder.name + "-plain")
    torch.set_default_dtype(torch.bfloat16)  # as it is published
    _save(t.Qwen3VLForConditionalGeneration(config), plain)
    torch.set_default_dtype(torch.float32)
    t.Qwen3VLProcessor(
        t.Qwen2VLImageProcessor(**patches), tokenizer, t.Qwen3VLVideoProcessor(**patches), chat_template=QWEN_CHAT
    ).save_pretrained(plain)
    _sentences(plain, folder, dim=2048, pooling="lasttoken")


def _sentences(plain: Path, folder: Path, *, dim: int, pooling: Any) -> None:
    """What modules.json names; the folder of the network alone is removed."""
    import shutil

    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules.normalize import Normalize
    from sentence_transformers.base.modules.transformer import Transformer
    from sentence_transformers.sentence_transformer.modules.pooling import Pooling

    network = Transformer(str(plain), model_kwargs={"dtype": "auto"})
    parts = [network, Pooling(dim, pooling_mode=pooling), Normalize()]
    SentenceTransformer(modules=parts, device="cpu").save_pretrained(str(folder))
    shutil.rmtree(plain)


# By the record's name, else by its factory.
BUILDERS: dict[str, Callable[[ModelSpec, Path], None]] = {
    "open_clip:load": open_clip,
    "clap-htsat-unfused": clap,
    "dual:load_videoprism": videoprism,
    "pe_av:load": pe_av,
    "multilingual-minilm-l12-v2": multilingual_minilm,
    "embeddinggemma-2": embedding_gemma2,
    "qwen3-vl-embedding-2b": qwen3_vl_embedding_2b,
}
