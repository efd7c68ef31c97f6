"""Models that propose captions: toy (numpy), starter (offline), vlm (vision-language models), openai (an endpoint)."""

from __future__ import annotations

THINKS, THOUGHT = "<think>", "</think>"  # around what a model writes that thinks before it answers


def spoken(text: str) -> str:
    """What it says after it has thought; "" while it still thinks."""
    return text.rpartition(THOUGHT)[2].strip() if THOUGHT in text or THINKS not in text else ""
