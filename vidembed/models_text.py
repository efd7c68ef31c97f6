"""Records of the models for text against text. Data only."""

from __future__ import annotations

from vidembed.model_spec import ModelSpec

SPECS: tuple[ModelSpec, ...] = ()
