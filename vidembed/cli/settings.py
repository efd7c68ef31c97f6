"""`vidembed config`: the settings that hold, and where each comes from.

`vidembed models`: what can be used, under which licence, at what size.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from vidembed.cli.common import ConfigOption, JsonOption, ProfileOption, SetOption, out, print_json

if TYPE_CHECKING:
    from vidembed.models.spec import ModelSpec


app = typer.Typer(help="Show settings and profiles.", no_args_is_help=True)


@app.command("show")
def show(
    profile: ProfileOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Print every setting with its value and origin (profile, file, environment, --set)."""
    from vidembed.config.load import load_config

    loaded = load_config(profile=profile, config=config, overrides=settings)
    if json:
        print_json(loaded.model_dump(mode="json"))
        return
    console = out()
    for path, value in loaded.flat():
        console.print(f"{path} = {value!r}  # {loaded.origin(path)}", markup=False, soft_wrap=True)


@app.command("profiles")
def profiles() -> None:
    """List the bundled profiles."""
    from vidembed.config.load import profiles as bundled

    for name, text in bundled().items():
        out().print(f"{name:10} {text}", markup=False, soft_wrap=True)


def models(
    name: Annotated[str | None, typer.Argument(help="Show all facts of one model.")] = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """List the models that can be used by name, or those of one --profile: weights, sizes, memory, licences.

    Loads nothing. GPU GB is the memory a GPU needs for it; "-" runs well on a CPU.
    """
    from vidembed.models import registry

    if name:
        specs = _named(name)
    elif profile:
        specs = _of_profile(profile)
    else:
        specs = registry.specs()
    if json:
        for spec in specs:
            print_json({**asdict(spec), "modalities": sorted(spec.modalities)})
        return
    from rich.table import Table

    console = out()
    if name:
        for spec in specs:
            for key, value in asdict(spec).items():
                console.print(f"{key:12} {value}", markup=False, soft_wrap=True)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("name", "kind", "modalities", "GB", "GPU GB", "weights", "licence", "extra"):
        table.add_column(column, overflow="fold")
    for spec in specs:
        modalities = ", ".join(sorted(spec.modalities))
        memory = "-" if spec.min_gpu_gb is None else f"{spec.min_gpu_gb:g}"
        weights = spec.repo or (str(spec.path) if spec.path else "")
        row = (spec.name, spec.kind, modalities, f"{spec.size_gb:g}", memory, weights, spec.license, spec.extra or "")
        table.add_row(*row)
    console.print(table)


def _named(name: str) -> list[ModelSpec]:
    """The records of a name: an encoder and a captioner may share it. Raises UnknownModel."""
    from vidembed.models import registry

    known = [spec for spec in registry.specs() if spec.name == name]
    return known or [registry.find(name)]


def _of_profile(profile: str) -> list[ModelSpec]:
    """The models that a profile's channels (those switched off as well) and its captioner name."""
    from vidembed.config.load import load_config
    from vidembed.models import registry

    config = load_config(profile=profile)
    encoders = dict.fromkeys(channel.model for channel in config.channels.values())
    captioner = [registry.find(config.caption.model, "captioner")] if config.caption.model else []
    return [*(registry.find(model) for model in encoders), *captioner]
