"""`vidembed config`: the settings that hold, and where each comes from."""

from __future__ import annotations

import typer

from vidembed.cli.common import ConfigOption, JsonOption, ProfileOption, SetOption, out, print_json

app = typer.Typer(help="Show settings and profiles.", no_args_is_help=True)


@app.command("show")
def show(
    profile: ProfileOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Print every setting with its value and origin (profile, file, environment, --set)."""
    from vidembed.config import load_config

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
    from vidembed.config import profiles as bundled

    for name, text in bundled().items():
        out().print(f"{name:10} {text}", markup=False, soft_wrap=True)
