"""Standard benchmarks from their own annotation files and a folder of media. Nothing is fetched.

`readers_moments` reads moments in videos (DiDeMo, ActivityNet Captions, LongVALE, QVHighlights, Charades-STA, TVR,
MomentSeeker), `readers_captions` captions of whole videos, sounds and pictures, and videos judged for queries.

`read_dataset("msrvtt", annotations, media, split="1k-A")`; `READERS`, from benchmarks.yaml, lists what there is, with
each paper's protocol. Media that are not in the folder are listed in `DataSet.missing` and counted, never dropped in
silence, and so are rows whose span is empty or ends before it starts (`DataSet.broken`). Any other wrong entry is an
InputError with file and line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import yaml

from vidembed.errors import InputError, did_you_mean
from vidembed.evaluation.annotations import BrokenSpan
from vidembed.evaluation.dataset import DataSet, MediaFolder, Task
from vidembed.evaluation.readers_captions import audiocaps, clotho, coco, flickr, msrvtt, msvd, multivent, vatex
from vidembed.evaluation.readers_moments import activitynet, charades, didemo, longvale, momentseeker, qvhighlights, tvr

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


def _known() -> Iterator[Reader]:
    text = (resources.files("vidembed.evaluation") / "benchmarks.yaml").read_text(encoding="utf-8")
    known = yaml.safe_load(text)
    phrases = known.pop("phrases")
    for name, facts in known.items():
        splits = {split: protocol.format(**phrases) for split, protocol in facts.pop("splits").items()}
        yield Reader(name, read=_READ[facts.pop("reader")], splits=splits, **facts)


_FUNCTIONS: tuple[Read, ...] = (
    msrvtt, msvd, vatex, multivent, audiocaps, clotho, flickr, coco,
    didemo, activitynet, qvhighlights, charades, tvr, longvale, momentseeker,
)  # fmt: skip
_READ = {read.__name__: read for read in _FUNCTIONS}
READERS: dict[str, Reader] = {reader.name: reader for reader in _known()}


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
