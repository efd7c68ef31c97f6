"""Texts as the token ids that open_clip gives, without it: its tokenizers as files of the package `tokenizers`."""

from __future__ import annotations

import html
import string
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidembed.types import Item, TimedText

FILE = "tokenizer.json"
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Tokens:
    """Texts -> (N, length) int64 token ids, cut and padded to the tower's length.

    folder: with FILE. about: `length`, `pad` (id behind a text), `clean` (a name of CLEANING), `strip` (an id that
    becomes 0, or None).
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        from tokenizers import Tokenizer

        self._tokenizer: Any = Tokenizer.from_file(str(folder / FILE))
        self._tokenizer.enable_truncation(about["length"])
        self._tokenizer.no_padding()
        self._length, self._pad, self._strip = int(about["length"]), int(about["pad"]), about["strip"]
        self._clean = CLEANING[about["clean"]]

    def __call__(self, texts: Sequence[str]) -> NDArray[np.int64]:
        return self.with_mask(texts)[0]

    def with_mask(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The ids, and (N, length) 1 where they are the text's own, 0 where they pad it."""
        ids = np.full((len(texts), self._length), self._pad, np.int64)
        mask = np.zeros_like(ids)
        for row, own, text in zip(ids, mask, texts, strict=True):
            found = self._tokenizer.encode(self._clean(text)).ids
            row[: len(found)], own[: len(found)] = found, 1
        if self._strip is not None:
            ids[ids == self._strip] = 0
        return ids, mask


def texts_of(items: Sequence[Item]) -> list[str]:
    """The words of texts and timed texts."""
    return [item.text if isinstance(item, TimedText) else str(item) for item in items]


def _fixed(text: str) -> str:
    """Broken characters and HTML's escapes made good, as in open_clip's training."""
    if "&" in text or not text.isascii() or not text.isprintable():
        import ftfy  # it changes nothing else, and takes a while to import

        text = ftfy.fix_text(text)
    return html.unescape(html.unescape(text)).strip()


def _whitespace(text: str) -> str:
    return " ".join(_fixed(text).split())


def _lower(text: str) -> str:
    return _whitespace(text).lower()


def _canonical(text: str) -> str:
    return " ".join(_fixed(text).replace("_", " ").translate(_NO_PUNCTUATION).lower().split())


# By open_clip's own names; those of transformers clean texts themselves.
CLEANING: Mapping[str, Callable[[str], str]] = {
    "lower": _lower, "whitespace": _whitespace, "canonicalize": _canonical, "": str
}  # fmt: skip


def converted(tokenizer: Any) -> tuple[Any, dict[str, Any]]:
    """One of open_clip's tokenizers as one of `tokenizers`, and what `Tokens` needs to know.

    Raises AttributeError, KeyError or TypeError for one of another kind. Whether it gives the same ids is to be seen.
    """
    from open_clip import tokenizer as theirs

    names = {f"_clean_{name}": name for name in CLEANING}
    about = {
        "length": int(tokenizer.context_length),
        "pad": 0,
        "strip": None,
        "clean": names[tokenizer.clean_fn.__name__],
    }
    if isinstance(tokenizer, theirs.SimpleTokenizer):
        return _byte_pairs(tokenizer), about
    inner = tokenizer.tokenizer
    about |= {"pad": int(inner.pad_token_id), "strip": inner.sep_token_id if tokenizer.strip_sep_token else None}
    return inner.backend_tokenizer, about


def _byte_pairs(tokenizer: Any) -> Any:
    """CLIP's own: words and signs, each by byte pairs, with a mark where a word ends."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

    merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.get)
    made = Tokenizer(models.BPE(vocab=tokenizer.encoder, merges=merges, end_of_word_suffix="</w>"))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(f"(?i){tokenizer.pat.pattern}"), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    begin, end = "<start_of_text>", "<end_of_text>"
    made.add_special_tokens([begin, end])
    special = [(begin, tokenizer.sot_token_id), (end, tokenizer.eot_token_id)]
    made.post_processor = processors.TemplateProcessing(single=f"{begin} $A {end}", special_tokens=special)
    return made
