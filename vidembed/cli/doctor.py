"""`vidembed doctor`: is this machine ready, and what is missing."""

from __future__ import annotations

import platform
import sys
from importlib import metadata, util
from pathlib import Path

import typer

from vidembed.cli.common import DEFAULT_INDEX, IndexOption, JsonOption, out, print_json
from vidembed.errors import VidembedError

EXTRAS = {  # module to look for -> (what it is for, extra)
    "av": ("reading video and sound", ""),
    "decord": ("second video reader", ""),
    "torch": ("models", ""),
    "open_clip": ("image-text models", ""),
    "transformers": ("image, sound and language models", ""),
    "qdrant_edge": ("embedded vector store", ""),
    "qdrant_client": ("Qdrant server", ""),
    "gradio": ("web page", "app"),
    "faster_whisper": ("speech", "speech"),
    "rapidocr": ("text on screen", "ocr"),
    "sentence_transformers": ("sentence and any-to-any models", "sentence"),
    "openvino": ("faster image towers on CPUs", "openvino"),
    "pyarrow": ("lists and captions as Parquet", "parquet"),
}


def doctor(index: IndexOption = Path(DEFAULT_INDEX), json: JsonOption = False) -> None:
    """Check Python, packages, ffmpeg, device, the starter's weights and the index; say how to mend what is missing."""
    rows = [("python", True, f"{platform.python_version()} on {platform.platform()}", "")]
    rows += [_package(module, *why) for module, why in EXTRAS.items()]
    rows += [_ffmpeg(), _device(), _starter(), _index(index)]
    if json:
        for name, good, text, hint in rows:
            print_json({"check": name, "ok": good, "detail": text, "hint": hint})
    else:
        for name, good, text, hint in rows:
            mark = "[green]ok[/]" if good else "[yellow]--[/]"
            out().print(f"{mark} {name:22} {text}" + (f"  ({hint})" if hint else ""), soft_wrap=True)
    needed = {module for module, (_, extra) in EXTRAS.items() if not extra and module != "decord"} | {"ffmpeg"}
    if any(not good for name, good, _, _ in rows if name in needed):
        raise typer.Exit(4)


def _package(module: str, purpose: str, extra: str) -> tuple[str, bool, str, str]:
    if util.find_spec(module) is None:
        target = f"vidembed\\[{extra}]" if extra else "vidembed"
        return module, False, f"not installed: {purpose}", f"pip install '{target}'"
    names = metadata.packages_distributions().get(module, [module])
    return module, True, f"{metadata.version(names[0])}: {purpose}", ""


def _ffmpeg() -> tuple[str, bool, str, str]:
    from vidembed.media.editing.ffmpeg import find_ffmpeg

    try:
        return "ffmpeg", True, str(find_ffmpeg()), ""
    except VidembedError as error:
        return "ffmpeg", False, error.message, error.hint


def _device() -> tuple[str, bool, str, str]:
    if util.find_spec("torch") is None:
        return "device", False, "unknown without torch", ""
    import torch

    if torch.cuda.is_available():
        return "device", True, f"cuda: {torch.cuda.get_device_name()}", ""
    if sys.platform == "darwin" and torch.backends.mps.is_available():
        return "device", True, "mps", ""
    return "device", True, f"cpu, {torch.get_num_threads()} threads", ""


def _starter() -> tuple[str, bool, str, str]:
    from vidembed.models.registry import load_encoder

    try:
        encoder = load_encoder("starter")
        return "starter model", True, f"loads, {encoder.space.dim} dimensions", ""
    except VidembedError as error:
        return "starter model", False, error.message, error.hint


def _index(path: Path) -> tuple[str, bool, str, str]:
    if not (path / "index.json").exists():
        return "index", True, f"none at {path} yet", ""
    import vidembed

    try:
        with vidembed.open_index(path, readonly=True, create=False) as index:
            return "index", True, str(index.info()).splitlines()[0], ""
    except VidembedError as error:
        return "index", False, error.message, error.hint
