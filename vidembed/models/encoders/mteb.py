"""Any model that mteb knows and that takes texts or pictures: `mteb:ORG/NAME`, measured as our own models are.

mteb opens models by its own loaders. Those that would run code of the model's repository are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vidembed.errors import ConfigError, UnknownModel
from vidembed.types import Floats, Item, Modality, Space, TimedText
from vidembed.vectors import unit_rows

if TYPE_CHECKING:
    from vidembed.models.spec import ModelSpec

_TAKEN: tuple[Modality, ...] = ("text", "image")
_AT_ONCE = 32


class MtebEncoder:
    """An `Encoder` that asks a model of mteb. Made by `load`."""

    def __init__(self, name: str, model: Any, modalities: frozenset[Modality]) -> None:
        self._model, self._task = model, _task()
        self.modalities = modalities
        sample: Item = "a" if "text" in modalities else np.zeros((32, 32, 3), dtype=np.uint8)
        kind: Modality = "text" if "text" in modalities else "image"
        self.space = Space(f"mteb.{name.replace('/', '.')}", self._rows(kind, [sample]).shape[1])

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        if modality not in self.modalities:
            raise ValueError(f"{self.space.name} takes {', '.join(sorted(self.modalities))}, not {modality!r}")
        return self._rows(modality, items) if len(items) else np.zeros((0, self.space.dim), dtype=np.float32)

    def _rows(self, modality: Modality, items: Sequence[Item]) -> Floats:
        from datasets import Dataset
        from mteb.types import PromptType
        from PIL import Image
        from torch.utils.data import DataLoader

        if modality == "text":
            values: list[Any] = [item.text if isinstance(item, TimedText) else str(item) for item in items]
        else:
            values = [Image.fromarray(np.ascontiguousarray(item)) for item in items]
        batches = DataLoader(
            Dataset.from_dict({modality: values}),
            batch_size=_AT_ONCE,
            collate_fn=lambda rows: {modality: [row[modality] for row in rows]},
        )
        # Texts are queries here: what is stored are pictures.
        asked = PromptType.query if modality == "text" else PromptType.document
        found = self._model.encode(
            batches, task_metadata=self._task, hf_split="test", hf_subset="default", prompt_type=asked,
            batch_size=_AT_ONCE, show_progress_bar=False,
        )  # fmt: skip
        return unit_rows(found.float().cpu().numpy() if hasattr(found, "cpu") else np.asarray(found))


def _task() -> Any:
    """What mteb's models want to know of the task: by its type they choose their prompts."""
    from mteb.abstasks.task_metadata import TaskMetadata

    return TaskMetadata(
        name="vidembed", description="search in videos", type="Any2AnyRetrieval", category="t2i",
        modalities=["text", "image"], main_score="ndcg_at_10", eval_splits=["test"], eval_langs=["eng-Latn"],
        dataset={"path": "none", "revision": "none"}, reference=None, date=None, domains=None, task_subtypes=None,
        license=None, annotations_creators=None, dialect=None, sample_creation=None, bibtex_citation=None,
    )  # fmt: skip


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
    repo: str,
    revision: str = "",
) -> MtebEncoder:
    """The registry's factory.

    Args:
        spec: The record.
        device: "auto" leaves it to mteb.
        dtype: Only "auto": the loader chooses.
        weights_dir: Not used: the loaders fetch into the cache of the hub.
        offline: Not possible.
        repo: Its name in mteb's list, ORG/NAME.
        revision: Of it; "" = the one that mteb names.

    Raises:
        UnknownModel: mteb does not know it.
        ConfigError: It would run code of its repository, takes neither texts nor pictures, or a setting is impossible.
    """
    import mteb

    if offline or dtype != "auto":
        raise ConfigError(
            f"{spec.name!r} is opened by a loader of mteb, which chooses the dtype and may fetch",
            hint="leave out offline" if offline else "set dtype: auto",
        )
    try:
        meta = mteb.get_model_meta(repo, revision or None)
    except (KeyError, ValueError) as error:
        raise UnknownModel(f"mteb knows no model {repo!r}", hint="its list: mteb.get_model_metas()") from error
    if meta.loader_kwargs.get("trust_remote_code"):
        raise ConfigError(f"{spec.name!r} would run code of its repository", hint="evaluate it with mteb itself")
    modalities = frozenset(one for one in _TAKEN if one in meta.modalities)
    if not modalities:
        raise ConfigError(f"{spec.name!r} takes {', '.join(meta.modalities)}; wanted: {' or '.join(_TAKEN)}")
    return MtebEncoder(repo, meta.load_model(device=None if device == "auto" else device), modalities)
