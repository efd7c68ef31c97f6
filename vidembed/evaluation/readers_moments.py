"""Moments in videos: DiDeMo, ActivityNet Captions, LongVALE, QVHighlights, Charades-STA, TVR, MomentSeeker.

Each text, or a text with a picture or clip, asks for its spans.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidembed.evaluation.annotations import (
    Annotation,
    BrokenSpan,
    json_records,
    jsonl_records,
    line_records,
    read_json,
)
from vidembed.evaluation.dataset import Answer, DataSet, EvalQuery, MediaFolder, bare_name, unique
from vidembed.evaluation.readers_captions import captioned
from vidembed.types import Span


class Described(NamedTuple):
    """A text for spans of a video, or what is wrong with them."""

    video: str
    text: str
    spans: tuple[Span, ...] | BrokenSpan
    query_id: str
    channel: str | None = "vision"
    saliency: NDArray[np.float64] | None = None
    segments: tuple[tuple[int, int], ...] = ()
    example: Path | None = None


def _names(video: str) -> tuple[str, ...]:
    """As what a video may lie in the folder: ActivityNet's files have the "v_" of its ids, or not."""
    return (video, video.removeprefix("v_"))


def described(moments: Iterable[Described], media: MediaFolder) -> DataSet:
    """A data set in which each text asks for its spans; texts whose spans are broken are left out and listed."""
    files: dict[str, Path | None] = {}
    queries = []
    broken = []
    for m in moments:
        if isinstance(m.spans, BrokenSpan):
            broken.append(m.spans.message)
            continue
        if m.video not in files:
            files[m.video] = media.find(*_names(m.video))
        answers = (Answer(m.video, m.spans),)
        asked = EvalQuery(m.query_id, "text", m.text, answers, m.channel, m.saliency, m.segments, example=m.example)
        queries.append(asked)
    return DataSet("", "", tuple(queries), files, broken=tuple(broken))


def paragraphs(moments: Iterable[Described], media: MediaFolder) -> DataSet:
    """All texts of a video, in the order of the file, as one query for the whole video."""
    texts: dict[str, list[str]] = {}
    for m in moments:
        texts.setdefault(m.video, []).append(m.text)
    return captioned(((video, " ".join(parts)) for video, parts in texts.items()), media, names=_names)


def _spans(record: Annotation, pairs: Iterable[Any]) -> tuple[Span, ...] | BrokenSpan:
    try:
        return tuple(record.pair(pair) for pair in pairs)
    except BrokenSpan as error:
        return error


def didemo(file: Path, media: MediaFolder, split: str) -> DataSet:
    """A JSON list of {video, description, times, annotation_id}; times are first and last of 5-second segments.

    The official files name one video with several endings (x.mov and x.mp4, x and "x."): it is one video here.
    """

    def moments() -> Iterable[Described]:
        seen: dict[str, None] = {}
        for i, record in enumerate(json_records(file)):
            query_id = record.key("annotation_id") if "annotation_id" in record else str(i)
            unique(query_id, seen, record, "annotation_id")
            times = [_segments(pair, record) for pair in record.list("times")]
            if not times:
                raise record.wrong("times is empty")
            reversed_one = next((pair for pair in times if pair[1] < pair[0]), None)
            # What most annotators chose; the earlier and shorter of equals.
            first, last = min(times, key=lambda pair: (-times.count(pair), pair))
            yield Described(
                bare_name(record.key("video")),
                record.text("description"),
                record.broken(f"a span of segments ends before it starts: {list(reversed_one)}")
                if reversed_one
                else (Span(first * 5.0, last * 5.0 + 5.0),),
                query_id,
                segments=tuple(times),
            )

    return paragraphs(moments(), media) if split == "paragraph" else described(moments(), media)


def _segments(pair: Any, record: Annotation) -> tuple[int, int]:
    whole = isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) and 0 <= n <= 5 for n in pair)
    if not whole:
        raise record.wrong(f"times are pairs of segment numbers from 0 to 5, got {str(pair)[:40]!r}")
    return pair[0], pair[1]


def activitynet(file: Path, media: MediaFolder, split: str) -> DataSet:
    """A JSON object: video id -> {duration, timestamps, sentences}; files with or without the ids' "v_"."""
    moments = _timed_sentences(file, "vision")
    return paragraphs(moments, media) if split == "paragraph" else described(moments, media)


def longvale(file: Path, media: MediaFolder, split: str) -> DataSet:
    """As ActivityNet Captions; each sentence tells what is seen, heard and said together."""
    return described(_timed_sentences(file, None), media)


def _timed_sentences(file: Path, channel: str | None) -> Iterable[Described]:
    data, record_at = read_json(file)
    for key in record_at(data, ()).fields:
        record = record_at(data[key], (key,))
        texts = record.list("sentences")
        spans = record.list("timestamps", length=len(texts))
        for i, (text, pair) in enumerate(zip(texts, spans)):
            if not isinstance(text, str) or not text.strip():
                raise record.wrong(f"sentence {i} of {key!r} is not text: {text!r}")
            yield Described(key, " ".join(text.split()), _spans(record, [pair]), f"{key}#{i}", channel)


def qvhighlights(file: Path, media: MediaFolder, split: str) -> DataSet:
    """JSONL: {qid, query, vid, duration, relevant_windows, relevant_clip_ids, saliency_scores}."""

    def moments() -> Iterable[Described]:
        seen: dict[str, None] = {}
        for record in jsonl_records(file):
            query_id = record.key("qid")
            unique(query_id, seen, record, "qid")
            windows = record.list("relevant_windows")
            if not windows:
                raise record.wrong("relevant_windows is empty", hint="the test split has no truth; use the val file")
            spans, saliency = _spans(record, windows), _saliency(record)
            yield Described(record.key("vid"), record.text("query"), spans, query_id, "vision", saliency)

    return described(moments(), media)


def _saliency(record: Annotation) -> NDArray[np.float64] | None:
    """(clips, 3) ratings of all whole 2-second clips of the video, 0 where nobody marked one."""
    if "saliency_scores" not in record:
        return None
    ids = record.list("relevant_clip_ids")
    scores = record.list("saliency_scores", length=len(ids))
    clips = int(record.number("duration") / 2)
    table = np.zeros((clips, 3))
    for i, rated in zip(ids, scores):
        if not isinstance(i, int) or not 0 <= i < clips:
            raise record.wrong(f"clip {i!r} is not one of the video's {clips} clips")
        if not isinstance(rated, list) or len(rated) != 3:
            raise record.wrong(f"saliency_scores has three ratings a clip, got {str(rated)[:40]!r}")
        table[i] = [record.as_number(value, "saliency_scores") for value in rated]
    return table


def charades(file: Path, media: MediaFolder, split: str) -> DataSet:
    """Lines "<video id> <start> <end>##<sentence>"."""

    def moments() -> Iterable[Described]:
        for i, record in enumerate(line_records(file, _charades_line)):
            spans = _spans(record, [(record.fields["start"], record.fields["end"])])
            yield Described(record.key("video"), record.text("text"), spans, str(i))

    return described(moments(), media)


def _charades_line(line: str) -> dict[str, str] | None:
    head, mark, text = line.partition("##")
    parts = head.split()
    return dict(zip(("video", "start", "end", "text"), (*parts, text))) if mark and len(parts) == 3 else None


def tvr(file: Path, media: MediaFolder, split: str) -> DataSet:
    """JSONL: {desc_id, desc, vid_name, duration, ts: [start, end], type: "v", "t" or "vt"}."""
    channels = {"v": "vision", "t": "speech", "vt": "vision+speech"}

    def moments() -> Iterable[Described]:
        seen: dict[str, None] = {}
        for i, record in enumerate(jsonl_records(file)):
            query_id = record.key("desc_id") if "desc_id" in record else str(i)
            unique(query_id, seen, record, "desc_id")
            channel = channels.get(record.text("type")) if "type" in record else None
            spans = _spans(record, [record.get("ts")])
            yield Described(record.key("vid_name"), record.text("desc"), spans, query_id, channel)

    return described(moments(), media)


def momentseeker(file: Path, media: MediaFolder, split: str) -> DataSet:
    """A JSON list of {src_video_path, qry_text, qry_img_path, qry_video_path, answering_time_interval, task}.

    The paths of the picture or clip that goes with a text are looked for in the folder of media; a text whose picture
    is not there is left out and listed.
    """

    def moments() -> Iterable[Described]:
        for i, record in enumerate(json_records(file)):
            video = Path(record.text("src_video_path")).stem
            text = record.text("qry_text").replace("<image>", "").replace("<video>", "").strip()
            spans = _spans(record, record.list("answering_time_interval"))
            if not spans:
                spans = record.broken("answering_time_interval is empty")
            shown = next((record.text(name) for name in ("qry_img_path", "qry_video_path") if name in record), None)
            example = media.find(Path(shown).as_posix(), Path(shown).name) if shown else None
            if shown and example is None:
                spans = record.broken(f"its example {shown} is not in the folder of media")
            yield Described(video, text, spans, str(i), "vision", example=example)

    return described(moments(), media)
