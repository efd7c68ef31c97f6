"""Moments as files for video editors and spreadsheets: EDL (CMX 3600), FCPXML, OpenTimelineIO, CSV, JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

from vidembed.media.editing.cuts import Cut, rate_of
from vidembed.media.editing.timecode import can_drop, label
from vidembed.tables import safe_cell

CSV_FIELDS = ("file", "start_s", "end_s", "best_s", "confidence", "score", "caption", "clip_id", "video_id")
_MAX_TITLE = 70  # characters
_DROP, _NON_DROP = "FCM: DROP FRAME", "FCM: NON-DROP FRAME"


def edl(title: str, cuts: Sequence[Cut]) -> bytes:
    """CMX 3600: all cuts one after the other, in frames of one rate; source times by the files' own timecode."""
    rate = rate_of(cuts)
    drop = can_drop(rate) and all(cut.drops(rate) for cut in cuts)
    lines = [f"TITLE: {one_line(title)[:_MAX_TITLE]}", _DROP if drop else _NON_DROP, ""]
    at = 0
    for number, cut in enumerate(cuts, start=1):
        track = "V" if not cut.has_audio else "AA/V" if cut.has_video else "AA"
        first, length = cut.frames(rate)
        first += cut.begins(rate)
        source = " ".join(label(frame, rate, drop=cut.drops(rate)) for frame in (first, first + length))
        record = " ".join(label(frame, rate, drop=drop) for frame in (at, at + length))
        lines += [
            f"{number:03d}  {cut.reel:<8} {track:<5} C        {source} {record}",
            f"* FROM CLIP NAME: {one_line(cut.name)}",
            f"* CONFIDENCE: {cut.moment.confidence:.0%}",
            "",
        ]
        at += length
    return "\r\n".join(lines).encode()


def fcpxml(title: str, cuts: Sequence[Cut]) -> bytes:
    """FCPXML 1.9: one sequence of the cuts, one format for each rate and size, times in whole frames."""
    root = ElementTree.Element("fcpxml", version="1.9")
    resources = ElementTree.SubElement(root, "resources")
    rate = rate_of(cuts)
    formats: dict[tuple[Fraction, tuple[int, int]], str] = {}

    def format_of(rate: Fraction, size_px: tuple[int, int]) -> str:
        if (rate, size_px) not in formats:
            name = formats[rate, size_px] = f"f{len(formats)}"
            ElementTree.SubElement(resources, "format", id=name, frameDuration=_time(1 / rate),
                                   width=str(size_px[0]), height=str(size_px[1]))  # fmt: skip
        return formats[rate, size_px]

    size_px = next((cut.size_px for cut in cuts if cut.has_video), (1920, 1080))
    main = format_of(rate, size_px)
    assets: dict[str, str] = {}
    for cut in cuts:
        if cut.url not in assets:
            assets[cut.url] = name = f"r{len(assets)}"
            own = format_of(cut.rate, cut.size_px) if cut.has_video else main
            asset = ElementTree.SubElement(
                resources, "asset", id=name, name=cut.name, start=_time(Fraction(cut.begins(cut.rate)) / cut.rate),
                duration=_time(_asset_duration(cut, cuts, rate)), hasVideo=str(int(cut.has_video)),
                hasAudio=str(int(cut.has_audio)), format=own,
            )  # fmt: skip
            ElementTree.SubElement(asset, "media-rep", kind="original-media", src=cut.url)
    event = ElementTree.SubElement(ElementTree.SubElement(root, "library"), "event", name="vidembed")
    project = ElementTree.SubElement(event, "project", name=one_line(title)[:_MAX_TITLE])
    counting = "DF" if can_drop(rate) and all(cut.drops(rate) for cut in cuts) else "NDF"
    sequence = ElementTree.SubElement(project, "sequence", format=main, tcFormat=counting)
    spine = ElementTree.SubElement(sequence, "spine")
    at = 0
    for cut in cuts:
        length = cut.frames(rate)[1]
        clip = ElementTree.SubElement(
            spine, "asset-clip", ref=assets[cut.url], name=cut.name, offset=_time(at / rate), start=_time(_start(cut)),
            duration=_time(length / rate), tcFormat="DF" if cut.drops(cut.rate) else "NDF",
        )  # fmt: skip
        ElementTree.SubElement(clip, "marker", start=_time(_best(cut)), duration=_time(1 / cut.rate), value=_said(cut))
        at += length
    ElementTree.indent(root)
    head = b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n'
    return head + ElementTree.tostring(root, encoding="utf-8")


def otio(title: str, cuts: Sequence[Cut]) -> bytes:
    """OpenTimelineIO's JSON: a track of pictures and one of sound, with a marker at each moment's best frame."""
    tracks = []
    for kind, chosen in (("Video", [cut.has_video for cut in cuts]), ("Audio", [cut.has_audio for cut in cuts])):
        if any(chosen):
            items = [_otio_clip(cut) if has else _otio_gap(cut) for cut, has in zip(cuts, chosen, strict=True)]
            tracks.append({"OTIO_SCHEMA": "Track.1", "name": kind, "kind": kind, "children": items})
    stack = {"OTIO_SCHEMA": "Stack.1", "name": "tracks", "children": tracks}
    timeline = {"OTIO_SCHEMA": "Timeline.1", "name": one_line(title)[:_MAX_TITLE], "tracks": stack}
    return json.dumps(timeline, ensure_ascii=False, indent=2).encode()


def table(title: str, records: Sequence[Mapping[str, Any]]) -> bytes:
    """CSV, UTF-8 with a byte order mark, so that spreadsheets read it. The title is not in it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(CSV_FIELDS)
    for record in records:
        writer.writerow([safe_cell(record.get(name, "")) for name in CSV_FIELDS])
    return out.getvalue().encode("utf-8-sig")


def plain_json(title: str, records: Sequence[Mapping[str, Any]]) -> bytes:
    """JSON: what was asked, and one record a moment."""
    body = {"query": title, "moments": list(records)}
    return json.dumps(body, ensure_ascii=False, indent=2, allow_nan=False).encode()


EDIT_LISTS: dict[str, Callable[[str, Sequence[Cut]], bytes]] = {"edl": edl, "fcpxml": fcpxml, "otio": otio}
TABLES: dict[str, Callable[[str, Sequence[Mapping[str, Any]]], bytes]] = {"csv": table, "json": plain_json}


def one_line(text: str) -> str:
    """Without what would begin a new line."""
    return "".join(ch if ch.isprintable() else " " for ch in text)


def _said(cut: Cut) -> str:
    caption = f" {cut.moment.caption}" if cut.moment.caption else ""
    return one_line(f"{cut.moment.confidence:.0%}{caption}")


# -- FCPXML: seconds as fractions --------------------------------------------------------------------------------------


def _time(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}s" if value.denominator != 1 else f"{value.numerator}s"


def _start(cut: Cut) -> Fraction:
    """The cut's first frame in the file's own timecode, in seconds."""
    return (cut.begins(cut.rate) + cut.frames(cut.rate)[0]) / cut.rate


def _best(cut: Cut) -> Fraction:
    """The same of its best frame."""
    first, length = cut.frames(cut.rate)
    best = min(max(math.floor(cut.moment.best_s * cut.rate), first), first + length - 1)
    return (cut.begins(cut.rate) + best) / cut.rate


def _asset_duration(cut: Cut, cuts: Sequence[Cut], rate: Fraction) -> Fraction:
    """In whole frames of the file; never less than what its cuts use."""
    own = [other for other in cuts if other.url == cut.url]
    used = max(_start(other) - _start(cut) + cut.frames(cut.rate)[0] / cut.rate + other.frames(rate)[1] / rate
               for other in own)  # fmt: skip
    return math.ceil(max(Fraction(round(cut.duration_s * cut.rate)), used * cut.rate)) / cut.rate


# -- OpenTimelineIO ----------------------------------------------------------------------------------------------------


def _otio_time(frames: int, rate: Fraction) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(rate), "value": float(frames)}


def _otio_range(first: int, length: int, rate: Fraction) -> dict[str, Any]:
    times = {"start_time": _otio_time(first, rate), "duration": _otio_time(length, rate)}
    return {"OTIO_SCHEMA": "TimeRange.1", **times}


def _otio_gap(cut: Cut) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "Gap.1", "source_range": _otio_range(0, cut.frames(cut.rate)[1], cut.rate)}


def _otio_clip(cut: Cut) -> dict[str, Any]:
    begins, (first, length) = cut.begins(cut.rate), cut.frames(cut.rate)
    whole = max(round(cut.duration_s * cut.rate), first + length)
    media = {"OTIO_SCHEMA": "ExternalReference.1", "target_url": cut.url, "name": cut.name,
             "available_range": _otio_range(begins, whole, cut.rate)}  # fmt: skip
    marker = {"OTIO_SCHEMA": "Marker.2", "name": _said(cut), "color": "GREEN",
              "marked_range": _otio_range(int(_best(cut) * cut.rate), 1, cut.rate)}  # fmt: skip
    moment = cut.moment
    found = {"confidence": round(moment.confidence, 4), "clip_id": moment.clip_id, "video_id": moment.video_id}
    return {
        "OTIO_SCHEMA": "Clip.2", "name": cut.name, "source_range": _otio_range(begins + first, length, cut.rate),
        "media_references": {"DEFAULT_MEDIA": media}, "active_media_reference_key": "DEFAULT_MEDIA",
        "markers": [marker], "metadata": {"vidembed": found},
    }  # fmt: skip
