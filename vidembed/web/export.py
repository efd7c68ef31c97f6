"""An answer as a file: what `VideoIndex.export` writes, or the cut clips themselves."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from vidembed.errors import InputError
from vidembed.index.contents import ExportKind
from vidembed.media.remote import unsigned
from vidembed.types import Moment, Span
from vidembed.web.arrivals import safe_name

if TYPE_CHECKING:
    from vidembed.web.searches import SearchAnswer
    from vidembed.web.site import Site

Progress = Callable[[int, int], object]  # of cutting: moments that are cut, and all of them
FORMATS = {
    "edl": "EDL (CMX 3600)",
    "fcpxml": "FCPXML (Final Cut, Resolve)",
    "otio": "OTIO (OpenTimelineIO)",
    "csv": "CSV (spreadsheet)",
    "json": "JSON",
    "zip": "Cut clips (zip)",
    "mp4": "One reel (mp4)",
}
MEDIA_TYPES = {
    "json": "application/json", "csv": "text/csv; charset=utf-8", "edl": "text/plain; charset=utf-8",
    "fcpxml": "application/xml", "otio": "application/json", "zip": "application/zip", "mp4": "video/mp4",
}  # fmt: skip
_MAX_CUT = 30  # clips in one zip or reel
_MAX_CLIP_S = 600.0
_CUT_TIMEOUT_S = 300.0


def record(site: Site, moment: Moment) -> dict[str, Any]:
    """One answer as `vidembed search --json` prints it, but with `file` in place of `path`.

    The name alone for people elsewhere; gradio's clients would try to download whatever has a `path`.
    """
    plain = moment.to_dict()
    del plain["path"]
    return {"file": site.shown(moment.path), **plain}


def written(
    site: Site, answer: SearchAnswer, kind: str, only: Sequence[int] = (), *, progress: Progress | None = None
) -> bytes:
    """The answer as a file.

    Args:
        site: Whose answer it is.
        answer: The search.
        kind: One of FORMATS.
        only: Places of the moments that were chosen; none = all.
        progress: Called while moments are cut.

    Raises:
        InputError: An unknown kind or place, or too much to cut.
    """
    if kind not in FORMATS or not all(0 <= place < len(answer.moments) for place in only):
        raise InputError("no such export", hint=f"one of: {', '.join(FORMATS)}")
    moments = [answer.moments[place] for place in only] if only else list(answer.moments)
    if kind in get_args(ExportKind):
        shown = site.settings.show_paths
        return site.index.export(moments, cast("ExportKind", kind), title=answer.name, show_paths=shown)
    if len(moments) > _MAX_CUT:
        raise InputError(f"at most {_MAX_CUT} moments are cut at once, these are {len(moments)}", hint="select fewer")
    tell = progress or (lambda done, total: None)

    def cut_so_far(done: int) -> None:
        tell(done, len(moments))

    cut_so_far(0)
    return _reel(site, moments, cut_so_far) if kind == "mp4" else _zip(site, answer, moments, cut_so_far)


def _zip(site: Site, answer: SearchAnswer, moments: Sequence[Moment], progress: Callable[[int], object]) -> bytes:
    """Every moment cut to the frame, as MP4, with the JSON beside."""
    from vidembed.media.editing.cut import cut

    out = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="vidembed-cut-") as folder, zipfile.ZipFile(out, "w") as archive:
        for number, moment in enumerate(moments, start=1):
            name = safe_name(f"{number:02d}_{unsigned(moment.path).stem}_{moment.span.start_s:.1f}s.mp4")
            made = cut(site.media.original(moment.video_id), _bounded(moment.span), Path(folder) / name, exact=True,
                       timeout_s=_CUT_TIMEOUT_S)  # fmt: skip
            archive.write(made.path, name)
            made.path.unlink()
            progress(number)
        shown = site.settings.show_paths
        archive.writestr("moments.json", site.index.export(moments, "json", title=answer.name, show_paths=shown))
    return out.getvalue()


def _reel(site: Site, moments: Sequence[Moment], progress: Callable[[int], object]) -> bytes:
    from vidembed.media.editing.cut import reel

    pieces = [(site.media.original(moment.video_id), _bounded(moment.span)) for moment in moments]
    with tempfile.TemporaryDirectory(prefix="vidembed-reel-") as folder:
        return reel(pieces, Path(folder) / "reel.mp4", timeout_s=_CUT_TIMEOUT_S, progress=progress).read_bytes()


def _bounded(span: Span) -> Span:
    return Span(span.start_s, min(span.end_s, span.start_s + _MAX_CLIP_S))
