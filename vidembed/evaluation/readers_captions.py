"""Captioned videos: MSR-VTT, MSVD, VATEX. Each caption asks for its video as a whole.

Captioned sounds and pictures: AudioCaps, Clotho, Flickr8k and 30k, COCO. Videos judged for queries: MultiVENT 2.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from vidembed.errors import InputError
from vidembed.evaluation.annotations import (
    Annotation,
    csv_records,
    json_records,
    jsonl_records,
    line_records,
    read_json,
)
from vidembed.evaluation.dataset import Answer, DataSet, EvalQuery, MediaFolder, unique


def captioned(
    pairs: Iterable[tuple[str, str]],
    media: MediaFolder,
    *,
    names: Callable[[str], tuple[str, ...]] = lambda key: (key,),
    channel: str | None = "vision",
) -> DataSet:
    """A data set in which each (key, caption) is a query. names: the file names under which a key may lie."""
    files: dict[str, Path | None] = {}
    texts: dict[str, list[str]] = {}
    queries = []
    for key, text in pairs:
        if key not in files:
            files[key] = media.find(*names(key))
        own = texts.setdefault(key, [])
        queries.append(EvalQuery(f"{key}#{len(own)}", "text", text, (Answer(key),), channel))
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


def _one_each(records: Iterable[Annotation]) -> Iterable[tuple[str, str]]:
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


def audiocaps(file: Path, media: MediaFolder, split: str) -> DataSet:
    """CSV: audiocap_id, youtube_id, start_time, caption. A file is named by YouTube id, with "Y" or start, or by id."""
    names: dict[str, tuple[str, ...]] = {}
    pairs: list[tuple[str, str]] = []
    seen: dict[str, None] = {}
    for record in csv_records(file):
        unique(record.key("audiocap_id"), seen, record, "audiocap_id")
        video, start = record.key("youtube_id"), int(record.number("start_time"))
        key = f"{video}_{start}"  # the captions of one clip in test and val have ids of their own
        names.setdefault(key, (video, f"Y{video}", key, f"{video}_{start * 1000}", record.key("audiocap_id")))
        pairs.append((key, record.text("caption")))
    return captioned(pairs, media, names=lambda key: names[key], channel="audio")


def clotho(file: Path, media: MediaFolder, split: str) -> DataSet:
    """CSV: file_name, caption_1 to caption_5."""
    pairs: list[tuple[str, str]] = []
    seen: dict[str, None] = {}
    for record in csv_records(file):
        key = record.key("file_name")
        unique(key, seen, record, "file_name")
        pairs.extend((key, record.text(f"caption_{i}")) for i in range(1, 6))
    return captioned(pairs, media, channel="audio")


def flickr(file: Path, media: MediaFolder, split: str) -> DataSet:
    """Karpathy's JSON (with splits), "<image>#<n> TAB <caption>" lines, or CSV with image and caption columns."""
    if file.suffix == ".json":
        return karpathy(file, media, split)
    wanted = None if split == "all" else _listed(file, split)
    pairs: list[tuple[str, str]] = []
    seen: dict[str, None] = {}
    for record in _flickr_records(file):
        image = record.text("image")
        if "number" in record:
            unique(f"{image}#{record.key('number')}", seen, record, "caption")
        if wanted is None or image in wanted:
            pairs.append((image, record.text("caption")))
    return captioned(pairs, media)


def _flickr_records(file: Path) -> Iterable[Annotation]:
    if file.suffix == ".csv":  # Flickr30k from Kaggle: image_name| comment_number| comment
        for record in csv_records(file, delimiter="|"):
            fields = {new: record.fields.get(old) for old, new in _COLUMNS.items() if old in record.fields}
            yield record.renamed(fields)
    elif file.name == "captions.txt":  # Flickr8k from Kaggle: image,caption
        yield from csv_records(file)
    else:
        yield from line_records(file, _token_line)


_COLUMNS = {"image_name": "image", "comment_number": "number", "comment": "caption"}


def _token_line(line: str) -> dict[str, str] | None:
    name, tab, caption = line.partition("\t")
    image, mark, number = name.partition("#")
    return {"image": image, "number": number.strip(), "caption": caption} if tab and mark else None


def _listed(file: Path, split: str) -> dict[str, None]:
    """The images that Flickr_8k.<split>Images.txt beside the file names ("dev" is its word for val)."""
    word = {"val": "dev"}.get(split, split)
    wanted: dict[str, None] = {}
    for record in line_records(file.with_name(f"Flickr_8k.{word}Images.txt"), lambda line: {"image": line.strip()}):
        unique(record.text("image"), wanted, record, "image")
    return wanted


def karpathy(file: Path, media: MediaFolder, split: str) -> DataSet:
    """{"images": [{filename, filepath, split, sentences: [{raw}]}]} (Karpathy and Fei-Fei 2015)."""
    pairs: list[tuple[str, str]] = []
    names: dict[str, tuple[str, ...]] = {}
    for i, record in enumerate(json_records(file, "images")):
        key = record.key("filename")
        if key in names:
            raise record.wrong(f"duplicate image {key!r}")
        folder = record.text("filepath") if "filepath" in record else ""
        names[key] = (f"{folder}/{key}", key) if folder else (key,)
        if split != "all" and record.text("split") != split:
            continue
        for sentence in record.list("sentences"):
            if not isinstance(sentence, dict) or not isinstance(sentence.get("raw"), str):
                raise record.wrong(f"sentences of image {i} need the field 'raw'")
            pairs.append((key, " ".join(sentence["raw"].split())))
    return captioned(pairs, media, names=lambda key: names[key])


def coco(file: Path, media: MediaFolder, split: str) -> DataSet:
    """{"images": [{id, file_name}], "annotations": [{id, image_id, caption}]}, or Karpathy's file."""
    data, record_at = read_json(file)
    if "annotations" not in record_at(data, ()).fields:
        return karpathy(file, media, split)
    images: dict[str, str] = {}
    for record in json_records(file, "images"):
        key = record.key("id")
        if key in images:
            raise record.wrong(f"duplicate image id {key!r}")
        images[key] = record.text("file_name")

    def pairs() -> Iterable[tuple[str, str]]:
        seen: dict[str, None] = {}
        for record in json_records(file, "annotations"):
            unique(record.key("id"), seen, record, "annotation id")
            key = record.key("image_id")
            if key not in images:
                raise record.wrong(f"unknown image {key!r}: it is not among `images`")
            yield images[key], record.text("caption")

    return captioned(pairs(), media)


_JUDGMENTS, _QUERIES = "judgments.jsonl", "queries.csv"


def multivent(file: Path, media: MediaFolder, split: str) -> DataSet:
    """JSONL: {query_id, doc_id, relevance}; beside it the queries as CSV with the columns Query_id and query.

    What is judged irrelevant, or not judged, counts as wrong. A query without a relevant video asks for nothing that
    can be measured: it is left out, as by trec_eval.
    """
    if not file.name.endswith(_JUDGMENTS):
        raise InputError(f"{file} is not a file of judgments", hint=f"give multivent_2_train_{_JUDGMENTS}")
    beside = file.with_name(file.name.removesuffix(_JUDGMENTS) + _QUERIES)
    texts = {record.key("Query_id"): record.text("query") for record in csv_records(beside)}
    relevance: dict[str, dict[str, float]] = {}
    files: dict[str, Path | None] = {}
    for record in jsonl_records(file):
        query, video = record.key("query_id"), record.key("doc_id")
        if query not in texts:
            raise record.wrong(f"unknown query {query!r}: it is not in {beside.name}")
        if video in relevance.setdefault(query, {}):
            raise record.wrong(f"{video!r} is judged twice for {query!r}")
        files.setdefault(video, media.find(video))
        relevance[query][video] = record.number("relevance")
    queries = []
    for query, judged in relevance.items():
        answers = tuple(Answer(video) for video, grade in judged.items() if grade > 0)
        if answers:
            queries.append(EvalQuery(query, "text", texts[query], answers, relevance=judged))
    return DataSet("", "", tuple(queries), files)
