"""One synthetic run for each data set, against the figures that its own published script printed for it.

The scripts were run beside the project, on what the functions here make:
- QVHighlights: github.com/jayleicn/moment_detr, standalone_eval/eval.py, eval_submission;
- Charades-STA: github.com/jiyanggao/TALL, main.py, compute_IoU_recall_top_n_forreg, whose lists of answers are the
  regressed windows by their scores;
- ActivityNet Captions: github.com/ranjaykrishna/densevid_eval, evaluate.py, evaluate_detection: with one sentence a
  video its recall is R@n of n answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from vidembed.evaluation.metrics import Stretch, moment_report
from vidembed.evaluation.published import highlight_report

CLIPS = 75  # of two seconds in a video
QVHIGHLIGHTS = {
    "MR-full-R1@0.5": 33.33,
    "MR-full-R1@0.7": 21.67,
    "MR-full-mAP": 21.22,
    "MR-full-mAP@0.5": 40.05,
    "MR-full-mAP@0.75": 18.02,
    "HL-min-VeryGood-mAP": 9.98,
    "HL-min-VeryGood-Hit1": 13.33,
}
CHARADES = {  # right ones of 60 sentences
    "R@1,IoU=0.3": 28,
    "R@1,IoU=0.5": 22,
    "R@1,IoU=0.7": 12,
    "R@5,IoU=0.3": 44,
    "R@5,IoU=0.5": 32,
    "R@5,IoU=0.7": 17,
}
ACTIVITYNET = {
    "R@1,IoU=0.3": 28 / 60,
    "R@1,IoU=0.5": 22 / 60,
    "R@1,IoU=0.7": 12 / 60,
    "R@5,IoU=0.3": 55 / 60,
    "R@5,IoU=0.5": 49 / 60,
    "R@5,IoU=0.7": 41 / 60,
}


class Asked(NamedTuple):
    true: list[list[float]]  # [start_s, end_s]
    found: list[list[float]]  # [start_s, end_s, score], best first
    ratings: dict[int, list[int]]  # clip -> what three people gave it, 0 to 4
    saliency: list[float]  # predicted, of each clip


def numbers(seed: int) -> Iterator[int]:
    """Whole numbers from 0 to 999 that are the same everywhere."""
    while True:
        seed = (1103515245 * seed + 12345) % 2**31
        yield seed // 1000 % 1000


def asked(count: int = 60, *, most_true: int = 3, found: int = 10) -> list[Asked]:
    """Truth in whole clips; answers beside it by up to 12 s, later ones anywhere, none of equal score."""
    draw = numbers(7)
    made = []
    for _ in range(count):
        true = []
        for part in range(1 + next(draw) % most_true):
            start = part * 50 + 2 * (next(draw) % 10)
            true.append([float(start), float(start + 2 + 2 * (next(draw) % 16))])
        answers = []
        for place in range(found):
            near = true[next(draw) % len(true)]
            start_s = near[0] + (next(draw) - 500) / (40 * (found - place)) if next(draw) < 700 else next(draw) / 8
            start_s = max(0.0, start_s) + 0.037
            answers.append([start_s, start_s + 1.5 + next(draw) / 40, 1 - place / 16])
        rated = {clip: [next(draw) % 5 for _ in range(3)] for a, b in true for clip in range(int(a / 2), int(b / 2))}
        made.append(Asked(true, answers, rated, [next(draw) / 1000 for _ in range(CLIPS)]))
    return made


def apart(answers: list[list[float]]) -> list[list[float]]:
    """Without answers that overlap a better one: TALL leaves out near doubles before it counts, we do in the search."""
    kept: list[list[float]] = []
    for start_s, end_s, score in answers:
        if all(min(end_s, b) <= max(start_s, a) for a, b, _ in kept):
            kept.append([start_s, end_s, score])
    return kept


def stretches(spans: list[list[float]]) -> list[Stretch]:
    return [Stretch("v", span[0], span[1]) for span in spans]


def test_qvhighlights() -> None:
    queries = asked()
    report = moment_report([stretches(q.found) for q in queries], [stretches(q.true) for q in queries])
    ratings = [[q.ratings.get(clip, [0, 0, 0]) for clip in range(CLIPS)] for q in queries]
    highlights = highlight_report([q.saliency for q in queries], ratings)
    ours = {
        "MR-full-R1@0.5": report["R@1,IoU=0.5"],
        "MR-full-R1@0.7": report["R@1,IoU=0.7"],
        "MR-full-mAP@0.5": report["mAP@0.5"],
        "MR-full-mAP@0.75": report["mAP@0.75"],
        "MR-full-mAP": report["mAP"],
        "HL-min-VeryGood-mAP": highlights["HL-mAP"],
        "HL-min-VeryGood-Hit1": highlights["HIT@1"],
    }
    assert {name: round(100 * value, 2) for name, value in ours.items()} == pytest.approx(QVHIGHLIGHTS, abs=0.0051)


def test_charades() -> None:
    queries = asked(most_true=1)
    report = moment_report([stretches(apart(q.found)) for q in queries], [stretches(q.true) for q in queries])
    right = {name: round(report[name] * len(queries)) for name in CHARADES}
    assert right == CHARADES


@pytest.mark.parametrize("answers", [1, 5])
def test_activitynet(answers: int) -> None:
    queries = asked(most_true=1)
    report = moment_report([stretches(q.found) for q in queries], [stretches(q.true) for q in queries])
    for iou in (0.3, 0.5, 0.7):
        name = f"R@{answers},IoU={iou:g}"
        assert report[name] == pytest.approx(ACTIVITYNET[name], abs=1e-9), name
