"""Moments as media: each in a file of its own, or all joined into one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidembed.errors import MediaNotFound
from vidembed.files import fitting, refuse_existing, writing
from vidembed.index.contents import IndexContents
from vidembed.media.editing.cut import cut, reel
from vidembed.media.remote import COPIES, exists, unsigned
from vidembed.search.sequence import Chain
from vidembed.types import Moment


class MomentFiles(IndexContents):
    """The part of `VideoIndex` that makes files of moments."""

    def cut(self, moments: Sequence[Moment | Chain], folder: str | Path, *, overwrite: bool = False) -> list[Path]:
        """Cut each moment, at the frame, into a file of its own: FOLDER/01_NAME_12.5s.mp4.

        Args:
            moments: Of a search.
            folder: Made where there is none.
            overwrite: Replace files that exist.

        Returns:
            The files, one for each moment.

        Raises:
            InputError: A file exists, a video is no longer there, or the folder cannot be made; nothing was cut.
        """
        _refuse_lost(moments)
        folder = Path(folder).expanduser()
        targets = [
            folder / fitting(f"{place:02d}_{unsigned(moment.path).stem}", f"_{moment.span.start_s:.1f}s.mp4")
            for place, moment in enumerate(moments, start=1)
        ]
        for target in targets:
            refuse_existing(target, overwrite=overwrite)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        limits = self.config.media.limits
        for place in COPIES.in_turn([moment.path for moment in moments]):
            cut(
                moments[place].path, moments[place].span, targets[place], exact=True, overwrite=overwrite, limits=limits
            )
        return targets

    def reel(self, moments: Sequence[Moment | Chain], out: str | Path, *, overwrite: bool = False) -> Path:
        """Join moments into one file: .mp4, .m4v, .mov, .mkv or .webm.

        Args:
            moments: Of a search, in the order in which they are to follow each other.
            out: The new file.
            overwrite: Replace it if it exists.

        Raises:
            InputError: There are no moments, the file exists, or a video is no longer there.
        """
        _refuse_lost(moments)
        pieces = [(moment.path, moment.span) for moment in moments]
        return reel(pieces, Path(out).expanduser(), overwrite=overwrite, limits=self.config.media.limits)


def _refuse_lost(moments: Sequence[Moment | Chain]) -> None:
    for moment in moments:
        if not exists(moment.path):
            raise MediaNotFound(
                f"{moment.path}: the file is no longer there",
                hint="if it has moved: vidembed relocate OLD NEW, or vidembed index the folder in which it is now",
            )
