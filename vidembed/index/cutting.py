"""Moments as media: each in a file of its own, or all joined into one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidembed.config.schema import LimitSettings
from vidembed.errors import InputError
from vidembed.media.editing.cut import cut, reel
from vidembed.search.sequence import Chain
from vidembed.types import Moment


def cut_each(
    moments: Sequence[Moment | Chain], folder: str | Path, *, overwrite: bool, limits: LimitSettings
) -> list[Path]:
    """Cut each moment at the frame; see `VideoIndex.cut`."""
    folder = Path(folder).expanduser()
    targets = [
        folder / f"{place:02d}_{moment.path.stem}_{moment.span.start_s:.1f}s.mp4"
        for place, moment in enumerate(moments, start=1)
    ]
    taken = [target for target in targets if target.exists()]
    if taken and not overwrite:
        raise InputError(f"{taken[0]} exists", hint="name another folder, or overwrite (--overwrite)")
    folder.mkdir(parents=True, exist_ok=True)
    for moment, target in zip(moments, targets, strict=True):
        cut(moment.path, moment.span, target, exact=True, overwrite=overwrite, limits=limits)
    return targets


def join(moments: Sequence[Moment | Chain], out: str | Path, *, overwrite: bool, limits: LimitSettings) -> Path:
    """Join moments into one file; see `VideoIndex.reel`."""
    pieces = [(moment.path, moment.span) for moment in moments]
    return reel(pieces, Path(out).expanduser(), overwrite=overwrite, limits=limits)
