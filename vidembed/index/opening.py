"""The ways in: an index opened, made on first use and checked later; a batch of files captioned in one call."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidembed.batching import batched
from vidembed.config.load import Overrides, file_layer, load_config, merged_layers, override_layer
from vidembed.config.schema import Config
from vidembed.errors import InputError
from vidembed.index.channels import channel_spec
from vidembed.index.manifest import Manifest, check_layout, check_specs, new_index, read_manifest
from vidembed.index.parts import IndexParts
from vidembed.index.video_index import VideoIndex
from vidembed.media.files import as_list, survey

if TYPE_CHECKING:
    from vidembed.captions.run import CaptionedVideo

FILES_AT_ONCE = 16  # indexed before they are captioned, where one call does both


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

    No model is loaded before it is needed.

    Args:
        path: The folder.
        profile: A bundled name or a .yaml; None = the one that made the index ("starter" for a new one).
        config: Your YAML on top of it.
        overrides: {"search.rrf_k": 30} or ["search.rrf_k=30"].
        create: Make an index where there is none.
        readonly: Never write to the catalog.
        outdated: Open the index even if models of some channels have changed since, with a newer vidembed for example.
            These channels stay out until `VideoIndex.reencode` has filled them.

    Raises:
        InputError: There is no index to open.
        ConfigError: A setting is wrong.
        UnknownModel: A channel names a model that is not known.
        IndexMismatch: The index was made with other models or settings than these.
        StoreError: The index cannot be read.
    """
    folder = Path(path).expanduser()
    manifest = read_manifest(folder)
    if manifest is None:
        if readonly or not create:
            raise InputError(f"no index at {str(folder)!r}", hint=f"make one: vidembed index VIDEOS --index {folder}")
        return _made(folder, profile, config, overrides)
    settings = _settings(manifest, profile, config, overrides)
    check_layout(manifest, settings, folder)
    made = manifest.channels
    enabled = {
        name: channel_spec(name, given, made.get(name)) for name, given in settings.channels.items() if given.enabled
    }
    check_specs(manifest, enabled, folder, outdated=outdated)
    return VideoIndex(IndexParts(folder, settings, manifest, readonly=readonly))


def _made(folder: Path, profile: str | None, config: str | Path | None, overrides: Overrides | None) -> VideoIndex:
    settings = load_config(profile, config, overrides)
    for name, given in settings.channels.items():
        if given.enabled:
            channel_spec(name, given)  # an unknown model is said before anything is made
    manifest = new_index(folder, settings, merged_layers(file_layer(config), override_layer(overrides)))
    return VideoIndex(IndexParts(folder, settings, manifest))


def settings_of(
    path: str | Path,
    *,
    profile: str | None = None,
    config: str | Path | None = None,
    overrides: Overrides | None = None,
) -> Config:
    """The settings that an index in this folder has or would have; arguments and errors as for `open_index`."""
    manifest = read_manifest(Path(path).expanduser())
    if manifest is None:
        return load_config(profile, config, overrides)
    return _settings(manifest, profile, config, overrides)


def _settings(
    manifest: Manifest, profile: str | None, config: str | Path | None, overrides: Overrides | None
) -> Config:
    """What holds: the index's own settings on top of its profile; another profile stands for itself."""
    if profile in (None, manifest.profile):
        return load_config(manifest.profile, config, overrides, stored=manifest.stored_settings())
    return load_config(profile, config, overrides, stored={"store": dict(manifest.store)})


def caption(
    paths: str | Path | Iterable[str | Path],
    *,
    index: str | Path | None = None,
    profile: str | None = None,
    config: str | Path | None = None,
    overrides: Overrides | None = None,
    **request: Any,
) -> Iterator[CaptionedVideo]:
    """Caption videos in one call; yields each as it is done. `vidembed.caption("videos/")`.

    Files are indexed and captioned 16 at a time, so that answers come early.

    Args:
        paths: Videos, folders or globs.
        index: Folder of an index, so that the next call continues where this one stopped; None = a temporary one.
        profile: As for `open_index`, like the next two.
        config: Your YAML on top of it.
        overrides: Single settings on top.
        **request: model, candidates, prompt, seed, redo, rechoose, options, progress of `VideoIndex.caption`;
            progress counts the clips of 16 files.

    Yields:
        One record per video; a file that cannot be indexed with its failure and no caption.
    """
    from vidembed.captions.run import CaptionedVideo

    given = as_list(paths)
    with ExitStack() as stack:
        folder = Path(index or stack.enter_context(tempfile.TemporaryDirectory(prefix="vidembed-")))
        opened = stack.enter_context(open_index(folder, profile=profile, config=config, overrides=overrides))
        found = survey(given)
        for failure in found.problems:
            yield CaptionedVideo("", Path(failure.item), (), None, (failure,))
        parts: list[Sequence[str | Path]] = list(batched(list(found.files), FILES_AT_ONCE))
        for part in parts or ([] if found.problems else [given]):  # `add` says that there is nothing
            report = opened.add(part)
            for failure in report.failed:
                yield CaptionedVideo("", Path(failure.item), (), None, (failure,))
            yield from opened.caption([*report.done, *report.unchanged], **request)
