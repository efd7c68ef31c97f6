"""Moves an index's vectors between the embedded engine and a server."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vidembed.config.schema import Config, StoreSettings
from vidembed.errors import ConfigError
from vidembed.index.manifest import Manifest
from vidembed.index.stores import move, open_store
from vidembed.protocols import Store

if TYPE_CHECKING:
    from vidembed.index.video_index import VideoIndex


def move_store(index: VideoIndex, manifest: Manifest, to: str) -> tuple[dict[str, int], Manifest, Config, Store]:
    """Clips per collection, and what holds from now on. Nothing changes unless every count agrees."""
    settings = _settings(index.config.store, to)
    if settings == index.config.store:
        raise ConfigError(f"the index keeps its vectors in {to} already")
    name = f"vidembed-{manifest.index_id[:12]}"
    target = open_store(settings, folder=index.path / "vectors", namespace=name)
    try:
        counts = move(index.store, target)
        manifest = replace(manifest, store=settings.model_dump(mode="json"))
        manifest.write(index.path)
    except BaseException:
        target.close()
        raise
    index.store.close()
    return counts, manifest, index.config.model_copy(update={"store": settings}), target


def _settings(now: StoreSettings, to: str) -> StoreSettings:
    if to == "edge":
        return now.model_copy(update={"kind": "edge", "url": None})
    if not to.startswith(("http://", "https://")):
        raise ConfigError(f"--to takes 'edge' or a server's address, got {to!r}", hint="such as http://localhost:6333")
    return now.model_copy(update={"kind": "server", "url": to})
