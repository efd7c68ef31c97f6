"""Opens an index: made on first use, checked against what made it on later ones."""

from __future__ import annotations

from pathlib import Path

from vidembed.config.load import Overrides, file_layer, load_config, merged_layers, override_layer
from vidembed.config.schema import Config
from vidembed.errors import InputError
from vidembed.index.channels import lane
from vidembed.index.manifest import Manifest, check_folder, check_lanes, check_layout, layout_of, read_manifest
from vidembed.index.video_index import VideoIndex


def open_index(
    path: str | Path,
    *,
    profile: str | None = None,
    config: str | Path | None = None,
    overrides: Overrides | None = None,
    create: bool = True,
    readonly: bool = False,
    outdated: bool = False,
) -> VideoIndex:
    """Open the index in a folder; a context manager.

    profile: a bundled name or a .yaml; None = the one that made the index ("starter" for a new one). config: your own
    YAML on top. overrides: {"search.rrf_k": 30} or ["search.rrf_k=30"]. create: make it where there is none.
    readonly: the catalog is never written. outdated: open it also where the models of some channels have changed
    since, with a newer vidembed say; these channels stay out until `reencode` has filled them anew.
    No model is loaded before it is needed.

    Raises InputError where there is no index to open, ConfigError, UnknownModel, IndexMismatch when it was made with
    other models or settings than these, StoreError when it cannot be read.
    """
    folder = Path(path).expanduser()
    manifest = read_manifest(folder)
    if manifest is None:
        if readonly or not create:
            raise InputError(f"no index at {str(folder)!r}", hint=f"make one: vidembed index VIDEOS --index {folder}")
        return _made(folder, profile, config, overrides)
    settings = _settings(manifest, profile, config, overrides)
    check_layout(manifest, settings, folder)
    enabled = {name: lane(name, given) for name, given in settings.channels.items() if given.enabled}
    check_lanes(manifest, enabled, folder, outdated=outdated)
    return VideoIndex(folder, settings, manifest, readonly=readonly)


def _made(folder: Path, profile: str | None, config: str | Path | None, overrides: Overrides | None) -> VideoIndex:
    import vidembed

    settings = load_config(profile, config, overrides)
    for name, given in settings.channels.items():
        if given.enabled:
            lane(name, given)  # an unknown model is said before anything is made
    check_folder(folder)
    manifest = Manifest(
        profile=settings.profile,
        layout=layout_of(settings),
        store=settings.store.model_dump(mode="json"),
        settings=merged_layers(file_layer(config), override_layer(overrides)),
        made_by=f"vidembed {vidembed.__version__}",
    )
    manifest.write(folder)
    return VideoIndex(folder, settings, manifest, readonly=False)


def _settings(
    manifest: Manifest, profile: str | None, config: str | Path | None, overrides: Overrides | None
) -> Config:
    """What holds: the index's own settings on top of its profile; another profile stands for itself."""
    if profile in (None, manifest.profile):
        return load_config(manifest.profile, config, overrides, stored=manifest.stored_settings())
    return load_config(profile, config, overrides, stored={"store": dict(manifest.store)})
