"""Gradio parts that several tabs use."""

from __future__ import annotations

from typing import Any

import gradio as gr

_BRIDGE = "window.vidembed.bridge(element, trigger);"


def html_part(value: str = "", *, elem_id: str | None = None, **given: Any) -> gr.HTML:
    """HTML of ours, without gradio's typography; its `select` event carries the data of the button pressed in it."""
    return gr.HTML(value, elem_id=elem_id, js_on_load=_BRIDGE, apply_default_css=False, padding=False, **given)
