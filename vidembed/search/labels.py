"""A person's own labels: groups of which a clip has several or one, each label with the words that describe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidembed.errors import InputError

_SIGNS = "=!<>;"


@dataclass(frozen=True)
class Label:
    """A label and the texts that describe it; its own name where it has none."""

    name: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class LabelGroup:
    """Labels that belong together. one: A clip has at most one of them. channels: Where to look; None = all."""

    name: str
    labels: tuple[Label, ...]
    one: bool = False
    channels: tuple[str, ...] | None = None


def label_groups(given: Path | str | Sequence[str] | Mapping[str, Any], *, one: bool = False) -> list[LabelGroup]:
    """Groups of labels from a file (.yaml, or text with a label a line), a list of labels, or groups by name.

    A group is a list of labels, or {one_of: labels} or {several: labels}, with `channels` if it is not to be looked for
    everywhere; labels are a list, or texts that describe each by label.

    Args:
        given: The file or the labels.
        one: Of a plain list: a clip has at most one of them.

    Raises:
        InputError: The file cannot be read, or holds something else.
    """
    if isinstance(given, str | Path):
        return _of_file(Path(given), one=one)
    if isinstance(given, Mapping):
        return _checked([_group(str(name), value, "labels") for name, value in given.items()], "labels")
    return _checked([LabelGroup("label", _labels(list(given), "labels"), one)], "labels")


def _of_file(path: Path, *, one: bool) -> list[LabelGroup]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the labels {path}: {error}", hint="a text file with a label a line") from error
    if path.suffix.lower() not in (".yaml", ".yml"):
        lines = [" ".join(line.split()) for line in text.splitlines()]
        kept = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
        return _checked([LabelGroup("label", _labels(kept, str(path)), one)], str(path))
    import yaml

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {error}") from error
    if isinstance(data, list):
        return _checked([LabelGroup("label", _labels(data, str(path)), one)], str(path))
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected groups of labels", hint="animal: [dog, cat]")
    return _checked([_group(str(name), value, str(path)) for name, value in data.items()], str(path))


def _group(name: str, value: Any, where: str) -> LabelGroup:
    if not isinstance(value, dict):
        return LabelGroup(name, _labels(value, f"{where}, {name}"))
    kinds = [kind for kind in ("one_of", "several") if kind in value]
    unknown = sorted(map(str, set(value) - {"one_of", "several", "channels"}))
    if unknown or len(kinds) != 1:
        wrong = f", not {', '.join(unknown)}" if unknown else ""
        raise InputError(
            f"{where}, {name}: a group is a list of labels, or has one of `one_of` and `several`{wrong}",
            hint="place: {one_of: [kitchen, street]}",
        )
    channels = value.get("channels")
    if channels is not None and not isinstance(channels, list):
        raise InputError(f"{where}, {name}: channels is a list, got {channels!r}", hint="channels: [sound]")
    labels = _labels(value[kinds[0]], f"{where}, {name}")
    return LabelGroup(name, labels, kinds[0] == "one_of", tuple(map(str, channels)) if channels else None)


def _labels(given: Any, where: str) -> tuple[Label, ...]:
    texts: dict[str, Any] = given if isinstance(given, dict) else {}
    if isinstance(given, list) and all(isinstance(name, str | int) for name in given):
        texts = {str(name): [] for name in given}
        if len(texts) < len(given):
            raise InputError(f"{where}: a label is there twice")
    made = []
    for name, described in texts.items():
        lines = [described] if isinstance(described, str) else described or []
        if not isinstance(lines, list) or not all(isinstance(line, str) and line.strip() for line in lines):
            raise InputError(f"{where}, {name}: a label's texts are sentences, got {str(described)[:60]!r}")
        made.append(Label(" ".join(str(name).split()), tuple(lines) or (str(name),)))
    if not made:
        raise InputError(f"{where}: expected a list of labels, got {str(given)[:60]!r}", hint="[dog, cat]")
    return tuple(made)


def _checked(groups: list[LabelGroup], where: str) -> list[LabelGroup]:
    for group in groups:
        for name in (group.name, *(label.name for label in group.labels)):
            if not any(letter.isalnum() for letter in name) or any(sign in name for sign in _SIGNS):
                raise InputError(f"{where}: invalid tag name {name!r}", hint=f"letters and digits, no {_SIGNS}")
    if not groups:
        raise InputError(f"{where}: no labels in it")
    return groups
