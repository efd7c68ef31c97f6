"""`vidembed models`: which models there are, which are here, and fetching, moving and deleting them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperGroup

from vidembed.cli.common import (
    ASK_ABOVE_GB,
    JsonOption,
    ProfileOption,
    counted,
    err,
    out,
    plain,
    print_json,
    show_downloads,
)
from vidembed.cli.naming import complete_models
from vidembed.cli.terminal import shortened, wrapped
from vidembed.errors import ModelError, WeightsMissing

if TYPE_CHECKING:
    from vidembed.models.spec import ModelSpec
    from vidembed.protocols import Encoder


class _ShowByDefault(TyperGroup):
    """`vidembed models NAME` is `vidembed models show NAME`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        return super().resolve_command(ctx, args if not args or args[0] in self.commands else ["show", *args])


app = typer.Typer(cls=_ShowByDefault, help="List models, fetch and delete their weights.", invoke_without_command=True)
NamesArgument = Annotated[
    list[str],
    typer.Argument(help="Models, or profiles with all their models.", metavar="NAME", autocompletion=complete_models),
]


@app.callback()
def listed(context: typer.Context, profile: ProfileOption = None, json: JsonOption = False) -> None:
    """List the models known by name, or those of one --profile: size, what is here, memory, licence.

    Loads nothing, asks nobody. GPU GB: memory needed on a GPU; "-": runs well on a CPU.
    """
    if context.invoked_subcommand is not None:
        return
    from vidembed.models import registry

    specs = _of_profile(profile) if profile else registry.specs()
    if json:
        for spec in specs:
            print_json(_record(spec))
        return
    columns = ["name", "kind", "modalities", "GB", "here", "GPU GB", "weights", "licence", "extra"]
    if sys.stdout.isatty():  # which has no room for more; `models show` has the rest
        columns = ["name", "modalities", "GB", "here", "GPU GB", "licence"]
    rows = [dict(zip(columns, columns, strict=True)), *map(_cells, specs)]
    widths = [max(len(row[column]) for row in rows) for column in columns]
    for row in rows:
        line = " ".join(row[column].ljust(width) for column, width in zip(columns, widths, strict=True)).rstrip()
        typer.echo(shortened(line))
    missing = {spec.repo or spec.name: spec.size_gb for spec in specs if _state(spec) in ("missing", "in part")}
    if profile and missing:
        err().print(f"{sum(missing.values()):.2f} GB to fetch: vidembed models download {profile}", soft_wrap=True)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A model.", autocompletion=complete_models)], json: JsonOption = False
) -> None:
    """Show one model in full."""
    for spec in _named(name):
        if json:
            print_json(_record(spec))
            continue
        for key, value in _record(spec).items():
            plain(out(), wrapped(f"{key:12} {value}", indent=13))


@app.command("download")
def download(
    names: NamesArgument,
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder for machines without a network, for the setting weights_dir.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before more than 2 GB.")] = False,
) -> None:
    """Fetch the weights of models or profiles, whole and checked; what is here stays.

    Ctrl-C stops at once; the next call goes on where it stopped.
    """
    from vidembed.models import fetching, hub

    specs = [spec for spec in _chosen(names) if spec.fetched]
    if not specs:
        plain(err(), "nothing to fetch: these models come with pip, or have no weights")
        return
    lacking = [spec for spec in specs if hub.here(spec) is None]
    size_gb = sum(_size_gb(spec) for spec in lacking)
    if lacking:
        plain(
            err(), f"{counted(len(lacking), 'model')} to fetch, {size_gb:.2f} GB: {', '.join(s.name for s in lacking)}"
        )
    if size_gb > ASK_ABOVE_GB and not yes and sys.stdin.isatty():
        typer.confirm(f"Fetch {size_gb:.2f} GB?", default=True, abort=True, err=True)
    show_downloads(ask=False)
    for spec in specs:
        at = hub.here(spec) or fetching.fetch(spec)
        if to is not None:
            at = Path(shutil.copytree(at, to.expanduser() / spec.name, dirs_exist_ok=True))
        plain(out(), str(at))


@app.command("path")
def path(name: Annotated[str, typer.Argument(help="A model.", autocompletion=complete_models)]) -> None:
    """Print the folder of a model's weights. Fails where they are not here."""
    from vidembed.models import hub, weights

    for spec in _named(name):
        if spec.fetched:
            at = hub.here(spec)
            if at is None:
                raise weights.missing(spec)
            plain(out(), str(at))
        elif spec.path is not None:
            plain(out(), str(spec.path))
        else:
            raise WeightsMissing(f"{name!r} has no folder of weights: they come with pip, or there are none")


@app.command("rm")
def rm(names: NamesArgument) -> None:
    """Delete the weights of models from the hub's cache, what was converted from them, and what broken downloads left.

    A model folder of your own stays; what was converted from it goes.
    """
    from vidembed.models import hub
    from vidembed.models.encoders import kept

    specs = _chosen(names)
    folders = {spec.repo: hub.cache_folder(spec.repo) for spec in specs if spec.repo is not None}
    folders |= {spec.name: hub.file_folder(spec) for spec in specs if spec.url is not None}
    own = {spec.name: spec.path for spec in specs if spec.path is not None}
    for spec in specs:
        if spec.repo is None and spec.url is None and spec.path is None:
            plain(err(), f"{spec.name} comes with vidembed: there is nothing to delete")
    for name, folder in {**folders, **own}.items():
        if converted := kept.forget(folder):
            plain(err(), f"deleted what was converted from {name}: {converted / 1e9:.2f} GB")
        if name in own:
            continue
        if not folder.exists():
            plain(err(), f"{name} is not here")
            continue
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
        shutil.rmtree(folder)
        plain(err(), f"deleted {name}: {size / 1e9:.2f} GB")


@app.command("update")
def update(names: NamesArgument) -> None:
    """Ask the hub for newer weights of models that no commit is set for, and fetch them.

    Indexes keep the weights that made them; to move one, encode its channels again.
    """
    from vidembed.models import fetching, hub

    show_downloads(ask=True)
    for spec in _chosen(names):
        if spec.repo is None:
            continue
        if hub.COMMIT.fullmatch(spec.revision):
            plain(err(), f"{spec.name} stays at {spec.revision[:12]}, the commit of this version of vidembed")
            continue
        before = hub.pinned(spec).revision
        after = fetching.ask(spec).commit
        fetching.fetch(spec)
        if before == after:
            plain(err(), f"{spec.name} is up to date: {after[:12]}")
        else:
            old = before[:12] if hub.COMMIT.fullmatch(before) else "nothing"
            plain(err(), f"{spec.name}: {old} -> {after[:12]}")
            plain(err(), "indexes keep the old one until: vidembed index --index INDEX --reencode CHANNELS")


@app.command("check")
def check(names: NamesArgument) -> None:
    """Compare what models give for a few texts with what others have published of them. Nothing is fetched.

    Fails when one differs, or is not here; the others are compared all the same.
    """
    from vidembed.models import registry

    wrong, lacking = [], []
    for spec in _chosen(names):
        if spec.known is None:
            plain(err(), f"{spec.name}: no vector of a text is published")
            continue
        try:
            rows = cast("Encoder", registry.load_encoder(spec, offline=True)).encode("text", spec.known.texts)
        except WeightsMissing as error:
            plain(err(), f"{spec.name}: not checked: {error}")
            lacking.append(spec.name)
            continue
        difference = spec.known.largest_difference(rows)
        plain(out(), f"{spec.name}: {difference:.1e} from {spec.known.source}")
        wrong += [spec.name] if difference > spec.known.within else []
    if wrong:
        raise ModelError(
            f"{', '.join(wrong)}: other vectors than the published ones",
            hint="fetch the weights again: vidembed models rm NAME, vidembed models download NAME",
        )
    if lacking:
        raise WeightsMissing(
            f"{counted(len(lacking), 'model')} not checked, whose weights are not here: {', '.join(lacking)}",
            hint=f"with network access run: vidembed models download {' '.join(lacking)}",
        )


def _state(spec: ModelSpec) -> str:
    """here, in part, missing; - for those without weights on the hub."""
    from vidembed.models import hub

    if not spec.fetched:
        return "-"
    if spec.url is not None:
        return "here" if hub.here(spec) else "missing"
    found = hub.snapshot(spec)
    if found is not None and not found.lacking:
        return "here"
    return "in part" if found is not None and len(found.lacking) < len(found.files) else "missing"


def _size_gb(spec: ModelSpec) -> float:
    """What is still to fetch: exact where the hub was asked before, else the record's."""
    from vidembed.models import hub

    found = hub.snapshot(spec) if spec.repo is not None else None
    return spec.size_gb if found is None else sum(file.size for file in found.lacking) / 1e9


def _cells(spec: ModelSpec) -> dict[str, str]:
    """What the table says of a model. Whatever takes pictures or sound takes text as well, so that is left out."""
    senses = sorted(spec.modalities - {"text"} or spec.modalities)
    return {
        "name": spec.name,
        "kind": spec.kind,
        "modalities": ", ".join(senses) or spec.kind,
        "GB": f"{spec.size_gb:g}",
        "here": _state(spec),
        "GPU GB": "-" if spec.min_gpu_gb is None else f"{spec.min_gpu_gb:g}",
        "weights": spec.repo or spec.url or (str(spec.path) if spec.path else ""),
        "licence": spec.license,
        "extra": spec.extra or "",
    }


def _record(spec: ModelSpec) -> dict[str, Any]:
    return {**asdict(spec), "modalities": sorted(spec.modalities), "here": _state(spec)}


def _chosen(names: Iterable[str]) -> list[ModelSpec]:
    """The models that names of models and profiles stand for, each once."""
    from vidembed.config.load import profiles

    known = profiles()
    found = [spec for name in names for spec in (_of_profile(name) if name in known else _named(name))]
    return list({(spec.kind, spec.name): spec for spec in found}.values())


def _named(name: str) -> Sequence[ModelSpec]:
    """The records of a name: models of different kinds may share it. Raises UnknownModel."""
    from vidembed.models import registry

    known = [spec for spec in registry.specs() if spec.name == name]
    return known or [registry.find(name)]


def _of_profile(profile: str) -> list[ModelSpec]:
    """The models of a profile's channels (those switched off as well), of its speech channels and its captioner."""
    from vidembed.config.load import load_config
    from vidembed.models import registry
    from vidembed.sources.whisper import whisper_spec

    config = load_config(profile=profile)
    found = [registry.find(channel.model) for channel in config.channels.values()]
    for channel in config.channels.values():
        if channel.source == "speech":
            whisper = whisper_spec(str(channel.source_options.get("model", "bundled")))
            found += [whisper] if whisper is not None else []
    if config.caption.model:
        found.append(registry.find(config.caption.model, "captioner"))
    return list({(spec.kind, spec.name): spec for spec in found}.values())
