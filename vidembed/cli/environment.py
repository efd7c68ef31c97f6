"""What this machine has: `vidembed config` (settings and their origins), `doctor`."""

from __future__ import annotations

import platform
import sys
from importlib import metadata, util
from pathlib import Path
from typing import NamedTuple

import typer

from vidembed.cli.common import (
    DEFAULT_INDEX,
    ConfigOption,
    IndexOption,
    JsonOption,
    ProfileOption,
    SetOption,
    opened,
    print_json,
)
from vidembed.cli.terminal import wrapped
from vidembed.errors import VidembedError

app = typer.Typer(help="Show settings and profiles.", no_args_is_help=True)


@app.command("show")
def show(
    index: IndexOption = Path(DEFAULT_INDEX),
    profile: ProfileOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Print every setting as YAML; a comment names the origin: profile, the index, file, environment, override.

    Without an index, or with --profile of another, the settings that a new index would have.
    """
    from vidembed.config.reference import settings_yaml
    from vidembed.index.opening import settings_of

    loaded = settings_of(index, profile=profile, config=config, overrides=settings)
    if json:
        print_json(loaded.model_dump(mode="json"))
    else:
        typer.echo(settings_yaml(loaded), nl=False)


@app.command("profiles")
def profiles() -> None:
    """List the bundled profiles."""
    from vidembed.config.load import profiles as bundled

    for name, text in bundled().items():
        typer.echo(wrapped(f"{name:10} {text}", indent=11))


_PACKAGES = {  # module -> (what it is for, extra)
    "av": ("reading video and sound", ""),
    "decord": ("second video reader", ""),
    "torch": ("models", ""),
    "open_clip": ("image-text models", ""),
    "transformers": ("image, sound and language models", ""),
    "openvino": ("image and sound towers on CPUs", ""),
    "qdrant_edge": ("embedded vector store", ""),
    "qdrant_client": ("Qdrant server", ""),
    "gradio": ("web page", "app"),
    "faster_whisper": ("speech", "speech"),
    "rapidocr": ("text on screen", "ocr"),
    "sentence_transformers": ("sentence and any-to-any models", "sentence"),
    "pyarrow": ("lists and captions as Parquet", "parquet"),
}
_STAND_IN = ("decord", "openvino")  # others do their work where they are not installed


class Check(NamedTuple):
    """One thing that `doctor` looked at."""

    check: str
    ok: bool
    detail: str
    hint: str = ""


def doctor(index: IndexOption = Path(DEFAULT_INDEX), json: JsonOption = False) -> None:
    """Report missing parts and how to fix them: Python, packages, ffmpeg, device, starter weights, index."""
    checks = [Check("python", True, f"{platform.python_version()} on {platform.platform()}")]
    checks += [_package(module, *why) for module, why in _PACKAGES.items()]
    checks += [_ffmpeg(), _device(), _starter(), _index(index)]
    for found in checks:
        if json:
            print_json(found._asdict())
        else:
            mark = typer.style("ok", fg="green") if found.ok else typer.style("--", fg="yellow")
            hint = f"  ({found.hint})" if found.hint else ""
            typer.echo(mark + wrapped(f"   {found.check:22} {found.detail}{hint}", indent=26)[2:])
    needed = {module for module, (_, extra) in _PACKAGES.items() if not extra and module not in _STAND_IN} | {"ffmpeg"}
    if any(not found.ok for found in checks if found.check in needed):
        raise typer.Exit(4)


def _package(module: str, purpose: str, extra: str) -> Check:
    if util.find_spec(module) is None:
        target = f"vidembed[{extra}]" if extra else "vidembed"
        return Check(module, False, f"not installed: {purpose}", f"pip install '{target}'")
    names = metadata.packages_distributions().get(module, [module])
    return Check(module, True, f"{metadata.version(names[0])}: {purpose}")


def _ffmpeg() -> Check:
    from vidembed.media.editing.ffmpeg import find_ffmpeg

    try:
        return Check("ffmpeg", True, str(find_ffmpeg()))
    except VidembedError as error:
        return Check("ffmpeg", False, error.message, error.hint)


def _device() -> Check:
    if util.find_spec("torch") is None:
        return Check("device", False, "unknown without torch")
    import torch

    if torch.cuda.is_available():
        return Check("device", True, f"cuda: {torch.cuda.get_device_name()}")
    if sys.platform == "darwin" and torch.backends.mps.is_available():
        return Check("device", True, "mps")
    return Check("device", True, f"cpu, {torch.get_num_threads()} threads")


def _starter() -> Check:
    from vidembed.models.registry import load_encoder

    try:
        encoder = load_encoder("starter")
        return Check("starter model", True, f"loads, {encoder.space.dim} dimensions")
    except VidembedError as error:
        return Check("starter model", False, error.message, error.hint)


def _index(path: Path) -> Check:
    if not (path / "index.json").exists():
        return Check("index", True, f"none at {path} yet")
    try:
        with opened(path, readonly=True) as index:
            return Check("index", True, str(index.info()).splitlines()[0])
    except VidembedError as error:
        return Check("index", False, error.message, error.hint)
