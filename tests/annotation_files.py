"""Tiny annotation files of the usual data sets, and what is read from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vidembed.evaluation.dataset import DataSet
from vidembed.types import Span


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def write(tmp_path: Path, name: str, content: Any) -> Path:
    path = tmp_path / name
    if name.endswith(".json"):
        content = json.dumps(content, indent=1)
    elif name.endswith(".jsonl"):
        content = "\n".join(json.dumps(line) for line in content) + "\n"
    path.write_text(content, encoding="utf-8")
    return path


def asked(dataset: DataSet) -> list[tuple[str, str, tuple[Span, ...]]]:
    return [(str(q.value), a.video, a.spans) for q in dataset.queries for a in q.answers]


MSRVTT = {
    "info": {},
    "videos": [{"video_id": "video0", "split": "train"}, {"video_id": "video9", "split": "test"}],
    "sentences": [
        {"sen_id": 0, "video_id": "video9", "caption": "a cat"},
        {"sen_id": 1, "video_id": "video0", "caption": "a dog"},
        {"sen_id": 2, "video_id": "video9", "caption": "a cat sleeps"},
    ],
}


QVH = {
    "qid": 8737, "query": "Man has a mask", "duration": 10, "vid": "NUsG9BgSes0_210.0_360.0",
    "relevant_windows": [[0, 4], [8, 10]], "relevant_clip_ids": [0, 1, 4],
    "saliency_scores": [[4, 1, 1], [4, 2, 3], [0, 0, 4]],
}  # fmt: skip


AUDIOCAPS = "audiocap_id,youtube_id,start_time,caption\n"


COCO = {
    "images": [{"id": 5, "file_name": "000005.jpg"}, {"id": 6, "file_name": "000006.jpg"}],
    "annotations": [{"id": 1, "image_id": 5, "caption": "A bench."}, {"id": 2, "image_id": 6, "caption": "A tree. "}],
}
