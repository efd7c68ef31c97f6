"""An answer as a file: JSON, CSV, an edit list for video editors, or the cut clips themselves."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from vidembed.errors import InputError
from vidembed.types import Moment, Span, VideoInfo
from vidembed.web.intake import safe_name

if TYPE_CHECKING:
    from vidembed.web.site import Answer, Site

FORMATS = {
    "json": "JSON",
    "csv": "CSV (spreadsheet)",
    "edl": "EDL (CMX 3600)",
    "fcpxml": "FCPXML (Final Cut, Resolve)",
    "zip": "Cut clips (zip)",
}
CSV_FIELDS = ("file", "start_s", "end_s", "best_s", "confidence", "score", "caption", "clip_id", "video_id")
_MAX_CUT = 30  # clips in one zip
_MAX_CLIP_S = 600.0
_DEFAULT_FPS = Fraction(25)


def record(site: Site, moment: Moment) -> dict[str, Any]:
    """One answer as `vidembed search --json` prints it, but with `file` in place of `path`.

    The name alone for people elsewhere; gradio's clients would try to download whatever has a `path`.
    """
    plain = moment.record()
    del plain["path"]
    return {"file": site.shown(moment.path), **plain}


def as_json(site: Site, answer: Answer) -> bytes:
    """The answer as JSON: the query and one record per moment."""
    body = {"query": answer.name, "moments": [record(site, moment) for moment in answer.moments]}
    return json.dumps(body, ensure_ascii=False, indent=2, allow_nan=False).encode()


def as_csv(site: Site, answer: Answer) -> bytes:
    """The answer as a table, UTF-8 with a byte order mark, so that spreadsheets read it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(CSV_FIELDS)
    for moment in answer.moments:
        row = record(site, moment)
        writer.writerow([_cell(row.get(name, "")) for name in CSV_FIELDS])
    return out.getvalue().encode("utf-8-sig")  # so that spreadsheets read it as UTF-8


def _cell(value: Any) -> Any:
    # A spreadsheet runs cells that start like a formula; a leading quote makes it text (OWASP, CSV injection).
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value


def timecode(seconds: float, fps: Fraction) -> str:
    """`hh:mm:ss:ff`, non-drop, at the nearest whole frame rate (29.97 counts 30 a second, as editors do)."""
    rate = round(fps)
    frames = round(seconds * fps)
    whole, frame = divmod(frames, rate)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}:{frame:02d}"


def as_edl(site: Site, answer: Answer) -> bytes:
    """CMX 3600: all moments one after the other; the tape name is AX, the file's name follows in a comment."""
    infos = _infos(site, answer.moments)
    lines = [f"TITLE: {_one_line(answer.name)[:60]}", "FCM: NON-DROP FRAME", ""]
    at = Fraction(0)  # frames of the record side
    record_fps = next((_fps(infos.get(moment.video_id)) for moment in answer.moments), _DEFAULT_FPS)
    for number, moment in enumerate(answer.moments, start=1):
        fps = _fps(infos.get(moment.video_id))
        info = infos.get(moment.video_id)
        track = "AA/V" if info is None or (info.has_video and info.has_audio) else "V" if info.has_video else "AA"
        length = max(1, round(moment.span.duration_s * record_fps))
        source = f"{timecode(moment.span.start_s, fps)} {timecode(moment.span.end_s, fps)}"
        begin, end = (timecode(float(frame / record_fps), record_fps) for frame in (at, at + length))
        lines += [
            f"{number:03d}  AX       {track:<5} C        {source} {begin} {end}",
            f"* FROM CLIP NAME: {_one_line(moment.path.name)}",
            f"* CONFIDENCE: {moment.confidence:.0%}",
            "",
        ]
        at += length
    return "\r\n".join(lines).encode("utf-8")


def as_fcpxml(site: Site, answer: Answer) -> bytes:
    """FCPXML 1.9: one sequence of the moments. The files are named by whole path only for people on this machine."""
    infos = _infos(site, answer.moments)
    root = ElementTree.Element("fcpxml", version="1.9")
    resources = ElementTree.SubElement(root, "resources")
    rate = next((_fps(infos.get(moment.video_id)) for moment in answer.moments), _DEFAULT_FPS)
    ElementTree.SubElement(
        resources, "format", id="r0", name="FFVideoFormatRateUndefined", frameDuration=_time(1 / rate)
    )
    assets: dict[str, str] = {}
    for moment in answer.moments:
        if moment.video_id in assets:
            continue
        assets[moment.video_id] = asset_id = f"r{len(assets) + 1}"
        info = infos.get(moment.video_id)
        asset = ElementTree.SubElement(
            resources, "asset", id=asset_id, name=moment.path.name, start="0s",
            duration=_time(Fraction(info.duration_s if info else moment.span.end_s).limit_denominator(90000)),
            hasVideo="1" if info is None or info.has_video else "0",
            hasAudio="1" if info is not None and info.has_audio else "0",
            format="r0",
        )  # fmt: skip
        source = moment.path.absolute().as_uri() if site.settings.show_paths else f"./{moment.path.name}"
        ElementTree.SubElement(asset, "media-rep", kind="original-media", src=source)
    event = ElementTree.SubElement(ElementTree.SubElement(root, "library"), "event", name="vidembed")
    project = ElementTree.SubElement(event, "project", name=_one_line(answer.name)[:80])
    sequence = ElementTree.SubElement(project, "sequence", format="r0")
    spine = ElementTree.SubElement(sequence, "spine")
    at = Fraction(0)
    for moment in answer.moments:
        start = Fraction(round(moment.span.start_s * rate)) / rate
        length = Fraction(max(1, round(moment.span.duration_s * rate))) / rate
        ElementTree.SubElement(
            spine, "asset-clip", ref=assets[moment.video_id], name=moment.path.name, offset=_time(at),
            start=_time(start), duration=_time(length),
        )  # fmt: skip
        at += length
    ElementTree.indent(root)
    head = b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n'
    return head + ElementTree.tostring(root, encoding="utf-8")


def as_zip(site: Site, answer: Answer) -> bytes:
    """Every moment cut to the frame, as MP4, with the JSON beside. Raises InputError where there is too much."""
    from vidembed.media.editing.cut import cut

    if len(answer.moments) > _MAX_CUT:
        raise InputError(f"at most {_MAX_CUT} moments are cut at once, these are {len(answer.moments)}")
    out = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="vidembed-cut-") as folder, zipfile.ZipFile(out, "w") as archive:
        for number, moment in enumerate(answer.moments, start=1):
            span = Span(moment.span.start_s, min(moment.span.end_s, moment.span.start_s + _MAX_CLIP_S))
            name = safe_name(f"{number:02d}_{moment.path.stem}_{span.start_s:.1f}s.mp4")
            made = cut(site.media.original(moment.video_id), span, Path(folder) / name, exact=True, timeout_s=300)
            archive.write(made.path, name)
            made.path.unlink()
        archive.writestr("moments.json", as_json(site, answer))
    return out.getvalue()


WRITERS: dict[str, tuple[Callable[[Site, Answer], bytes], str]] = {
    "json": (as_json, "application/json"),
    "csv": (as_csv, "text/csv; charset=utf-8"),
    "edl": (as_edl, "text/plain; charset=utf-8"),
    "fcpxml": (as_fcpxml, "application/xml"),
    "zip": (as_zip, "application/zip"),
}


def _infos(site: Site, moments: Sequence[Moment]) -> dict[str, VideoInfo]:
    rows = {video_id: site.index.catalog.videos.get(video_id) for video_id in {m.video_id for m in moments}}
    return {video_id: row.info for video_id, row in rows.items() if row is not None}


def _fps(info: VideoInfo | None) -> Fraction:
    return info.fps if info is not None and info.fps >= 1 else _DEFAULT_FPS


def _time(value: Fraction | float) -> str:
    exact = Fraction(value)
    return f"{exact.numerator}/{exact.denominator}s" if exact.denominator != 1 else f"{exact.numerator}s"


def _one_line(text: str) -> str:
    return "".join(ch if ch.isprintable() else " " for ch in text)
