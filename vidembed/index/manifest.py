"""index.json: what made an index. Settings under which its vectors would mix with unlike ones are refused."""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vidembed._version import __version__
from vidembed.config.schema import Config
from vidembed.errors import ConfigError, IndexMismatch, StoreError, StoreUnavailable
from vidembed.files import write_text
from vidembed.index.channels import ChannelSpec, vector_settings
from vidembed.protocols import collection_name

FORMAT = 2
FILE = "index.json"
_OURS = {
    "catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm", "vectors", "thumbnails", "cache", "write.lock",
    "in-hand", "confidence.json",
}  # fmt: skip
# What an index remembers of a channel. The rest (prompts, device, batch size) follows the profile and the machine.
_KEPT = {
    "source", "model", "pool", "window_s", "hop_s", "short_side_px", "keep_segments", "silence_rms", "options",
    "source_options",
}  # fmt: skip


@dataclass(frozen=True)
class Manifest:
    """What made an index.

    Attributes:
        profile: The profile it was made with.
        layout: How videos were sampled and cut, the same for all channels.
        store: The settings of its store.
        settings: What was set on top of the profile.
        channels: Name -> {"fingerprint", "settings", "facts"}, as the vectors in use were made.
        index_id: 32 hex digits.
        made_by: The version of vidembed.
        format: Of the index's files.
    """

    profile: str
    layout: Mapping[str, Any]
    store: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    index_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    made_by: str = ""
    format: int = FORMAT

    def stored_settings(self) -> dict[str, Any]:
        """The settings that this index puts between the profile's and a caller's."""
        settings = dict(self.settings)
        channels = {name: dict(entry["settings"]) for name, entry in self.channels.items()}
        given = settings.pop("channels", {})
        merged = {name: {**given.get(name, {}), **channels.get(name, {})} for name in {*given, *channels}}
        return {**settings, **self.layout, "store": dict(self.store), "channels": merged}

    def serving(self, spec: ChannelSpec) -> Manifest:
        """The manifest with these vectors in use for their channel."""
        entry = {
            "fingerprint": spec.fingerprint,
            "settings": _kept(spec),
            "facts": json.loads(json.dumps(vector_settings(spec.settings, spec.model), default=str)),
        }
        return replace(self, channels={**self.channels, spec.name: entry})

    def collection(self, channel: str) -> str | None:
        """The collection in use for a channel, whatever made it; None without one."""
        entry = self.channels.get(channel)
        return None if entry is None else collection_name(channel, entry["fingerprint"])

    def write(self, folder: Path) -> None:
        """Replace the file in the index's folder in one step."""
        write_text(folder / FILE, json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")


def _kept(spec: ChannelSpec) -> dict[str, Any]:
    return {**spec.settings.model_dump(mode="json", include=_KEPT), "enabled": True}


def layout_of(config: Config) -> dict[str, Any]:
    """How videos are sampled and cut under these settings."""
    return {"sample": config.sample.model_dump(mode="json"), "segment": config.segment.model_dump(mode="json")}


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an index; None without one. Raises IndexMismatch (a newer format), StoreUnavailable (damaged)."""
    file = folder / FILE
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(data, dict) or not isinstance(data.get("format"), int):
            raise ValueError("it has no format number")
        if data["format"] > FORMAT:
            raise IndexMismatch(
                f"the index {str(folder)!r} has format {data['format']}, this vidembed reads up to {FORMAT}",
                hint="a newer vidembed made it: upgrade with pip install -U vidembed",
            )
        return Manifest(**(_renamed(data) if data["format"] == 1 else data))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError) as error:
        raise StoreUnavailable(
            f"{file} cannot be read: {error}", hint="restore it from a backup, or index again into a new folder"
        ) from error


def _renamed(data: dict[str, Any]) -> dict[str, Any]:
    """A manifest of format 1 with the names that settings have since format 2."""

    def channel(settings: dict[str, Any]) -> dict[str, Any]:
        return {"keep_segments" if name == "keep_units" else name: value for name, value in settings.items()}

    settings = dict(data.get("settings", {}))
    if "search" in settings:
        search = dict(settings["search"])
        if "unit_score" in search:
            search["segment_score"] = search.pop("unit_score")
        settings["search"] = search
    if "channels" in settings:
        settings["channels"] = {name: channel(given) for name, given in settings["channels"].items()}
    channels = {name: {**entry, "settings": channel(entry["settings"])} for name, entry in data["channels"].items()}
    return {**data, "settings": settings, "channels": channels, "format": FORMAT}


def _completed(layout: Mapping[str, Any]) -> dict[str, Any]:
    """A layout with the defaults of the settings that its index did not know yet."""
    usual = layout_of(Config())
    return {name: {**usual.get(name, {}), **given} for name, given in layout.items()}


def check_layout(manifest: Manifest, config: Config, folder: Path) -> None:
    """Raise IndexMismatch when the index was sampled or cut in another way than these settings say."""
    changed = _differences(_completed(manifest.layout), layout_of(config))
    if changed:
        raise IndexMismatch(
            f"the index {str(folder)!r} was made with {_said(changed, 0)}; now it is {_said(changed, 1)}",
            hint=f"open it without these settings (profile {manifest.profile!r} made it), "
            "or index again into a new folder",
        )


def check_specs(manifest: Manifest, specs: Mapping[str, ChannelSpec], folder: Path, *, outdated: bool = False) -> None:
    """Compare channels with those whose vectors the index holds.

    Args:
        manifest: What made the index.
        specs: The channels as the settings of now make them.
        folder: The index's, for messages.
        outdated: Let channels pass whose settings are the same and whose model has changed, with a newer vidembed or
            in its own folder; only re-encoding helps there.

    Raises:
        IndexMismatch: A channel's vectors were made by another model or other settings.
    """
    changed = {}
    for name, spec in specs.items():
        entry = manifest.channels.get(name)
        if entry is None or entry["fingerprint"] == spec.fingerprint:
            continue
        now = json.loads(json.dumps(vector_settings(spec.settings, spec.model), default=str))
        differences = {f"channels.{name}.{key}": pair for key, pair in _differences(entry["facts"], now).items()}
        if _kept(spec) != _kept(spec) | entry["settings"]:
            raise IndexMismatch(
                f"channel {name!r} of the index {str(folder)!r} was made with {_said(differences, 0)}; "
                f"now it is {_said(differences, 1)}",
                hint=f"re-encode it: {_reencode(folder, [name])} with these settings; "
                f"or open it as it is, without them (profile {manifest.profile!r} made it)",
            )
        changed[name] = differences
    if changed and not outdated:
        differences = {path: pair for found in changed.values() for path, pair in found.items()}
        raise IndexMismatch(
            f"the index {str(folder)!r} was made with models that have changed since: "
            f"{_said(differences, 0)}; now {_said(differences, 1)}",
            hint=f"re-encode these channels: {_reencode(folder, list(changed))}",
        )


def _reencode(folder: Path, channels: Sequence[str]) -> str:
    return shlex.join(["vidembed", "index", "--index", str(folder), "--reencode", ",".join(channels)])


def _differences(one: Mapping[str, Any], other: Mapping[str, Any], at: str = "") -> dict[str, tuple[Any, Any]]:
    """Values in one and in the other by dotted path, where they differ."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in sorted({*one, *other}):
        path, a, b = f"{at}{key}", one.get(key), other.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found |= _differences(a, b, f"{path}.")
        elif a != b:
            found[path] = (a, b)
    return found


def _said(changed: Mapping[str, tuple[Any, Any]], which: int) -> str:
    return ", ".join(f"{path} = {pair[which]!r}" for path, pair in list(changed.items())[:4]) or "another format"


def new_index(folder: Path, config: Config, settings: Mapping[str, Any]) -> Manifest:
    """Make the folder of a new index, with its manifest. settings: what of the config is set on top of the profile.

    Raises:
        ConfigError: The folder is a file, or holds other things.
        StoreError: It cannot be made.
    """
    _make_folder(folder)
    manifest = Manifest(
        profile=config.profile,
        layout=layout_of(config),
        store=config.store.model_dump(mode="json"),
        settings=settings,
        made_by=f"vidembed {__version__}",
    )
    manifest.write(folder)
    return manifest


def _make_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{str(folder)!r} is a file, an index needs a folder")
    inside = [entry.name for entry in folder.iterdir()] if folder.exists() else []
    others = sorted(name for name in inside if name not in _OURS and not name.startswith("."))
    if others:
        raise ConfigError(
            f"{str(folder)!r} is not an index: it holds other files ({', '.join(others[:3])})",
            hint="give a new or empty folder for the index; videos may lie anywhere",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the folder {str(folder)!r}: {error.strerror}", hint="name another one: --index FOLDER"
        ) from error
