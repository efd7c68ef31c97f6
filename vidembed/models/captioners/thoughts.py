"""What a model writes that thinks before it answers."""

from __future__ import annotations

THINKS, THOUGHT = "<think>", "</think>"


def spoken(text: str) -> str:
    """What it says after it has thought; "" while it still thinks."""
    return text.rpartition(THOUGHT)[2].strip() if THOUGHT in text or THINKS not in text else ""
