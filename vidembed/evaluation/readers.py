"""Standard benchmarks from their own annotation files and a folder of media. Nothing is fetched.

`readers_moments` reads moments in videos (DiDeMo, ActivityNet Captions, LongVALE, QVHighlights, Charades-STA, TVR,
MomentSeeker), `readers_captions` captions of whole videos, sounds and pictures, and videos judged for queries.

`read_dataset("msrvtt", annotations, media, split="1k-A")`; `READERS` lists what there is, with each paper's protocol.
Media that are not in the folder are listed in `DataSet.missing` and counted, never dropped in silence, and so are rows
whose span is empty or ends before it starts (`DataSet.broken`). Any other wrong entry is an InputError with file and
line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vidembed.errors import InputError, did_you_mean
from vidembed.evaluation import readers_captions, readers_moments
from vidembed.evaluation.annotations import BrokenSpan
from vidembed.evaluation.dataset import DataSet, MediaFolder, Task

Read = Callable[[Path, MediaFolder, str], DataSet]


@dataclass(frozen=True)
class Reader:
    """How a benchmark is read.

    splits: name -> protocol, the default first; "moments" looks for spans in the given video, as the papers do,
    "corpus" in all videos. files: what to pass as annotations. pictures: its media are pictures, not videos or sounds.
    """

    name: str
    title: str
    files: str
    splits: Mapping[str, str]
    read: Read
    pictures: bool = False

    def task(self, split: str) -> Task:
        """Where a split looks for its answers."""
        return "pictures" if self.pictures else "video" if split == "moments" else "corpus"


_IN_ALL = "each sentence a query for its span among all videos; R@n at IoU 0.3, 0.5, 0.7"
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
                "moments": "Rank@1, Rank@5, mIoU over the 21 spans of the given video by the three annotators nearest; "
                "IoU figures by the span most annotators chose",
                "corpus": f"{_IN_ALL}; the span most annotators chose is the right one",
            },
            readers_moments.didemo,
        ),
        Reader(
            "activitynet",
            "ActivityNet Captions (Krishna et al. 2017)",
            "val_1.json, val_2.json or train.json",
            {
                "paragraph": f"all sentences of a video joined into one query (Zhang et al. 2018); {_TEXT_TO_VIDEO}",
                "moments": "each sentence a query for its span in the given video; R@n at IoU 0.3, 0.5, 0.7",
                "corpus": _IN_ALL,
            },
            readers_moments.activitynet,
        ),
        Reader(
            "qvhighlights",
            "QVHighlights (Lei et al. 2021)",
            "highlight_val_release.jsonl or highlight_train_release.jsonl",
            {
                "moments": "R@1 at IoU 0.5 and 0.7, mAP over 0.5:0.95, HIT@1 and HL-mAP of very good clips, in the "
                "given video",
                "corpus": _IN_ALL,
            },
            readers_moments.qvhighlights,
        ),
        Reader(
            "charades",
            "Charades-STA (Gao et al. 2017)",
            "charades_sta_test.txt or charades_sta_train.txt",
            {"moments": "R@1 and R@5 at IoU 0.3, 0.5 and 0.7, mIoU, in the given video", "corpus": _IN_ALL},
            readers_moments.charades,
        ),
        Reader(
            "tvr",
            "TVR (Lei et al. 2020) and files of its form",
            "tvr_val_release.jsonl: one object a line with vid_name, ts, desc",
            {
                "corpus": "R@n at IoU 0.5 and 0.7 over all videos (VCMR); channel from the query's type",
                "moments": "R@n at IoU 0.5 and 0.7 in the given video (SVMR); channel from the query's type",
            },
            readers_moments.tvr,
        ),
        Reader(
            "longvale",
            "LongVALE (Geng et al. 2025)",
            "longvale-annotations-eval.json or longvale-annotations-training.json",
            {
                "moments": "each sentence, on what is seen, heard and said, a query for its span in the given video; "
                "R@1 at IoU 0.3, 0.5, 0.7, mIoU",
                "corpus": _IN_ALL,
            },
            readers_moments.longvale,
        ),
        Reader(
            "momentseeker",
            "MomentSeeker (Yuan et al. 2025)",
            "t2v.json, ti2v.json (texts with a picture) or tv2v.json (texts with a clip)",
            {"moments": "R@1 at IoU 0.3 in the given long video; every true span counts", "corpus": _IN_ALL},
            readers_moments.momentseeker,
        ),
        Reader(
            "multivent",
            "MultiVENT 2.0 (Kriz et al. 2025)",
            "multivent_2_train_judgments.jsonl with multivent_2_train_queries.csv beside it",
            {"judged": "nDCG@10 and ranks among all videos; what is not judged counts as wrong"},
            readers_captions.multivent,
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
            pictures=True,
        ),
        Reader(
            "flickr30k",
            "Flickr30k (Young et al. 2014)",
            "dataset_flickr30k.json (Karpathy's splits), results_20130124.token or results.csv",
            {split: f"{split} images, five captions each; text to image and back" for split in ("test", "val", "all")},
            readers_captions.flickr,
            pictures=True,
        ),
        Reader(
            "coco",
            "COCO captions (Chen et al. 2015)",
            "captions_val2017.json, or dataset_coco.json (Karpathy's 5k test split)",
            {split: f"{split} images, five captions each; text to image and back" for split in ("all", "test", "val")},
            readers_captions.coco,
            pictures=True,
        ),
    )
}


def read_dataset(
    name: str, annotations: Path, media: Path | None, *, split: str | None = None, strict: bool = False
) -> DataSet:
    """A benchmark by name.

    Args:
        name: One of `READERS`.
        annotations: Its file (see `READERS[name].files`).
        media: The folder of its videos.
        split: One of the reader's; None = the first.
        strict: Refuse a file with broken rows, instead of leaving them out.

    Raises:
        InputError: For an unknown name or split, a missing folder, and whatever is wrong in the files.
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
    if strict and dataset.broken:
        more = f" ({len(dataset.broken)} such rows)" if len(dataset.broken) > 1 else ""
        raise BrokenSpan(
            f"{dataset.broken[0]}{more}", hint="correct the file, or leave such rows out: without --strict"
        )
    if not dataset.queries:
        raise InputError(f"{annotations} has no query of split {chosen!r}", hint=f"expected {reader.files}")
    return replace(dataset, name=name, protocol=reader.splits[chosen], task=reader.task(chosen))
