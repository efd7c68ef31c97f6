"""Loads settings: defaults < profile < your file < environment VIDEMBED__A__B < overrides. Each value has its origin.

Components never see the whole `Config`: whoever opens an index hands each its section.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from vidembed.config.schema import Config
from vidembed.errors import ConfigError, did_you_mean

__all__ = ["DEFAULT_PROFILE", "Config", "configs_dir", "load_config", "profiles"]

DEFAULT_PROFILE = "starter"
ENV_PREFIX = "VIDEMBED__"

Overrides = Mapping[str, Any] | Sequence[str]


def configs_dir() -> Path:
    """The folder of the bundled profiles: inside an installed package, beside it in a checkout."""
    inside = Path(__file__).parents[1] / "configs"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "configs"


def profiles() -> dict[str, str]:
    """The bundled profiles: name -> what it is (the first sentence of its file's comment)."""
    found: dict[str, str] = {}
    for file in sorted(configs_dir().glob("*.yaml")):
        if file.stem != "base":
            lines = file.read_text(encoding="utf-8").splitlines()
            comment = " ".join(line.lstrip("# ") for line in takewhile(lambda line: line.startswith("#"), lines))
            found[file.stem] = re.split(r"(?<=\.)\s", comment, maxsplit=1)[0]
    return found


# What settings with a pattern may be, by the end of their path.
_FORMS = {
    "device": "auto, cpu, mps, cuda, or one of several such as cuda:1",
    "namespace": "at most 64 letters, digits, _ and -",
}


def load_config(
    profile: str | None = None,
    config: str | Path | None = None,
    overrides: Overrides | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    stored: Mapping[str, Any] | None = None,
) -> Config:
    """Merge and check settings: defaults < profile < stored < config < environment < overrides.

    Args:
        profile: A bundled name or the path of a .yaml; None = "starter".
        config: Your YAML on top of the profile.
        overrides: {"search.rrf_k": 30} or ["search.rrf_k=30"].
        environ: Variables such as VIDEMBED__SEARCH__RRF_K; None = those of the process.
        stored: What an index remembers of its settings.

    Returns:
        The settings; `Config.origin` tells where each came from.

    Raises:
        ConfigError: A setting is unknown, out of bounds or unreadable; the message names the dotted path, the value,
            what is allowed and where the value came from.
    """
    name = profile or DEFAULT_PROFILE
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for label, layer in _profile_layers(name):
        _merge(merged, layer, origins, label)
    if stored:
        _merge(merged, stored, origins, "the index")
    if config is not None:
        for label, layer in _file_layers(Path(config)):
            _merge(merged, layer, origins, label)
    for key, value in (os.environ if environ is None else environ).items():
        if key.startswith(ENV_PREFIX):
            path = key.removeprefix(ENV_PREFIX).lower().replace("__", ".")
            _merge(merged, _nested({path: _scalar(value, key)}), origins, f"environment {key}")
    _merge(merged, override_layer(overrides), origins, "override")
    merged["profile"] = name
    return _checked(merged, origins)


def override_layer(overrides: Overrides | None) -> dict[str, Any]:
    """Dotted overrides as a nested mapping; values of "a.b=value" strings are read as YAML."""
    if overrides is None:
        return {}
    if isinstance(overrides, str):
        overrides = [overrides]
    if isinstance(overrides, Mapping):
        return _nested(overrides)
    pairs: dict[str, Any] = {}
    for text in overrides:
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            raise ConfigError(f"an override must look like a.b=value, got {text!r}", hint="for example search.rrf_k=30")
        pairs[path.strip()] = _scalar(value, text)
    return _nested(pairs)


def file_layer(path: str | Path | None) -> dict[str, Any]:
    """A user's YAML with all that it extends, merged; {} for None."""
    return merged_layers(*(layer for _, layer in _file_layers(Path(path)))) if path is not None else {}


def merged_layers(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Layers as one, later ones winning; mappings are merged."""
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge(merged, layer, {}, "")
    return merged


def _profile_layers(name: str) -> list[tuple[str, dict[str, Any]]]:
    return _extended(_profile_file(name), f"profile {name}", seen=())


def _profile_file(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    if name != "base" and name not in profiles():
        raise ConfigError(f"unknown profile {name!r}", hint=did_you_mean(name, profiles()))
    return configs_dir() / f"{name}.yaml"


def _file_layers(path: Path) -> list[tuple[str, dict[str, Any]]]:
    return _extended(path, f"file {path}", seen=())


def _extended(file: Path, label: str, *, seen: tuple[Path, ...]) -> list[tuple[str, dict[str, Any]]]:
    """The file's layers, what it extends first. base.yaml only says what the schema's defaults are."""
    file = file.resolve()
    if file in seen:
        chain = " -> ".join(step.name for step in (*seen, file))
        raise ConfigError(f"profiles extend each other in a circle: {chain}")
    if file == (configs_dir() / "base.yaml").resolve():
        return []
    layer = _read(file)
    parent = layer.pop("extends", None)
    layer.pop("profile", None)
    layers: list[tuple[str, dict[str, Any]]] = []
    if parent is not None:
        if not isinstance(parent, str):
            raise ConfigError(f"extends = {parent!r} must be the name of one profile (from {label})")
        beside = file.parent / parent
        target = beside if parent.endswith((".yaml", ".yml")) and beside.exists() else _profile_file(parent)
        layers = _extended(target, f"profile {target.stem}", seen=(*seen, file))
    return [*layers, (label, layer)]


def _read(file: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"no settings file {str(file)!r}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the settings file {str(file)!r}: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not valid YAML: {error}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(f"{file} must hold settings by name, got {type(loaded).__name__}")
    return loaded


def _scalar(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"cannot read the value of {where!r}: {error}") from error


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        parts = str(path).split(".")
        node = tree
        for part in parts[:-1]:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise ConfigError(f"override {path} lies below a value that another override sets")
        plain = _nested(value) if isinstance(value, Mapping) else value
        if isinstance(plain, dict) and isinstance(node.get(parts[-1]), dict):
            node[parts[-1]].update(plain)
        else:
            node[parts[-1]] = plain
    return tree


def _merge(into: dict[str, Any], layer: Mapping[str, Any], origins: dict[str, str], label: str, at: str = "") -> None:
    """Mappings are merged, everything else (lists too) is replaced."""
    for key, value in layer.items():
        path = f"{at}.{key}" if at else str(key)
        if isinstance(value, Mapping) and value:
            if not isinstance(into.get(key), dict):
                into[key] = {}
            _merge(into[key], value, origins, label, path)
        elif not (isinstance(value, Mapping) and isinstance(into.get(key), dict)):
            into[key] = dict(value) if isinstance(value, Mapping) else value
            origins.pop(path, None)  # what was given last is the last
            origins[path] = label


def _checked(merged: dict[str, Any], origins: dict[str, str]) -> Config:
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        raise _explained(error, origins) from error
    config._origins.update(origins)
    return config


def with_values(config: Config, section: str, **values: Any) -> Config:
    """The settings with values of one section replaced, where they are not None. Raises ConfigError out of bounds."""
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        return config
    old = getattr(config, section)
    try:
        return config.model_copy(update={section: type(old)(**{**old.model_dump(), **given})})
    except ValidationError as error:
        raise _explained(error, {}, section) from error


def _explained(error: ValidationError, origins: dict[str, str], *section: str) -> ConfigError:
    problems = [_problem(dict(entry), origins, *section) for entry in error.errors(include_url=False)]
    message, hint = problems[0]
    if len(problems) > 1:
        message += "".join(f"; {other}" for other, _ in problems[1:5])
    return ConfigError(message, hint=hint)


def _problem(entry: dict[str, Any], origins: dict[str, str], *section: str) -> tuple[str, str]:
    loc = [*section, *(str(part) for part in entry["loc"] if part != "[key]")]
    path = ".".join(loc)
    origin = _nearest_origin(origins, path)
    where = f" (from {origin})" if origin else ""
    if entry["type"] == "extra_forbidden":
        known = _keys_at(Config, loc[:-1])
        return f"unknown setting {path} = {entry['input']!r}{where}", did_you_mean(loc[-1], known) if known else ""
    if entry["type"] == "missing":
        return f"{path} is missing{where}", "every channel needs at least a source and a model"
    what = str(entry["msg"]).replace("Input should be", "must be").removeprefix("Value error, ")
    if entry["type"] == "string_pattern_mismatch":
        what = f"must be {_FORMS.get(loc[-1], 'a name of small letters, digits and _, at most 32, a letter first')}"
    elif entry["type"] in ("model_type", "model_attributes_type", "dict_type"):
        what = f"must be a mapping of settings, such as {path}.name=value"
    if isinstance(entry["input"], Mapping) and entry["type"] == "value_error":
        return f"{path}: {what}{where}", ""
    return f"{path} = {entry['input']!r} {what}{where}", "vidembed config show prints every setting and its origin"


def _nearest_origin(origins: dict[str, str], path: str) -> str | None:
    """The origin of the path, or of what was given last in the closest section around it."""
    parts = path.split(".")
    for stop in range(len(parts), 0, -1):
        at = ".".join(parts[:stop])
        below = next((origins[key] for key in reversed(origins) if key.startswith(f"{at}.")), None)
        if at in origins or below:
            return origins.get(at) if stop == len(parts) and at in origins else below or origins[at]
    return None


def _keys_at(model: type[BaseModel], loc: Iterable[str]) -> list[str]:
    """The keys the schema allows at this place."""
    current: Any = model
    for part in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            current = field.annotation if field is not None else None
        else:  # a mapping such as channels: its values' type
            current = get_args(current)[-1] if get_args(current) else None
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []
