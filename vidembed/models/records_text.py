"""Records of the models for text against text, exact words, and the sentence-transformers that see and hear. Data only.

Sizes are those of the weights to download. Licences are those of the weights, read from their model cards.
"""

from __future__ import annotations

from vidembed.models.spec import ModelInput, ModelSpec
from vidembed.types import Modality, Space


def _sentence(
    name: str,
    repo: str,
    dim: int,
    size_gb: float,
    summary: str,
    *,
    license: str = "Apache-2.0",
    modalities: tuple[Modality, ...] = ("text",),
    min_gpu_gb: float | None = None,
    input: ModelInput | None = None,
    templates: tuple[str, ...] = ("{}",),
) -> ModelSpec:
    return ModelSpec(
        name=name,
        kind="encoder",
        factory="vidembed.models.encoders.sentence:load",
        summary=summary,
        license=license,
        commercial=True,
        space=Space(name, dim),
        modalities=frozenset(modalities),
        repo=repo,
        size_gb=size_gb,
        min_gpu_gb=min_gpu_gb,
        extra="sentence",
        input=input or ModelInput(),
        templates=templates,
        reference=f"https://huggingface.co/{repo}",
    )


SPECS: tuple[ModelSpec, ...] = (
    ModelSpec(
        name="words",
        kind="words",
        factory="vidembed.models.encoders.words:load",
        summary="exact words (BM25), misspelt ones too; no weights",
        license="Apache-2.0",
        commercial=True,
        space=Space("words-english", 0, "sparse"),
        modalities=frozenset({"text"}),
        reference="vidembed/models/encoders/words.py",
    ),
    ModelSpec(
        name="minilm",
        kind="encoder",
        factory="vidembed.models.encoders.minilm:load",
        summary="English sentences, small and fast, with weights that pip brings: works without a hub",
        license="Apache-2.0",
        commercial=True,
        space=Space("all-minilm-l6-v2", 384),
        modalities=frozenset({"text"}),
        size_gb=0.09,
        input=ModelInput(max_tokens=128),
        reference="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
    ),
    _sentence(
        "all-minilm-l6-v2", "sentence-transformers/all-MiniLM-L6-v2", 384, 0.09, "English sentences, small and fast",
        input=ModelInput(max_tokens=256),
    ),
    _sentence(
        "multilingual-minilm-l12-v2", "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", 384, 0.47,
        "sentences in 50 languages", input=ModelInput(max_tokens=128),
    ),
    _sentence(
        "bge-small-en-v1.5", "BAAI/bge-small-en-v1.5", 384, 0.13, "English passages for questions", license="MIT",
        input=ModelInput(max_tokens=512),
        templates=("Represent this sentence for searching relevant passages: {}",),  # its card: queries only
    ),
    _sentence(
        "embeddinggemma-2", "google/embeddinggemma-2", 768, 1.5,
        "text, pictures, sound and clips in one space; dim 768, 512, 256 or 128",
        modalities=("text", "image", "audio", "video"),
        input=ModelInput(frames=16, window_s=10.0, rate_hz=16_000),
        templates=("task: search result | query: {}",),  # its prompt "SearchQuery"
    ),
    _sentence(
        "qwen3-vl-embedding-2b", "Qwen/Qwen3-VL-Embedding-2B", 2048, 4.3,
        "text, pictures and clips in one space; dim 64 to 2048", modalities=("text", "image", "video"),
        min_gpu_gb=8.0, input=ModelInput(frames=16),
    ),
    _sentence(
        "qwen3-vl-embedding-8b", "Qwen/Qwen3-VL-Embedding-8B", 4096, 16.3,
        "text, pictures and clips in one space, the strongest open one on video; dim 64 to 4096",
        modalities=("text", "image", "video"), min_gpu_gb=24.0, input=ModelInput(frames=16),
    ),
)  # fmt: skip
