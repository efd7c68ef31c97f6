"""What this machine has: `vidembed config` (settings and their origins), `doctor`."""

from __future__ import annotations

import platform
import sys
from importlib import metadata, util
from pathlib import Path
from typing import Annotated, NamedTuple

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
    from vidembed.models.registry import find, load_encoder

    try:
        encoder = load_encoder("starter")
        terms = find("starter").license
        detail = f"the default loads, {encoder.space.dim} dimensions; {terms}; starter-free is for work, too"
        return Check("starter model", True, detail)
    except VidembedError as error:
        return Check("starter model", False, error.message, error.hint)


def _index(path: Path) -> Check:
    if not (path / "index.json").exists():
        return Check("index", True, f"none at {path} yet")
    try:
        with opened(path, readonly=True) as index:
            info = index.info()
            models = dict.fromkeys(f"{channel.model} ({channel.license})" for channel in info.channels.values())
            return Check("index", True, f"{str(info).splitlines()[0]}; models: {', '.join(models)}")
    except VidembedError as error:
        return Check("index", False, error.message, error.hint)


def plan(
    hours: Annotated[float, typer.Option(help="Hours of video, such as 1e6.", min=0.001)],
    profile: ProfileOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    store: Annotated[str, typer.Option(help="edge or server; --set store.replicas=2 for copies.")] = "server",
    speed: Annotated[
        float | None,
        typer.Option(help="Seconds of video that a machine indexes in a second, as measured on yours.", min=0.001),
    ] = None,
    price: Annotated[float | None, typer.Option(help="Of an hour of that machine, in your money.", min=0.0)] = None,
    clip_s: Annotated[float, typer.Option("--clip", help="Mean seconds of a clip.", min=0.1)] = 4.0,
    json: JsonOption = False,
) -> None:
    """Estimate the vectors, disk, memory, machine hours and money that many hours of video take."""
    from dataclasses import asdict

    from vidembed.config.load import load_config
    from vidembed.index.planning import plan as estimate

    address = ["store.url=http://localhost:6333"] if store == "server" else []
    given = load_config(profile, config, [f"store.kind={store}", *address, *(settings or ())])
    found = estimate(given, hours, speed=speed, clip_s=clip_s)
    money = None if price is None or found.machine_hours is None else found.machine_hours * price
    if json:
        print_json({**asdict(found), "money": money})
        return
    work = "machine hours: not measured for this profile, give --speed"
    if found.machine_hours is not None:
        work = f"{found.machine_hours:,.0f} machine hours" + (f", {money:,.0f} at {price:g} an hour" if money else "")
    print(f"{hours:,.0f} hours of video: {found.clips:,.0f} clips, {found.vectors:,.0f} vectors of clips,")
    print(f"{found.segments:,.0f} of their frames, windows and lines")
    print(f"{work}; {found.files_bytes / 1e9:,.1f} GB of thumbnails and catalog")
    for name in found.assumed:
        print(f"channel {name}: 1024 dimensions assumed, only its weights know")
    print(f"{'quantization':<14}{'disk, GB':>12}{'memory, GB':>12}")
    for need in found.needs:
        print(f"{need.quantization:<14}{need.disk_bytes / 1e9:>12,.1f}{need.memory_bytes / 1e9:>12,.1f}")
