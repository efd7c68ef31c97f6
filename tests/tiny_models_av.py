"""Tiny models of sound, of whole clips and of sentence-transformers, saved as their real kin are published."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny_models import seeded, spread, word_tokenizer

SIZE: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def _save(model: Any, folder: Path) -> Path:
    spread(model)
    model.eval().save_pretrained(folder)
    return folder


def clap_folder(folder: Path, *, fused: bool = False, dim: int = 24) -> Path:
    """CLAP with windows of one second at 16 kHz and 16 mel bands."""
    import transformers as t

    vocabulary = len(word_tokenizer(folder))
    text = {**SIZE, "vocab_size": vocabulary, "max_position_embeddings": 20, "pad_token_id": 0, "projection_dim": dim}
    audio = {
        "spec_size": 64, "num_mel_bins": 16, "patch_size": 4, "patch_stride": [4, 4], "window_size": 4,
        "patch_embeds_hidden_size": 8, "depths": [1, 1], "num_attention_heads": [2, 2], "hidden_size": 16,
        "enable_fusion": fused, "projection_dim": dim, "aff_block_r": 1,
    }  # fmt: skip
    seeded()
    t.ClapFeatureExtractor(
        feature_size=16, sampling_rate=16_000, hop_length=160, max_length_s=1, fft_window_size=512, frequency_max=8000,
        truncation="fusion" if fused else "rand_trunc",
    ).save_pretrained(folder)  # fmt: skip
    return _save(t.ClapModel(t.ClapConfig(text_config=text, audio_config=audio, projection_dim=dim)), folder)


def xclip_folder(folder: Path, *, dim: int = 24) -> Path:
    """X-CLIP of four frames, with a video processor as Microsoft's checkpoints have."""
    import transformers as t

    text = {**SIZE, **SPECIAL, "vocab_size": len(word_tokenizer(folder)), "max_position_embeddings": 12}
    vision = {
        **SIZE, "image_size": 32, "patch_size": 8, "num_frames": 4, "mit_hidden_size": dim, "mit_intermediate_size": 32,
        "mit_num_attention_heads": 2, "drop_path_rate": 0.0,
    }  # fmt: skip
    seeded()
    size = {"height": 32, "width": 32}
    t.VideoMAEImageProcessor(size={"shortest_edge": 32}, crop_size=size).save_pretrained(folder)
    config = t.XCLIPConfig(text_config=text, vision_config=vision, projection_dim=dim, prompt_num_attention_heads=2)
    return _save(t.XCLIPModel(config), folder)


def videoprism_folder(folder: Path, *, dim: int = 32) -> Path:
    """VideoPrism's video-text towers for four frames of 36 x 36."""
    import transformers as t

    vocabulary = len(word_tokenizer(folder))
    text = {**SIZE, "hidden_size": dim, "vocab_size": vocabulary, "max_position_embeddings": 12, "pad_token_id": 0}
    vision = {
        **SIZE, "hidden_size": dim, "image_size": 36, "num_frames": 4, "tubelet_size": [1, 18, 18],
        "num_spatial_layers": 1, "num_temporal_layers": 1, "num_auxiliary_layers": 1,
    }  # fmt: skip
    seeded()
    t.LlavaOnevisionVideoProcessor(size={"height": 36, "width": 36}).save_pretrained(folder)
    return _save(t.VideoPrismClipModel(t.VideoPrismConfig(text_config=text, vision_config=vision)), folder)


PE_BLOCK = {**SIZE, "num_hidden_layers": 1, "head_dim": 16}
PE_SOUND = {
    **PE_BLOCK, "model_type": "pe_audio_encoder",
    "dac_config": {"downsampling_ratios": [2, 4], "encoder_hidden_size": 8, "codebook_dim": 8, "model_type": "dac"},
}  # fmt: skip


def _pe_text(tokenizer: Any) -> dict[str, Any]:
    return {
        "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, **SPECIAL,
        "vocab_size": len(tokenizer), "max_position_embeddings": 16, "cls_token_id": 1, "sep_token_id": 2,
    }  # fmt: skip


def pe_a_frame_folder(folder: Path) -> Path:
    """PE-A-Frame with a codec that makes one step of 8 samples."""
    import transformers as t
    from transformers.models.pe_audio.feature_extraction_pe_audio import PeAudioFeatureExtractor
    from transformers.models.pe_audio.processing_pe_audio import PeAudioProcessor

    tokenizer = word_tokenizer(folder)
    extractor = PeAudioFeatureExtractor(sampling_rate=16_000, hop_length=8)
    PeAudioProcessor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)
    seeded()
    config = t.PeAudioConfig(text_config=_pe_text(tokenizer), audio_config=PE_SOUND)
    return _save(t.PeAudioFrameLevelModel(config), folder)


def pe_av_folder(folder: Path) -> Path:
    """PE-AV with a picture tower of one layer and a codec that makes one step of 8 samples."""
    import transformers as t
    from transformers.models.pe_audio.feature_extraction_pe_audio import PeAudioFeatureExtractor
    from transformers.models.pe_video.video_processing_pe_video import PeVideoVideoProcessor

    tokenizer = word_tokenizer(folder)
    tower = {"embed_dim": 24, "depth": 1, "num_heads": 2, "img_size": [32, 32]}
    vision = {
        "model_type": "timm_wrapper", "architecture": "vit_pe_core_tiny_patch16_384", "num_classes": 24,
        "model_args": tower,
    }  # fmt: skip
    both = {
        **PE_BLOCK,
        "audio_config": PE_SOUND,
        "video_config": {**PE_BLOCK, "model_type": "pe_video_encoder", "vision_config": vision},
    }
    seeded()
    model = t.PeAudioVideoModel(t.PeAudioVideoConfig(text_config=_pe_text(tokenizer), audio_video_config=both))
    t.PeAudioVideoProcessor(
        feature_extractor=PeAudioFeatureExtractor(sampling_rate=16_000, hop_length=8),
        video_processor=PeVideoVideoProcessor(
            size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.5] * 3,
            do_resize=True, do_rescale=True, do_normalize=True,
        ),
        tokenizer=tokenizer,
    ).save_pretrained(folder)  # fmt: skip
    return _save(model, folder)


def sentence_folder(folder: Path, *, dim: int = 32) -> Path:
    """A BERT of two layers with mean pooling, as sentence-transformers saves it."""
    import transformers as t
    from sentence_transformers import SentenceTransformer

    with tempfile.TemporaryDirectory() as plain:
        vocabulary = len(word_tokenizer(Path(plain)))
        seeded()
        config = t.BertConfig(
            **{**SIZE, "hidden_size": dim}, vocab_size=vocabulary, max_position_embeddings=16, pad_token_id=0
        )
        _save(t.BertModel(config, add_pooling_layer=False), Path(plain))
        SentenceTransformer(plain, device="cpu", local_files_only=True).save_pretrained(str(folder))
    return folder


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "clap": clap_folder,
    "clap-fused": lambda folder: clap_folder(folder, fused=True),
    "xclip": xclip_folder,
    "videoprism": videoprism_folder,
    "pe_av": pe_av_folder,
    "pe_a_frame": pe_a_frame_folder,
    "sentence": sentence_folder,
}
