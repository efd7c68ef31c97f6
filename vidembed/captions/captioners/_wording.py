"""What a language model is asked: the task in words, with language, length and style as settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vidembed.errors import ConfigError

Shown = Literal["video", "pictures", "nothing"]


@dataclass(frozen=True)
class Wording:
    """How the answer shall read. language: a name such as "German"; style: such as "like a headline"."""

    language: str | None = None
    style: str | None = None
    max_words: int | None = None

    def __post_init__(self) -> None:
        if self.max_words is not None and self.max_words < 1:
            raise ConfigError(f"caption.options.max_words must be at least 1, got {self.max_words}")

    def request(self, prompt: str | None, *, shown: Shown, heard: bool) -> str:
        """The user's prompt, or one that names what the model gets, followed by the wishes about the answer."""
        parts = [prompt or _task(shown, heard)]
        if self.max_words is not None:
            parts.append(f"Use at most {self.max_words} words.")
        if self.style:
            parts.append(f"Style: {self.style}.")
        if self.language:
            parts.append(f"Answer in {self.language}.")
        return " ".join(parts)

    def written(self, request: str) -> str:
        """A request for words about words; its form must survive the language."""
        if not self.language:
            return request
        return f"{request}\nWrite in {self.language}, but keep the words Title, Summary and Chapter before the colons."


def _task(shown: Shown, heard: bool) -> str:
    if shown == "nothing":
        return "Describe in one plain sentence what is heard."
    what = "what is seen and heard" if heard else "what happens"
    if shown == "video":
        return f"Describe in one plain sentence {what} in this video clip."
    return f"These are frames of one short video clip in order. Describe in one plain sentence {what}."
