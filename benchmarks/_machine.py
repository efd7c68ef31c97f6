"""Facts about the machine, to stand beside every measured number."""

from vidembed.evaluation.machine import facts, peak_memory_mb

__all__ = ["facts", "peak_memory_mb"]
