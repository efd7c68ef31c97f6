"""What the shell completes: profiles, models, and the channels and tags of an index."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vidembed.errors import VidembedError

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex


def complete_profiles(incomplete: str) -> list[tuple[str, str]]:
    """Bundled profiles with what they are."""
    from vidembed.config.load import profiles

    return [(name, text) for name, text in profiles().items() if name.startswith(incomplete)]


def complete_models(incomplete: str) -> list[str]:
    """Models known by name."""
    from vidembed.models import registry

    return sorted({spec.name for spec in registry.specs() if spec.name.startswith(incomplete)})


def complete_channels(ctx: typer.Context, incomplete: str) -> list[str]:
    """Channels of the index, after those that are already typed: "vision,so"."""
    before, comma, last = incomplete.rpartition(",")
    start = before + comma + last[: len(last) - len(last.lstrip("+-"))]
    with suppress(VidembedError, OSError), _index(ctx) as index:
        names = index.config.channels
        return [start + name for name in names if (start + name).startswith(incomplete)]
    return []


def complete_tags(ctx: typer.Context, incomplete: str) -> list[str]:
    """Tags of the index with their values."""
    with suppress(VidembedError, OSError), _index(ctx) as index:
        held = {f"{key}={value}" for tags in index.catalog.tags.all().values() for key, value in tags.items()}
        return sorted(one for one in held if one.startswith(incomplete))
    return []


def _index(ctx: typer.Context) -> VideoIndex:
    from vidembed.index.opening import open_index

    return open_index(Path(ctx.params.get("index") or "vidembed-index"), readonly=True)
