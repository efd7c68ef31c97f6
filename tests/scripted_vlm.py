"""A tiny vision-language model whose words are given; all but the choice of the next word is transformers' own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tiny_models_vlm
import torch

from vidembed.models.captioners._inputs import ChatInputs
from vidembed.models.captioners.vlm import VlmCaptioner

WAIT_S = 30.0


class Script(torch.nn.Module):
    """In the place of a language model's head: one word after the other, whatever was read.

    Attributes:
        chosen: How many words it has given.
        gate: Must be open before word number `held` is given.
    """

    def __init__(self, ids: Sequence[int], vocabulary: int, *, held: int | None) -> None:
        super().__init__()
        self.ids, self.vocabulary, self.held = list(ids), vocabulary, held
        self.chosen, self.gate = 0, threading.Event()

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        if self.chosen == self.held:
            assert self.gate.wait(WAIT_S), "nobody read the words before"
        logits = torch.zeros(*hidden.shape[:2], self.vocabulary)
        logits[:, -1, self.ids[min(self.chosen, len(self.ids) - 1)]] = 1.0
        self.chosen += 1
        return logits


def scripted(
    folder: Path, words: Sequence[str], *, held: int | None = None, begins: str = ""
) -> tuple[VlmCaptioner, Script]:
    """The captioner and what gives its words, then the end.

    Args:
        folder: Where the model is written.
        words: Given one at a time.
        held: The number of the word before which it waits for `Script.gate`.
        begins: What the chat template begins the answer with.
    """
    import transformers

    auto: Any = transformers  # its Auto classes have no types
    at = tiny_models_vlm.qwen3_vl_folder(folder)
    processor = auto.AutoProcessor.from_pretrained(at)
    processor.chat_template += begins
    tokenizer = processor.tokenizer
    tokenizer.add_tokens(list(dict.fromkeys([*words, *begins.split()])))
    model = auto.AutoModelForImageTextToText.from_pretrained(at).eval()
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    ids = [*tokenizer.convert_tokens_to_ids(list(words)), tokenizer.eos_token_id]
    model.lm_head = Script(ids, len(tokenizer), held=held)
    device = torch.device("cpu")
    return VlmCaptioner("scripted", model, processor, ChatInputs(processor), device=device), model.lm_head
