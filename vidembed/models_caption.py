"""Records of the models for proposing captions. Data only."""

from __future__ import annotations

from vidembed.model_spec import ModelSpec

SPECS: tuple[ModelSpec, ...] = ()
