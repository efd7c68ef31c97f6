"""The words of a model of transformers as they come."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from transformers import TextIteratorStreamer

from vidembed.models.captioners import THINKS
from vidembed.models.encoders._torch import running

_TAIL = 16  # last tokens of a request, which say whether a template begins the answer with a thought


def streamed(
    model: Any, tokenizer: Any, inputs: Mapping[str, Any], *, device: torch.device, max_new_tokens: int
) -> Iterator[str]:
    """The greedy answer to one row, in pieces of whole words.

    The model stops at its next word when the caller closes the iterator. A thought that the chat template begins is
    begun in the pieces, too, so that whoever reads them can tell it from the answer.

    Args:
        model: With `generate`.
        tokenizer: The model's.
        inputs: Of one row, where the model is; "input_ids" is (1, tokens).
        device: Where the model is.
        max_new_tokens: Of the answer.

    Raises:
        MemoryError: It does not fit.
    """
    pieces = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    closed = threading.Event()

    def stops(tokens: Tensor, scores: Any, **_: Any) -> Tensor:
        return torch.full((len(tokens),), closed.is_set(), device=tokens.device)

    def generate() -> None:
        try:
            with running(device):
                model.generate(
                    **inputs, max_new_tokens=max_new_tokens, do_sample=False, num_beams=1,
                    streamer=pieces, stopping_criteria=[stops],
                )  # fmt: skip
        finally:
            pieces.text_queue.put(pieces.stop_signal)  # it says so itself only where nothing fails

    if tokenizer.decode(inputs["input_ids"][0, -_TAIL:]).rstrip().endswith(THINKS):
        yield THINKS
    with ThreadPoolExecutor(1, "answer") as pool:
        work = pool.submit(generate)
        try:
            yield from filter(None, pieces)
        finally:
            closed.set()
        work.result()
