"""mteb measures our models, and we its: without network, on a task and a model small enough to work out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from toy_videos import make

import vidembed
from vidembed.errors import ConfigError, UnknownModel
from vidembed.evaluation.through_mteb import MtebModel
from vidembed.models.registry import find, load_encoder
from vidembed.models.toy_space import COLOURS, ToyEncoder

mteb = pytest.importorskip("mteb", reason="needs the extra mteb")
NAMES = ("red", "green", "blue")
RANDOM = "mteb:mteb/baseline-random-encoder"  # vectors drawn from a hash of the input; nothing is fetched


def task(queries: list[str], relevant: dict[str, str]) -> Any:
    """Texts that ask for pictures of one colour."""
    from datasets import Dataset
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData
    from mteb.abstasks.task_metadata import TaskMetadata

    pictures = [Image.new("RGB", (8, 8), COLOURS[name]) for name in NAMES]

    class Colours(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="Colours", description="pictures of one colour", type="Any2AnyRetrieval", category="t2i",
            modalities=["text", "image"], main_score="ndcg_at_10", eval_splits=["test"], eval_langs=["eng-Latn"],
            dataset={"path": "none", "revision": "none"}, reference=None, date=None, domains=None, task_subtypes=None,
            license=None, annotations_creators=None, dialect=None, sample_creation=None, bibtex_citation=None,
        )  # fmt: skip

        def load_data(self, **_: Any) -> None:
            corpus = Dataset.from_dict({"id": list(NAMES), "image": pictures, "modality": ["image"] * 3})
            asked = Dataset.from_dict({"id": queries, "text": queries, "modality": ["text"] * len(queries)})
            right = {query: {document: 1} for query, document in relevant.items()}
            split = RetrievalSplitData(corpus=corpus, queries=asked, relevant_docs=right, top_ranked=None)
            self.dataset = {"default": {"test": split}}
            self.data_loaded = True

    return Colours()


def scores(model: Any, queries: list[str], relevant: dict[str, str]) -> dict[str, float]:
    found = mteb.evaluate(model, task(queries, relevant), cache=None, co2_tracker=False, show_progress_bar=False)
    return dict(found.task_results[0].scores["test"][0])


def test_mteb_measures_a_model_of_ours() -> None:
    model = MtebModel("toy")
    assert model.mteb_model_meta.name == "vidembed/toy"
    assert scores(model, ["red", "blue"], {"red": "red", "blue": "blue"})["ndcg_at_10"] == 1
    # The blue picture is second to the red one for "red red blue": 1 / log2(3).
    found = scores(model, ["red red blue", "green"], {"red red blue": "blue", "green": "green"})
    assert found["ndcg_at_10"] == pytest.approx((1 + 1 / np.log2(3)) / 2, abs=1e-5)
    assert found["recall_at_1"] == 0.5


def test_every_kind_of_batch_becomes_what_the_encoder_takes() -> None:
    model, toy = MtebModel("toy", frames=2), ToyEncoder()
    red, blue = (np.full((3, 4, 4), 0, dtype=np.uint8) for _ in range(2))
    red[0], blue[2] = 255, 255
    tone = np.sin(np.arange(16000) / 16000 * 2 * np.pi * 1000).astype(np.float32)
    batch: dict[str, Any] = {"video": [np.stack([red, red, blue])], "audio": [{"array": tone, "sampling_rate": 16000}]}
    (row,) = model.encode([batch], task_metadata=None, hf_split="", hf_subset="")
    expected = toy.encode("text", ["red blue middle middle"])[0]  # half of each frame, and all of the tone
    assert row @ expected == pytest.approx(1, abs=1e-3)
    (heard,) = model.encode([{"audio": batch["audio"]}], task_metadata=None, hf_split="", hf_subset="")
    assert heard @ toy.encode("text", ["middle"])[0] == pytest.approx(1, abs=1e-3)
    pictured = {"text": ["red"], "image": [Image.new("RGB", (8, 8), COLOURS["blue"])]}
    (both,) = model.encode([pictured], task_metadata=None, hf_split="", hf_subset="")
    assert both @ toy.encode("text", ["red blue"])[0] == pytest.approx(1, abs=1e-3)
    assert model.similarity(both[None], both[None])[0] == pytest.approx([1])


def test_we_measure_a_model_of_mteb() -> None:
    encoder: Any = load_encoder(RANDOM)
    assert encoder.modalities == {"text", "image"}
    rows = encoder.encode("text", ["a dog", "a cat", "a dog"])
    assert rows.shape == (3, encoder.space.dim)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    assert rows[0] == pytest.approx(rows[2])
    assert rows[0] != pytest.approx(rows[1])
    assert encoder.encode("image", [np.zeros((8, 8, 3), dtype=np.uint8)]).shape == (1, encoder.space.dim)
    assert encoder.encode("text", []).shape == (0, encoder.space.dim)
    with pytest.raises(ValueError, match="takes image, text, not 'audio'"):
        encoder.encode("audio", [])


def test_a_model_of_mteb_indexes_and_searches(tmp_path: Path) -> None:
    """mteb fetches its models, so nothing is fetched before; the random one here needs no weights at all."""
    make(tmp_path / "a.mp4", "red", hz=None)
    overrides = [f"channels.vision.model={RANDOM}"]
    with vidembed.open_index(tmp_path / "index", profile="toy", create=True, overrides=overrides) as index:
        assert not index.add(tmp_path / "a.mp4", channels=["vision"]).failed
        (found,) = index.search("red", k=1, channels=["vision"])
    assert found.path.name == "a.mp4"


def test_what_cannot_be_opened_is_said() -> None:
    with pytest.raises(UnknownModel, match="must be mteb:ORG/NAME"):
        find("mteb:e5")
    with pytest.raises(UnknownModel, match="mteb knows no model 'nobody/nothing'"):
        load_encoder("mteb:nobody/nothing")
    with pytest.raises(ConfigError, match="may fetch"):
        load_encoder(RANDOM, offline=True)
