"""What one call asks for, on top of the settings of the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vidembed.config.schema import ChannelSettings, Config
from vidembed.errors import ConfigError, did_you_mean
from vidembed.index.channels import Lane, lane


def wanted_lanes(config: Config, names: Sequence[str] | None) -> dict[str, Lane]:
    """The lanes a run is to fill: the enabled ones, changed by "+name" and "-name", or just those named."""
    known = config.channels
    names = [names] if isinstance(names, str) else list(names or ())
    for name in names:
        if name.lstrip("+-") not in known:
            raise ConfigError(
                f"no channel {name.lstrip('+-')!r} in profile {config.profile!r}",
                hint=did_you_mean(name.lstrip("+-"), known),
            )
    plain = {name for name in names if name[0] not in "+-"}
    wanted = plain or {name for name, given in known.items() if given.enabled}
    wanted |= {name[1:] for name in names if name[0] == "+"}
    wanted -= {name[1:] for name in names if name[0] == "-"}
    if not wanted:
        raise ConfigError("no channel is left to fill", hint=f"this profile has: {', '.join(known) or 'none'}")
    return {name: lane(name, known[name]) for name in known if name in wanted}


def with_run(config: Config, changes: Mapping[str, Any]) -> Config:
    """The settings with these of `run` replaced. Raises ConfigError when they are out of bounds."""
    if not 1 <= changes.get("workers", 1) <= 256 or changes.get("on_error", "record") not in ("record", "raise"):
        raise ConfigError(f"need 1 <= workers <= 256 and on_error record or raise, got {dict(changes)}")
    return config.model_copy(update={"run": config.run.model_copy(update=dict(changes))}) if changes else config


def with_channel(config: Config, name: str, given: ChannelSettings) -> Config:
    return config.model_copy(update={"channels": {**config.channels, name: given}})
