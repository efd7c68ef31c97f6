"""Finding moments in long videos put together from captioned clips: python benchmarks/moments.py CLIPS --work FOLDER

CLIPS holds the clips, MANIFEST.csv (file, duration_s, acodec) and captions.jsonl (file, caption, dataset_captions,
segments). Its clips are split by seed into a tuning half and a held-out half; of each, long videos are put together,
indexed once, and asked two texts a clip: its caption, and another one, its label, or the caption's first keywords (all
of these with --texts 0). They are also written as queries.jsonl, for `vidembed evaluate` and its sweeps. Every place
where a clip occurs is a right answer. Compared are:

- gap-merging: the best max(8 k, 32) frames of all videos, hits at most 4 s apart merged, a span ends at its last hit
- clips: the best clips as they were cut
- ours: the index's own search in its pictures

What can be seen in none of the clips is asked too (NOTHING, shared out between the halves), and all texts of the clips:
"is there a match" gives the area under the ROC curve of the confidence and of the raw cosine, each the best among the
answers, with the interval over clips and queries, and what share of the queries with and without an answer reach some
confidences, `search.min_confidence` among them. "how sure" is of first answers, right where they overlap their clip: of
two texts a clip, and of all, among which single clips have twenty.

Prints and saves one JSON report a half. Tune on the tuning half only.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _machine import facts

import vidembed
from vidembed.evaluation import Answer, EvalQuery, compare, interval
from vidembed.evaluation.assemble import Assembled, Piece, assemble, deal, placed
from vidembed.evaluation.metrics import Stretch, moment_report, recalls, roc_auc
from vidembed.evaluation.trust import calibration_error
from vidembed.index.video_index import VideoIndex
from vidembed.types import Span

# Seen in none of the clips, and in nothing like them: the texts of the other half's clips would not do, both have dogs.
NOTHING = (
    "skiers race down a slope", "children splash in a swimming pool", "a plate of spaghetti with tomato sauce",
    "a football match in a full stadium", "a bride and groom at their wedding", "a horse jumps over a fence",
    "a steam train arrives at a station", "a woman plays the piano", "an elephant drinks at a waterhole",
    "fireworks over a city at night", "a surfer rides a big wave", "astronauts on the moon", "a surgeon operates",
    "a helicopter lands on a roof", "people queue at an airport", "a spider in its web", "an ice hockey game",
    "cows in a meadow", "a hot air balloon in the sky", "divers above a coral reef", "a judge in a courtroom",
    "climbers on a rock face", "a farmer drives a tractor", "a campfire in the woods", "sheep are shorn",
    "two people play chess", "soldiers on parade", "a waterfall in the jungle", "penguins on the ice",
    "a teacher at a blackboard", "a golfer on the green", "a rocket is launched", "a camel in the desert",
    "people skate on a frozen lake", "two boxers in the ring", "a volcano erupts", "an escalator in a shopping mall",
    "a windmill turns", "a submarine under water", "a giraffe eats leaves", "a basketball player dunks",
    "a tent in the mountains", "a knight in armour on horseback", "a snowman in a garden", "a lighthouse by the sea",
    "a violin concert in a church", "a pilot in a cockpit", "a newborn lamb", "a fox in the snow", "a lawnmower",
    "a hockey goalkeeper", "a shark swims by", "a wedding cake is cut", "a bonfire on the beach", "an igloo",
    "a woman plays the harp", "a train passes a crossing", "a dentist treats a patient", "an owl on a branch",
    "a bee on a flower", "a parachute opens", "a ship in a storm", "a nurse gives an injection", "a fountain",
    "a potter at the wheel",
    "a skateboarder on a ramp", "a carnival parade", "a ballet dancer on stage", "a roller coaster", "a bowling alley",
    "a rainbow over a field", "a thunderstorm with lightning", "a vineyard with grapes", "a beekeeper opens a hive",
    "a supermarket checkout", "a library with bookshelves", "a bathroom with a shower", "a woman knits a scarf",
    "a child blows out candles", "a Christmas tree with presents", "a pumpkin is carved", "fishermen pull in a net",
    "a crocodile on the river bank", "a kangaroo hops", "an ambulance with flashing lights", "a game of billiards",
    "a police officer stops a car", "a marathon with many runners", "swimmers dive into the pool", "the Eiffel Tower",
    "a gymnast on the beam", "skyscrapers at night",
)  # fmt: skip
HALVES = ("tuning", "held-out")
LITTLE = {"a", "an", "the", "is", "are", "of", "in", "on", "at", "to", "and", "with", "from", "by"}
LITTLE |= {"it", "its", "her", "his", "their", "that", "who", "while", "then"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder for the long videos and the indexes")
    parser.add_argument("--half", choices=HALVES, action="append")
    parser.add_argument("--videos", type=int, default=5, help="long videos a half")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--texts", type=int, default=2, help="texts a clip; 0 = all it has")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--set", action="append", default=[], help="a setting for indexing and search")
    parser.add_argument("--search-set", action="append", default=[], help="a setting for search alone; vectors stay")
    parser.add_argument("--name", default="index", help="name of the index folder: one for each way of indexing")
    args = parser.parse_args()
    for half in args.half or HALVES:
        report = measure(args, half)
        text = json.dumps(report, indent=1)
        print(text)
        (args.work / half / f"report-{args.name}.json").write_text(text + "\n", "utf-8")


def measure(args: argparse.Namespace, half: str) -> dict[str, Any]:
    folder = args.work / half
    pieces, texts = read_clips(args.clips, half, args.seed, args.texts)
    videos = build(args, pieces, folder, half)
    queries = ask(videos, texts)
    write_queries(queries, folder / "queries.jsonl")
    began = time.perf_counter()
    index_folder = folder / args.name
    with vidembed.open_index(index_folder, profile=args.profile, overrides=args.set, create=True) as index:
        index.add(folder / "videos", channels=["vision"])
    indexing_s = time.perf_counter() - began
    with vidembed.open_index(index_folder, overrides=args.search_set, readonly=True) as index:
        _, all_texts = read_clips(args.clips, half, args.seed, 0)
        matches = is_there_a_match(index, all_texts, NOTHING[HALVES.index(half) :: 2])
        names = {record.info.video_id: record.paths[0].name for record in index.videos()}
        nothing = [(text, ()) for text in NOTHING[HALVES.index(half) :: 2]]
        sure = {
            which: how_sure(index, names, [*((str(one.value), one.stretches) for one in some), *nothing])
            for which, some in (("as asked", queries), ("all texts", ask(videos, all_texts)))
        }
        frames = Frames(index, names)
        ways = {
            "gap-merging": lambda text: frames.gap_merged(text, k=5),
            "clips": lambda text: frames.clips(text, k=5),
            "ours": lambda text: [
                Stretch(names[m.video_id], m.span.start_s, m.span.end_s)
                for m in index.search(text, k=5, channels=["vision"])
            ],
        }
        found: dict[str, list[list[Stretch]]] = {}
        timing: dict[str, float] = {}
        for way, answer in ways.items():
            began = time.perf_counter()
            found[way] = [answer(str(query.value)) for query in queries]
            timing[way] = round((time.perf_counter() - began) / len(queries) * 1000, 1)
        settings = index.config.search.model_dump()
    true = [query.stretches for query in queries]
    clip_of = [query.query_id.split("#")[0] for query in queries]
    hits = {way: hit_at_1(answers, true) for way, answers in found.items()}
    return {
        "half": half,
        "videos": len(videos),
        "seconds": round(sum(video.placed[-1][1].end_s for video in videos), 1),
        "clips": len(pieces),
        "queries": len(queries),
        "figures": {way: rounded(moment_report(answers, true)) for way, answers in found.items()},
        "R@1,IoU=0.5 with interval": {way: str(interval(values, groups=clip_of)) for way, values in hits.items()},
        "ours against gap-merging": str(compare(hits["gap-merging"], hits["ours"], groups=clip_of)),
        "is there a match": matches,
        "how sure": sure,
        "ms per query": timing,
        "indexing_s": round(indexing_s, 1),
        "profile": args.profile,
        "set": args.set,
        "search": settings,
        "seed": args.seed,
        "machine": facts(["torch", "qdrant-edge-py"]),
    }


def is_there_a_match(index: VideoIndex, with_answer: dict[str, list[str]], without: Sequence[str]) -> dict[str, Any]:
    confidence: list[list[float]] = []
    cosine: list[list[float]] = []
    for asked in ([text for texts in with_answer.values() for text in texts], without):
        found = [index.search(text, k=5, channels=["vision"]) for text in asked]
        confidence.append([max((m.confidence for m in moments), default=0.0) for moments in found])
        cosine.append([max((hit.score for m in moments for hit in m.hits), default=-1.0) for moments in found])
    levels = sorted({0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, index.config.search.min_confidence})
    return {
        "queries": [len(values) for values in confidence],
        "ROC AUC, confidence": auc_with_interval(*confidence, counts=[len(texts) for texts in with_answer.values()]),
        "ROC AUC, cosine": auc_with_interval(*cosine, counts=[len(texts) for texts in with_answer.values()]),
        "reached with and without an answer": {
            str(least): [round(float(np.mean(np.array(values) >= least)), 3) for values in confidence]
            for least in levels
        },
    }


def how_sure(
    index: VideoIndex, names: dict[str, str], asked: Sequence[tuple[str, Sequence[Stretch]]]
) -> dict[str, float]:
    """Of first answers. asked: texts with their places, none where nothing answers."""
    confidence, right = [], []
    for text, places in asked:
        first = index.search(text, k=1, channels=["vision"])[0]
        confidence.append(first.confidence)
        here = [Span(place.start_s, place.end_s) for place in places if place.video == names[first.video_id]]
        right.append(any(place.overlap_s(first.span) > 0 for place in here))
    sure, true = np.array(confidence), np.array(right)
    answerable, shown = np.array([bool(places) for _, places in asked]), sure >= index.config.search.min_confidence
    figures = {
        "answers": len(sure),
        "right": int(true.sum()),
        "mean confidence": sure.mean(),
        "ECE": calibration_error(sure, true),
        "area, right or wrong": roc_auc(sure[true], sure[~true]),
        "area, answer or none": roc_auc(sure[answerable], sure[~answerable]),
        "right shown as good": shown[true].mean(),
        "wrong shown as good": shown[answerable & ~true].mean(),
        "without answer shown as good": shown[~answerable].mean(),
    }
    return {name: round(float(value), 3) for name, value in figures.items()}


def auc_with_interval(matching: list[float], other: list[float], *, counts: list[int]) -> str:
    """With its 95 % interval by resampling clips (counts: how many of `matching` are of each) and `other`."""
    rng = np.random.default_rng(0)
    of_clip, others = np.split(np.array(matching), np.cumsum(counts)[:-1]), np.array(other)
    drawn = []
    for _ in range(1000):
        clips = np.concatenate([of_clip[i] for i in rng.integers(len(of_clip), size=len(of_clip))])
        drawn.append(roc_auc(clips, rng.choice(others, len(others))))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{roc_auc(matching, other):.3f} [{low:.3f}, {high:.3f}]"


def read_clips(folder: Path, half: str, seed: int, count: int) -> tuple[list[Piece], dict[str, list[str]]]:
    """The half's clips as pieces, and `count` texts for each; 0: all."""
    with (folder / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["file"])
    rng = random.Random(seed)
    chosen = set(rng.sample([row["file"] for row in rows], len(rows) // 2))
    texts: dict[str, list[str]] = {}
    for line in (folder / "captions.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        others = [*entry["dataset_captions"], entry["label"].partition(" (")[0], keywords(entry["caption"])]
        texts[entry["file"]] = list(dict.fromkeys(text for text in (entry["caption"], *others) if text))[
            : count or None
        ]
    pieces = []
    for row in rows:
        if (row["file"] in chosen) == (half == "tuning"):
            path = folder / row["file"]
            sound = None if row["acodec"] in ("", "none") else path
            pieces.append(Piece(row["file"], float(row["duration_s"]), path, sound))
    return pieces, {piece.name: texts[piece.name] for piece in pieces}


def keywords(text: str) -> str:
    """The first four words that mean something: how people ask who do not write sentences."""
    words = [word.strip(".,;:()").lower() for word in text.split()]
    return " ".join([word for word in words if word and word not in LITTLE][:4])


def build(args: argparse.Namespace, pieces: list[Piece], folder: Path, half: str) -> list[Assembled]:
    hands = deal(pieces, videos=args.videos, duration_s=args.minutes * 60, seed=args.seed)
    outs = [folder / "videos" / f"{half}-{i:02d}.mkv" for i in range(len(hands))]
    return [
        placed(hand, out) if out.exists() else assemble(hand, out, cache=args.work / "pieces")
        for hand, out in zip(hands, outs, strict=True)
    ]


def ask(videos: list[Assembled], texts: dict[str, list[str]]) -> list[EvalQuery]:
    """Each text asks for every place of its clip."""
    queries = []
    for name, given in texts.items():
        answers = tuple(Answer(v.path.name, v.spans_of(name)) for v in videos if v.spans_of(name))
        if answers:
            queries += [EvalQuery(f"{name}#{i}", "text", text, answers, "vision") for i, text in enumerate(given)]
    return queries


def write_queries(queries: list[EvalQuery], file: Path) -> None:
    lines = []
    for query in queries:
        answers = [{"video": s.video, "start_s": s.start_s, "end_s": s.end_s} for s in query.stretches]
        lines.append({"id": query.query_id, "text": query.value, "channel": query.channel, "answers": answers})
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")


class Frames:
    """The plain ways to answer, on the very vectors the index holds."""

    def __init__(self, index: VideoIndex, names: dict[str, str]) -> None:
        self.channel = index.parts.channels["vision"]
        self.segments: list[np.ndarray] = []
        self.rows: list[np.ndarray] = []
        self.spans: list[Stretch] = []
        self.places: list[tuple[str, float]] = []
        for batch in index.parts.store.scan(self.channel.collection, segments=True):
            for row in batch:
                assert isinstance(row.vector, np.ndarray)
                video, span = names[row.clip.video_id], row.clip.span
                self.rows.append(row.vector)
                self.spans.append(Stretch(video, span.start_s, span.end_s))
                if row.segments is not None and row.segment_times_s is not None:
                    self.segments.extend(row.segments.astype(np.float32))
                    self.places.extend((video, float(t)) for t in row.segment_times_s)

    def gap_merged(self, text: str, *, k: int) -> list[Stretch]:
        scores = np.stack(self.segments) @ self._vector(text)
        best = np.argsort(-scores, kind="stable")[: max(8 * k, 32)]
        per_video: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for i in best:
            video, time_s = self.places[int(i)]
            per_video[video].append((time_s, float(scores[i])))
        spans = []
        for video, hits in per_video.items():
            spans += [(score, Stretch(video, a, b)) for a, b, score in gap_merge(sorted(hits))]
        return [span for _, span in sorted(spans, key=lambda pair: -pair[0])[:k]]

    def clips(self, text: str, *, k: int) -> list[Stretch]:
        scores = np.stack(self.rows) @ self._vector(text)
        return [self.spans[int(i)] for i in np.argsort(-scores, kind="stable")[:k]]

    def _vector(self, text: str) -> np.ndarray:
        vector = self.channel.encoder.encode_query("text", text)
        assert isinstance(vector, np.ndarray)
        return vector


def gap_merge(hits: Sequence[tuple[float, float]], *, gap_s: float = 4.0) -> list[tuple[float, float, float]]:
    """The plain way to make spans: hits (time_s, score), in order of time, merged when at most gap_s apart.

    Returns (start_s, end_s, best score) by score down, then start. A lone hit gives an empty span, start_s == end_s.
    """
    spans: list[tuple[float, float, float]] = []
    for time_s, score in hits:
        if spans and time_s - spans[-1][1] <= gap_s:
            spans[-1] = (spans[-1][0], time_s, max(spans[-1][2], score))
        else:
            spans.append((time_s, time_s, score))
    return sorted(spans, key=lambda span: (-span[2], span[0]))


def hit_at_1(found: list[list[Stretch]], true: list[list[Stretch]]) -> list[float]:
    return recalls(found, true, n=1, iou=0.5).astype(float).tolist()


def rounded(report: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in report.items()}


if __name__ == "__main__":
    main()
