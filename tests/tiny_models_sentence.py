"""Tiny multimodal sentence-transformers, saved as EmbeddingGemma 2 and Qwen3-VL-Embedding are published."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny_models import seeded, spread
from tiny_models_vlm import _tokenizer, qwen3_vl_folder

GEMMA_CHAT = (
    "<bos>{% for m in messages %}{% for c in m.content %}{% if c.type == 'text' %}{{ c.text }}"
    "{% else %}<|{{ c.type }}|>{% endif %}{% endfor %}{% endfor %}"
)


def qwen3_vl_embedding_folder(folder: Path, *, dim: int = 32) -> Path:
    """The network and chat template of Qwen3-VL, the last token pooled: text, pictures, clips; 32 values."""
    with tempfile.TemporaryDirectory() as plain:
        return _sentences(qwen3_vl_folder(Path(plain), dim=dim), folder, dim=dim, pooling="lasttoken")


# As the chat template of Qwen3-VL-Reranker: the task, the query, the document, and then yes or no is to come.
RERANKER_CHAT = (
    "<|im_start|>{% for m in messages if m.role == 'system' %}{{ m.content[0].text }}{% endfor %}<|im_end|>\n"
    "<|im_start|>{% for m in messages if m.role in ('query', 'document') %}{% for c in m.content %}"
    "{% if c.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif c.type == 'text' %}{{ c.text }}{% endif %}{% endfor %}\n{% endfor %}<|im_end|>\n<|im_start|>"
)
YES, NO = "red", "green"  # words that the tiny tokenizer has


def qwen3_vl_reranker_folder(folder: Path) -> Path:
    """Qwen3-VL that says yes or no to a query and a document, as a cross-encoder."""
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules.transformer import Transformer
    from sentence_transformers.cross_encoder.modules import LogitScore

    with tempfile.TemporaryDirectory() as plain:
        qwen3_vl_folder(Path(plain))
        (Path(plain) / "chat_template.jinja").write_text(RERANKER_CHAT)
        network = Transformer(plain, transformer_task="any-to-any")
        yes, no = network.tokenizer.convert_tokens_to_ids([YES, NO])
        parts = [network, LogitScore(true_token_id=yes, false_token_id=no)]
        CrossEncoder(modules=parts, device="cpu").save_pretrained(str(folder))
    return folder


def embedding_gemma2_folder(folder: Path, *, dim: int = 24) -> Path:
    """EmbeddingGemma 2 with towers for pictures and sound (mel bands: 32), the mean pooled; 24 values."""
    import transformers as t

    kinds = ("image", "audio", "video")
    named = {f"{kind}_token": f"<|{kind}|>" for kind in kinds}
    named |= {"boi_token": "<boi>", "eoi_token": "<eoi>", "boa_token": "<boa>", "eoa_token": "<eoa>"}
    tokenizer = _tokenizer(tuple(named.values()), bos="<bos>", eos="<eos>", pad="<pad>", **named)
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in named.items()}
    for kind in kinds:
        setattr(tokenizer, f"{kind}_token_id", ids[f"{kind}_token"])
    patches = {"patch_size": 4, "pooling_kernel_size": 2, "max_soft_tokens": 70}
    processor = t.EmbeddingGemma2Processor(
        t.Gemma4AudioFeatureExtractor(feature_size=32), t.Gemma4ImageProcessor(**patches), tokenizer,
        t.EmbeddingGemma2VideoProcessor(**patches), chat_template=GEMMA_CHAT,
    )  # fmt: skip
    size: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    heads = {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 16}
    text = {
        **size, **heads, "vocab_size": len(tokenizer), "global_head_dim": 16, "hidden_size_per_layer_input": 8,
        "embedding_dim": dim, "sliding_window": 16, "sliding_window_pattern": 2, "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
    }  # fmt: skip
    vision = {**size, **heads, "patch_size": 4, "pooling_kernel_size": 2, "position_embedding_size": 256}
    audio = {**size, "subsampling_conv_channels": [32, 4], "output_proj_dims": 32, "conv_kernel_size": 3}
    config = t.EmbeddingGemma2Config(
        text_config=text, vision_config={"model_type": "gemma4_vision", **vision},
        audio_config={"model_type": "gemma4_audio", **audio},
        **{f"{name}_id": ids[name] for name in named if name != "eoa_token"}, eoa_token_index=ids["eoa_token"],
    )  # fmt: skip
    seeded()
    model = t.EmbeddingGemma2Model(config)
    spread(model)
    with tempfile.TemporaryDirectory() as plain:
        model.eval().save_pretrained(plain)
        processor.save_pretrained(plain)
        return _sentences(Path(plain), folder, dim=dim, pooling="mean")


def _sentences(plain: Path, folder: Path, *, dim: int, pooling: Any) -> Path:
    """The parts that both models' modules.json names."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules.normalize import Normalize
    from sentence_transformers.base.modules.transformer import Transformer
    from sentence_transformers.sentence_transformer.modules.pooling import Pooling

    parts = [Transformer(str(plain)), Pooling(dim, pooling_mode=pooling), Normalize()]
    SentenceTransformer(modules=parts, device="cpu").save_pretrained(str(folder))
    return folder


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "embedding_gemma2": embedding_gemma2_folder,
    "qwen3_vl_embedding": qwen3_vl_embedding_folder,
}
