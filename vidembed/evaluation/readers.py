"""Standard benchmarks from their own annotation files and a folder of media. Nothing is fetched.

Moments in videos (DiDeMo, ActivityNet Captions, QVHighlights, Charades-STA, TVR) are read here, captions of whole
videos, sounds and pictures by `readers_captions`.

`read_dataset("msrvtt", annotations, media, split="1k-A")`; `READERS` lists what there is, with each paper's protocol.
Media that are not in the folder are listed in `DataSet.missing` and counted, never dropped in silence; a wrong entry is
an InputError with file and line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import InputError, did_you_mean
from vidembed.evaluation import readers_captions
from vidembed.evaluation.annotations import Record, json_records, jsonl_records, line_records, read_json
from vidembed.evaluation.dataset import Answer, DataSet, EvalQuery, MediaFolder, unique
from vidembed.evaluation.readers_captions import captioned
from vidembed.types import Span


class Described(NamedTuple):
    """A text for spans of a video."""

    video: str
    text: str
    spans: tuple[Span, ...]
    query_id: str
    channel: str | None = "vision"
    saliency: NDArray[np.float64] | None = None


def _names(video: str) -> tuple[str, ...]:
    """As what a video may lie in the folder: ActivityNet's files have the "v_" of its ids, or not."""
    return (video, video.removeprefix("v_"))


def described(moments: Iterable[Described], media: MediaFolder) -> DataSet:
    """A data set in which each text asks for its spans."""
    files: dict[str, Path | None] = {}
    queries = []
    for m in moments:
        if m.video not in files:
            files[m.video] = media.find(*_names(m.video))
        queries.append(EvalQuery(m.query_id, "text", m.text, (Answer(m.video, m.spans),), m.channel, m.saliency))
    return DataSet("", "", tuple(queries), files)


def paragraphs(moments: Iterable[Described], media: MediaFolder) -> DataSet:
    """All texts of a video, in the order of the file, as one query for the whole video."""
    texts: dict[str, list[str]] = {}
    for m in moments:
        texts.setdefault(m.video, []).append(m.text)
    return captioned(((video, " ".join(parts)) for video, parts in texts.items()), media, names=_names)


def didemo(file: Path, media: MediaFolder, split: str) -> DataSet:
    """A JSON list of {video, description, times, annotation_id}; times are first and last of 5-second segments."""

    def moments() -> Iterable[Described]:
        seen: dict[str, None] = {}
        for i, record in enumerate(json_records(file)):
            query_id = record.key("annotation_id") if "annotation_id" in record else str(i)
            unique(query_id, seen, record, "annotation_id")
            chosen = Counter(_segments(pair, record) for pair in record.list("times"))
            if not chosen:
                raise record.wrong("times is empty")
            # What most annotators chose; the earlier and shorter of equals.
            first, last = min(chosen, key=lambda pair: (-chosen[pair], pair))
            span = record.span(first * 5.0, last * 5.0 + 5.0)
            yield Described(record.key("video"), record.text("description"), (span,), query_id)

    return paragraphs(moments(), media) if split == "paragraph" else described(moments(), media)


def _segments(pair: Any, record: Record) -> tuple[int, int]:
    whole = isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) and n >= 0 for n in pair)
    if not whole:
        raise record.wrong(f"times are pairs of segment numbers from 0, got {str(pair)[:40]!r}")
    if pair[1] < pair[0]:
        raise record.wrong(f"a span of segments ends before it starts: {pair}")
    return pair[0], pair[1]


def activitynet(file: Path, media: MediaFolder, split: str) -> DataSet:
    """A JSON object: video id -> {duration, timestamps, sentences}; files with or without the ids' "v_"."""

    def moments() -> Iterable[Described]:
        data, record_at = read_json(file)
        for key in record_at(data, ()).fields:
            record = record_at(data[key], (key,))
            texts = record.list("sentences")
            spans = record.list("timestamps", length=len(texts))
            for i, (text, pair) in enumerate(zip(texts, spans)):
                if not isinstance(text, str) or not text.strip():
                    raise record.wrong(f"sentence {i} of {key!r} is not text: {text!r}")
                yield Described(key, " ".join(text.split()), (record.pair(pair),), f"{key}#{i}")

    return paragraphs(moments(), media) if split == "paragraph" else described(moments(), media)


def qvhighlights(file: Path, media: MediaFolder, split: str) -> DataSet:
    """JSONL: {qid, query, vid, duration, relevant_windows, relevant_clip_ids, saliency_scores}."""

    def moments() -> Iterable[Described]:
        seen: dict[str, None] = {}
        for record in jsonl_records(file):
            query_id = record.key("qid")
            unique(query_id, seen, record, "qid")
            spans = tuple(record.pair(pair) for pair in record.list("relevant_windows"))
            if not spans:
                raise record.wrong("relevant_windows is empty", hint="the test split has no truth; use the val file")
            yield Described(record.key("vid"), record.text("query"), spans, query_id, "vision", _saliency(record))

    return described(moments(), media)


def _saliency(record: Record) -> NDArray[np.float64] | None:
    """(clips, 3) ratings of all 2-second clips of the video, 0 where nobody marked one."""
    if "saliency_scores" not in record:
        return None
    ids = record.list("relevant_clip_ids")
    scores = record.list("saliency_scores", length=len(ids))
    clips = int(np.ceil(record.number("duration") / 2))
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
            span = record.span(record.fields["start"], record.fields["end"])
            yield Described(record.key("video"), record.text("text"), (span,), str(i))

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
            yield Described(
                record.key("vid_name"), record.text("desc"), (record.pair(record.get("ts")),), query_id, channel
            )

    return described(moments(), media)


Read = Callable[[Path, MediaFolder, str], DataSet]


@dataclass(frozen=True)
class Reader:
    """How a benchmark is read. splits: name -> protocol, the default first. files: what to pass as annotations."""

    name: str
    title: str
    files: str
    splits: Mapping[str, str]
    read: Read


_TEXT_TO_VIDEO = "text to video and back, rank of the right one among all test videos"

READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        Reader(
            "msrvtt",
            "MSR-VTT (Xu et al. 2016)",
            "MSRVTT_JSFUSION_test.csv for 1k-A; MSR_VTT.json or *_videodatainfo.json for full",
            {
                "1k-A": f"1k-A split (Yu et al. 2018): 1,000 videos, one caption each; {_TEXT_TO_VIDEO}",
                "full": f"full test split: 2,990 videos, 20 captions each; {_TEXT_TO_VIDEO}",
            },
            readers_captions.msrvtt,
        ),
        Reader(
            "msvd",
            "MSVD (Chen and Dolan 2011)",
            "AllVideoDescriptions.txt with test_list.txt beside it (also train, val)",
            {
                split: f"{split} split, about 40 captions a video, each a query; {_TEXT_TO_VIDEO}"
                for split in ("test", "val", "train", "all")
            },
            readers_captions.msvd,
        ),
        Reader(
            "vatex",
            "VATEX (Wang et al. 2019)",
            "vatex_public_test_english_v1.1.json or the validation or training file",
            {
                "en": f"ten English captions a video, each a query; {_TEXT_TO_VIDEO}",
                "zh": f"ten Chinese captions a video, each a query; {_TEXT_TO_VIDEO}",
            },
            readers_captions.vatex,
        ),
        Reader(
            "didemo",
            "DiDeMo (Hendricks et al. 2017)",
            "test_data.json, val_data.json or train_data.json",
            {
                "paragraph": f"all descriptions of a video joined into one query (Liu et al. 2019); {_TEXT_TO_VIDEO}",
                "moments": "moment localisation; the span most annotators chose is the right one",
            },
            didemo,
        ),
        Reader(
            "activitynet",
            "ActivityNet Captions (Krishna et al. 2017)",
            "val_1.json, val_2.json or train.json",
            {
                "paragraph": f"all sentences of a video joined into one query (Zhang et al. 2018); {_TEXT_TO_VIDEO}",
                "moments": "each sentence a query for its span; R@n at IoU 0.3, 0.5, 0.7",
            },
            activitynet,
        ),
        Reader(
            "qvhighlights",
            "QVHighlights (Lei et al. 2021)",
            "highlight_val_release.jsonl or highlight_train_release.jsonl",
            {"moments": "R@1 at IoU 0.5 and 0.7, mAP over 0.5:0.95, HIT@1 of very good clips, in the given video"},
            qvhighlights,
        ),
        Reader(
            "charades",
            "Charades-STA (Gao et al. 2017)",
            "charades_sta_test.txt or charades_sta_train.txt",
            {"moments": "R@1 and R@5 at IoU 0.5 and 0.7, mIoU, in the given video"},
            charades,
        ),
        Reader(
            "tvr",
            "TVR (Lei et al. 2020) and files of its form",
            "tvr_val_release.jsonl: one object a line with vid_name, ts, desc",
            {"moments": "R@n at IoU 0.5 and 0.7 over all videos (VCMR); channel from the query's type"},
            tvr,
        ),
        Reader(
            "audiocaps",
            "AudioCaps (Kim et al. 2019)",
            "test.csv, val.csv or train.csv",
            {"audio": "text to sound and back; five captions a clip in test and val"},
            readers_captions.audiocaps,
        ),
        Reader(
            "clotho",
            "Clotho (Drossos et al. 2020)",
            "clotho_captions_evaluation.csv or another split's file",
            {"audio": "text to sound and back; five captions a clip"},
            readers_captions.clotho,
        ),
        Reader(
            "flickr8k",
            "Flickr8k (Hodosh et al. 2013)",
            "Flickr8k.token.txt with Flickr_8k.testImages.txt beside it, captions.txt, or dataset_flickr8k.json",
            {split: f"{split} images, five captions each; text to image and back" for split in ("test", "val", "all")},
            readers_captions.flickr,
        ),
        Reader(
            "flickr30k",
            "Flickr30k (Young et al. 2014)",
            "dataset_flickr30k.json (Karpathy's splits), results_20130124.token or results.csv",
            {split: f"{split} images, five captions each; text to image and back" for split in ("test", "val", "all")},
            readers_captions.flickr,
        ),
        Reader(
            "coco",
            "COCO captions (Chen et al. 2015)",
            "captions_val2017.json, or dataset_coco.json (Karpathy's 5k test split)",
            {split: f"{split} images, five captions each; text to image and back" for split in ("all", "test", "val")},
            readers_captions.coco,
        ),
    )
}


def read_dataset(name: str, annotations: Path, media: Path | None, *, split: str | None = None) -> DataSet:
    """A benchmark by name. annotations: the file (see `READERS[name].files`); media: the folder of its videos.

    Raises InputError for an unknown name or split, a missing folder, and whatever is wrong in the files.
    """
    reader = READERS.get(name)
    if reader is None:
        raise InputError(f"unknown data set {name!r}", hint=did_you_mean(name, READERS))
    chosen = split or next(iter(reader.splits))
    if chosen not in reader.splits:
        raise InputError(f"{name} has no split {chosen!r}; allowed: {', '.join(reader.splits)}")
    if annotations.is_dir():
        raise InputError(f"{annotations} is a folder", hint=f"give the annotation file: {reader.files}")
    dataset = reader.read(annotations, MediaFolder(media), chosen)
    if not dataset.queries:
        raise InputError(f"{annotations} has no query of split {chosen!r}", hint=f"expected {reader.files}")
    return DataSet(name, reader.splits[chosen], dataset.queries, dataset.media, dataset.references)
