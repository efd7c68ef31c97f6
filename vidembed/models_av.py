"""Records of the models for sound, video, and both together. Data only."""

from __future__ import annotations

from vidembed.model_spec import ModelSpec

SPECS: tuple[ModelSpec, ...] = ()
