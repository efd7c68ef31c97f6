"""Filters by which the ffmpeg program shows what players show: edges cut off, nothing in empty edits, HDR mapped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidembed.media.reading.probe import Headers
from vidembed.media.reading.scaling import Geometry, lut
from vidembed.types import Span

# From BT.2020 to BT.709 by the table that indexing's tone mapping was written to.
_LUT = "to_sdr.cube"
_TO_SDR = (
    "scale=in_color_matrix=bt2020:flags=bicubic+accurate_rnd+full_chroma_int,format=rgb48le,"
    f"lut3d=file={_LUT}:interp=tetrahedral,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,"
    "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
)
_SAME_ASPECT = 0.02  # Matroska rounds the shape of pixels
_BEYOND_S = 1.0  # a copy may hold some pictures that are shown after its end


def hides(headers: Headers, span: Span) -> bool:
    """Whether an edit list leaves a part of what a copy of the span holds empty, where FFmpeg shows other pictures."""
    held = Span(span.start_s, span.end_s + _BEYOND_S)
    return any(hidden.overlap_s(held) > 0 for spans in headers.hidden.values() for hidden in spans)


def same_view(made: Headers, source: Headers) -> bool:
    """Whether pictures are turned, mirrored, shaped and cut off alike: not every container can say so."""
    one, other = made.geometry, source.geometry
    if one is None or other is None:
        return True
    alike = (one.turns, one.mirrored, one.hidden_px) == (other.turns, other.mirrored, other.hidden_px)
    return alike and abs(one.sample_aspect / other.sample_aspect - 1) < _SAME_ASPECT


def picture_filters(headers: Headers, zero_s: float, folder: Path) -> tuple[list[str], list[str]]:
    """What comes first and what comes last; files that they need are written to a folder.

    zero_s: The time in the video at which the filters count from 0.
    """
    first, last = [], []
    if headers.geometry is not None and any(headers.geometry.hidden_px):
        first.append(_crop(headers.geometry))
    if headers.transfer is not None:
        (folder / _LUT).write_text(lut(headers.transfer), encoding="ascii")
        first.append(_TO_SDR)
    spans = headers.hidden.get(-1 if headers.video_index is None else headers.video_index, ())
    if spans:  # at a steady rate, or the picture before would stand
        last += ["fps=source_fps", f"drawbox=c=black:t=fill:enable='{_within(spans, zero_s)}'"]
    return first, last


def sound_filters(headers: Headers, zero_s: float) -> list[str]:
    """As `picture_filters`, all last."""
    spans = [span for index in headers.audio_indices for span in headers.hidden.get(index, ())]
    return ["aresample=async=1", f"volume=0:enable='{_within(spans, zero_s)}'"] if spans else []


def _within(spans: Sequence[Span], zero_s: float) -> str:
    """An expression: whether t lies in one of them."""
    return "+".join(f"gte(t,{span.start_s - zero_s:.6f})*lt(t,{span.end_s - zero_s:.6f})" for span in spans)


def _crop(geometry: Geometry) -> str:
    """Cuts the edges off where the program has not done it: it does so since version 8, before it turns the picture."""
    left, top, right, bottom = geometry.hidden_px
    whole = [geometry.coded_width_px + left + right, geometry.coded_height_px + top + bottom]
    if geometry.mirrored:
        left, right = right, left
    for _ in range(geometry.turns):
        left, top, right, bottom = top, right, bottom, left
    width, height = reversed(whole) if geometry.turns % 2 else whole
    values = {"w": (width - left - right, "iw"), "h": (height - top - bottom, "ih"), "x": (left, "0"), "y": (top, "0")}
    whole_still = f"eq(iw,{width})*eq(ih,{height})"
    return "crop=" + ":".join(f"{name}='if({whole_still},{at},{as_is})'" for name, (at, as_is) in values.items())
