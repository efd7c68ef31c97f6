"""Captioned videos: MSR-VTT, MSVD, VATEX. Each caption asks for its video as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from vidembed.errors import InputError
from vidembed.evaluation.annotations import Record, csv_records, json_records, line_records
from vidembed.evaluation.dataset import Answer, DataSet, EvalQuery, MediaFolder, unique


def captioned(
    pairs: Iterable[tuple[str, str]],
    media: MediaFolder,
    *,
    names: Callable[[str], tuple[str, ...]] = lambda key: (key,),
    lane: str | None = "vision",
) -> DataSet:
    """A data set in which each (key, caption) is a query. names: the file names under which a key may lie."""
    files: dict[str, Path | None] = {}
    texts: dict[str, list[str]] = {}
    queries = []
    for key, text in pairs:
        if key not in files:
            files[key] = media.find(*names(key))
        own = texts.setdefault(key, [])
        queries.append(EvalQuery(f"{key}#{len(own)}", "text", text, (Answer(key),), lane))
        own.append(text)
    return DataSet("", "", tuple(queries), files, {key: tuple(found) for key, found in texts.items()})


def msrvtt(file: Path, media: MediaFolder, split: str) -> DataSet:
    """1k-A: CSV with video_id and sentence. full: JSON with `videos` (video_id, split) and `sentences`."""
    if split == "1k-A":
        if file.suffix != ".csv":
            raise InputError(f"{file} is not the CSV file of the 1k-A split", hint="MSRVTT_JSFUSION_test.csv")
        return captioned(_one_each(csv_records(file)), media)
    seen: dict[str, None] = {}
    splits: dict[str, str] = {}
    for record in json_records(file, "videos"):
        key = record.key("video_id")
        unique(key, seen, record, "video_id")
        splits[key] = record.text("split") if "split" in record else "test"

    def pairs() -> Iterable[tuple[str, str]]:
        sentences: dict[str, None] = {}
        for record in json_records(file, "sentences"):
            key = record.key("video_id")
            if key not in splits:
                raise record.wrong(f"unknown video {key!r}: it is not among `videos`")
            if "sen_id" in record:
                unique(record.key("sen_id"), sentences, record, "sen_id")
            if splits[key] == "test":
                yield key, record.text("caption")

    return captioned(pairs(), media)


def _one_each(records: Iterable[Record]) -> Iterable[tuple[str, str]]:
    seen: dict[str, None] = {}
    for record in records:
        key = record.key("video_id")
        unique(key, seen, record, "video_id")
        yield key, record.text("sentence")


def msvd(file: Path, media: MediaFolder, split: str) -> DataSet:
    """Lines "<video id> <caption>"; which videos are in a split says <split>_list.txt beside the file."""
    wanted: dict[str, None] | None = None
    if split != "all":
        wanted = {}
        for record in line_records(file.with_name(f"{split}_list.txt"), lambda line: {"video": line.strip()}):
            unique(record.text("video"), wanted, record, "video")
    found: list[tuple[str, str]] = []
    known: set[str] = set()
    for record in line_records(file, _msvd_line):
        key = record.text("video")
        known.add(key)
        if wanted is None or key in wanted:
            found.append((key, record.text("caption")))
    unknown = [key for key in wanted or () if key not in known]
    if unknown:
        raise InputError(f"{split}_list.txt names unknown videos, not in {file.name}: {', '.join(unknown[:5])}")
    return captioned(found, media)


def _msvd_line(line: str) -> dict[str, str] | None:
    key, _, caption = line.strip().partition(" ")
    return {"video": key, "caption": caption} if caption.strip() else None


def vatex(file: Path, media: MediaFolder, split: str) -> DataSet:
    """A JSON list of {videoID, enCap, chCap}; a file is "<videoID>.mp4" or "<YouTube id>.mp4"."""
    field = {"en": "enCap", "zh": "chCap"}[split]
    seen: dict[str, None] = {}
    pairs: list[tuple[str, str]] = []
    for record in json_records(file):
        key = record.key("videoID")
        unique(key, seen, record, "videoID")
        for caption in record.list(field):
            if not isinstance(caption, str) or not caption.strip():
                raise record.wrong(f"a caption of {key!r} is not text: {caption!r}")
            pairs.append((key, " ".join(caption.split())))
    # "<11 letters>_<start>_<end>", the ids of YouTube have 11.
    return captioned(pairs, media, names=lambda key: (key, key[:11]))
