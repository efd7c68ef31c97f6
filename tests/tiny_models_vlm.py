"""Tiny vision-language models with random weights, saved as their kin are published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny_models import WORDS, seeded, spread

TEXT: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "max_position_embeddings": 2048,
}  # fmt: skip
# What the prompts say, so that two prompts are two inputs.
ASKED = "Describe in one plain sentence what happens this video clip seconds heard Answer German . : <row> Frame from"
QWEN_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}"
    "{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif c.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif c.type == 'text' %}{{ c.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SMOL_CHAT = (
    "<|im_start|>{% for m in messages %}{{ m.role | capitalize }}: {% for c in m.content %}"
    "{% if c.type == 'text' %}{{ c.text }}{% elif c.type == 'image' %}<image>{% endif %}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)


def _tokenizer(specials: tuple[str, ...], *, bos: str | None, eos: str, pad: str, **named: str) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = dict.fromkeys([pad, eos, "<unk>", *specials, *WORDS, *ASKED.split()])
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=bos, eos_token=eos, pad_token=pad, unk_token="<unk>",
        extra_special_tokens=named,
    )  # fmt: skip
    fast.add_special_tokens({"additional_special_tokens": [s for s in specials if s not in named.values()]})
    return fast


def smolvlm_folder(folder: Path) -> Path:
    """SmolVLM2: frames of 32 x 32 px in four tokens each, sent as video."""
    import transformers as t

    named = {
        "image_token": "<image>", "fake_image_token": "<fake_token_around_image>", "global_image_token": "<global-img>",
        "end_of_utterance_token": "<end_of_utterance>", "video_token": "<video>",
    }  # fmt: skip
    tokenizer = _tokenizer(
        ("<|im_start|>", *named.values()), bos="<|im_start|>", eos="<end_of_utterance>", pad="<pad>", **named
    )
    longest = {"longest_edge": 32}
    processor = t.SmolVLMProcessor(
        image_processor=t.SmolVLMImageProcessor(size=longest, max_image_size=longest, do_image_splitting=False),
        tokenizer=tokenizer,
        video_processor=t.SmolVLMVideoProcessor(
            size=longest, max_image_size=longest,
            video_sampling={"max_frames": 8, "fps": 1, "video_size": longest},
        ),
        image_seq_len=4,
        chat_template=SMOL_CHAT,
    )  # fmt: skip
    pad, eos = tokenizer.pad_token_id, tokenizer.eos_token_id
    config = t.SmolVLMConfig(
        text_config={"model_type": "llama", **TEXT, "vocab_size": len(tokenizer), "pad_token_id": pad,
                     "eos_token_id": eos, "bos_token_id": tokenizer.bos_token_id},
        vision_config={"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
                       "image_size": 32, "patch_size": 8},
        scale_factor=2, image_token_id=processor.image_token_id, pad_token_id=pad,
    )  # fmt: skip
    return _save(t.SmolVLMForConditionalGeneration(config), processor, folder, eos=eos, pad=pad)


def qwen3_vl_folder(folder: Path, *, dim: int = 32, newer: bool = False) -> Path:
    """Qwen3-VL: patches of 8 px, two frames to a step, times written between the steps. newer: Qwen3.5."""
    import transformers as t

    named = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
    ends = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>")
    tokenizer = _tokenizer((*ends, *named.values()), bos=None, eos="<|im_end|>", pad="<|endoftext|>", **named)
    patches = {"patch_size": 8, "temporal_patch_size": 2, "merge_size": 2}
    size = {"shortest_edge": 16 * 16, "longest_edge": 64 * 64 * 2}
    image_processor = t.Qwen2VLImageProcessor(**patches, size=size)
    video_processor = t.Qwen3VLVideoProcessor(**patches, size=size, cap_pixels_per_frame=False)
    processor = t.Qwen3VLProcessor(image_processor, tokenizer, video_processor, chat_template=QWEN_CHAT)
    ids = tokenizer.convert_tokens_to_ids
    eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    rope = {"rope_type": "default", "mrope_section": [4, 2, 2], "rope_theta": 10000.0, "mrope_interleaved": True}
    text = {**TEXT, "hidden_size": dim, "head_dim": 16, "vocab_size": len(tokenizer), "pad_token_id": pad}
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "patch_size": 8,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": dim,
        "num_position_embeddings": 64,
    }
    if newer:
        text |= {
            "layer_types": ["linear_attention", "full_attention"],
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 2,
        }
        rope |= {"partial_rotary_factor": 1.0}
        config_class, model_class = t.Qwen3_5Config, t.Qwen3_5ForConditionalGeneration
    else:
        vision["deepstack_visual_indexes"] = [0]
        config_class, model_class = t.Qwen3VLConfig, t.Qwen3VLForConditionalGeneration
    config = config_class(
        text_config={**text, "rope_parameters": rope}, vision_config=vision,
        image_token_id=ids("<|image_pad|>"), video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"), vision_end_token_id=ids("<|vision_end|>"),
    )  # fmt: skip
    # With seed 0 the best answer of Qwen3.5 has no word in it.
    return _save(model_class(config), processor, folder, eos=eos, pad=pad, seed=4 if newer else 0)


def blip_folder(folder: Path) -> Path:
    """BLIP: one picture of 32 x 32 px, a sentence that goes on from the prompt."""
    import transformers as t
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[DEC]", *WORDS])}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    plain.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]",
        bos_token="[DEC]",
    )  # fmt: skip
    processor = t.BlipProcessor(t.BlipImageProcessor(size={"height": 32, "width": 32}), tokenizer)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = t.BlipConfig(
        text_config={**shape, "vocab_size": len(vocabulary), "encoder_hidden_size": 32, "bos_token_id": 4,
                     "eos_token_id": 2, "sep_token_id": 2, "pad_token_id": 0, "max_position_embeddings": 64},
        vision_config={**shape, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )  # fmt: skip
    return _save(t.BlipForConditionalGeneration(config), processor, folder, eos=2, pad=0)


def colmodernvbert_folder(folder: Path) -> Path:
    """ColModernVBERT: pages of 32 x 32 px in four tokens each."""
    import transformers as t

    named = {
        "image_token": "<image>", "fake_image_token": "<fake_token_around_image>", "global_image_token": "<global-img>",
        "end_of_utterance_token": "<end_of_utterance>",
    }  # fmt: skip
    tokenizer = _tokenizer(("<|begin_of_text|>", *named.values()), bos=None, eos="<eos>", pad="<pad>", **named)
    longest = {"longest_edge": 32}
    processor = t.ColModernVBertProcessor(
        t.Idefics3ImageProcessor(size=longest, max_image_size=longest, do_image_splitting=False), tokenizer,
        image_seq_len=4,
    )  # fmt: skip
    pad, eos = tokenizer.pad_token_id, tokenizer.eos_token_id
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    special = {"bos_token_id": eos, "cls_token_id": eos, "sep_token_id": eos, "pad_token_id": pad, "eos_token_id": eos}
    text = {**size, **special, "model_type": "modernbert", "vocab_size": len(tokenizer), "max_position_embeddings": 256}
    vision = {**size, "model_type": "siglip_vision_model", "image_size": 32, "patch_size": 8}
    vlm = t.ModernVBertConfig(
        text_config=text, vision_config=vision, image_token_id=processor.image_token_id, pixel_shuffle_factor=2
    )
    seeded()
    model = t.ColModernVBertForRetrieval(t.ColModernVBertConfig(vlm_config=vlm, embedding_dim=128))
    spread(model)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _save(model: Any, processor: Any, folder: Path, *, eos: int, pad: int, seed: int = 0) -> Path:
    seeded(seed)
    model.apply(model._init_weights)
    spread(model)
    model.generation_config.eos_token_id = eos
    model.generation_config.pad_token_id = pad
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def gemma4_folder(folder: Path) -> Path:
    """Gemma 4: clips as video, and sound in 32 mel bands."""
    import transformers as t

    patches = {"patch_size": 4, "pooling_kernel_size": 2, "max_soft_tokens": 70}
    processor = gemma_processor("gemma4", mel_bands=32, **patches)
    tokenizer = processor.tokenizer
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in GEMMA_TOKENS.items()}
    size: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    heads = {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 16}
    text = {
        **size, **heads, "vocab_size": len(tokenizer), "vocab_size_per_layer_input": len(tokenizer),
        "global_head_dim": 16, "hidden_size_per_layer_input": 8, "sliding_window": 16,
        "layer_types": ["sliding_attention", "full_attention"], "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
    }  # fmt: skip
    config = t.Gemma4Config(
        text_config=text,
        vision_config={**size, **heads, "patch_size": 4, "pooling_kernel_size": 2, "position_embedding_size": 256},
        audio_config={**size, "subsampling_conv_channels": [32, 4], "output_proj_dims": 32, "conv_kernel_size": 3},
        **{f"{name}_id": ids[name] for name in GEMMA_TOKENS if name != "eoa_token"}, eoa_token_index=ids["eoa_token"],
    )  # fmt: skip
    model = t.Gemma4ForConditionalGeneration(config)
    return _save(model, processor, folder, eos=tokenizer.eos_token_id, pad=tokenizer.pad_token_id)


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "smolvlm": smolvlm_folder,
    "qwen3_vl": qwen3_vl_folder,
    "qwen3_5": lambda folder: qwen3_vl_folder(folder, newer=True),
    "gemma4": gemma4_folder,
    "blip": blip_folder,
}
GEMMA_TOKENS = {
    "image_token": "<|image|>", "audio_token": "<|audio|>", "video_token": "<|video|>", "boi_token": "<boi>",
    "eoi_token": "<eoi>", "boa_token": "<boa>", "eoa_token": "<eoa>",
}  # fmt: skip


def gemma_processor(family: str, *, mel_bands: int = 128, **patches: int) -> Any:
    """The processor of Gemma 3n or 4 with a tiny vocabulary; no model. patches: of Gemma 4's pictures."""
    import transformers as t

    tokens = tuple(GEMMA_TOKENS.values())
    tokenizer = _tokenizer(tokens, bos="<bos>", eos="<eos>", pad="<pad>", **GEMMA_TOKENS)
    for kind in ("image", "audio", "video"):
        setattr(tokenizer, f"{kind}_token_id", tokenizer.convert_tokens_to_ids(GEMMA_TOKENS[f"{kind}_token"]))
    video = "{% elif c.type == 'video' %}<|video|>" if family == "gemma4" else ""
    chat = (
        "<bos>{% for m in messages %}{% for c in m.content %}{% if c.type == 'image' %}<|image|>"
        "{% elif c.type == 'audio' %}<|audio|>" + video + "{% else %}{{ c.text }}{% endif %}{% endfor %}{% endfor %}"
    )
    if family == "gemma3n":
        image = t.SiglipImageProcessor(size={"height": 32, "width": 32})
        return t.Gemma3nProcessor(
            t.Gemma3nAudioFeatureExtractor(), image, tokenizer, chat_template=chat, image_seq_length=4
        )
    return t.Gemma4Processor(
        t.Gemma4AudioFeatureExtractor(feature_size=mel_bands), t.Gemma4ImageProcessor(**patches), tokenizer,
        t.Gemma4VideoProcessor(**patches), chat_template=chat,
    )  # fmt: skip
