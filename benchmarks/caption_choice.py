"""Is choosing captions by embeddings worth it, and what is a score worth? Measured on pictures with human captions.

    python benchmarks/caption_choice.py --images DIR --captions captions.csv [--captioner starter-captioner]

The captioner proposes `--n` captions a picture; `captions/choose.py` chooses in the space of `--encoder`, with the
query bank and the other clips a run would use. The settings are fitted on the tenth of `train` that
training/train_captioner.py holds out and reported on `dev`: CIDEr-D of the captioner's own first choice, of a random
one, of the one chosen with the shipped and with the fitted settings, of the best and of one person's caption against
the others, with bootstrap intervals over pictures; the other metrics without.
`fitted` are the values for `ChoiceSettings`. The margin of the bank's sentences (`--bank` of them) is the smallest that
is as good as the best on pictures of the captioner's own kind: what they gain on other kinds cannot be seen here.

The logistic that turns a z-score into 0..1 is fitted to whether the chosen caption reaches half of what a person's
caption typically reaches; `reliability` says how often it does at each score.
captions.csv: columns file, caption, split.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any, cast

import _machine
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidembed.batching import batched
from vidembed.captions.choose import JudgeVectors, agreement, logistic, z_scores
from vidembed.captions.retrieval import RetrievalCaptioner, read_sentences
from vidembed.captions.run import Judge, VectorCaptioner
from vidembed.config.schema import ChoiceSettings
from vidembed.evaluation.bootstrap import compare, interval
from vidembed.evaluation.captions import caption_report, cider_d, tokens
from vidembed.models.registry import load_captioner, load_encoder
from vidembed.protocols import Captioner, ClipMedia, Encoder, VideoReader
from vidembed.search.calibration import read_bank
from vidembed.types import Clip, Floats, FrameBatch, Span, VideoInfo

Doubles = NDArray[np.float64]
CHANNEL = "vision"
FITTED = ("specificity", "prior", "consensus", "bank_margin", "middle_z", "slope")
NEVER = 100.0  # a margin that no sentence of the bank overcomes
FREE = 0.01  # of CIDEr-D: less than what 600 pictures can tell apart
OTHERS, UNLIKE = 64, 0.9  # as index/captioning.py does


@dataclass(frozen=True, eq=False)
class Part:
    """A split with what the captioner said, the bank's sentences last.

    channels[i]: picture i's view; scores[i]: CIDEr-D of each candidate; banked: how many are the bank's.
    """

    references: list[list[str]]
    texts: list[list[str]]
    channels: list[JudgeVectors]
    scores: list[Doubles]
    banked: int

    def z(self, specificity: float) -> list[Floats]:
        pairs = zip(self.texts, self.channels, strict=True)
        return [z_scores({CHANNEL: channel}, len(texts), specificity) for texts, channel in pairs]

    def agreement(self) -> list[Floats]:
        own = [np.arange(len(said)) < len(said) - self.banked for said in self.texts]
        return [agreement({CHANNEL: channel}, mine) for channel, mine in zip(self.channels, own, strict=True)]

    def pick(self, settings: ChoiceSettings, z: Sequence[Floats], agreed: Sequence[Floats]) -> list[int]:
        """What `choose.choose` would choose, with the z-scores at hand."""
        picks = []
        for row, shared in zip(z, agreed, strict=True):
            own = len(row) - self.banked
            places = np.concatenate([np.arange(own), np.arange(self.banked)])
            margin = settings.bank_margin * (np.arange(len(row)) >= own)
            picks.append(int(np.argmax(row - margin - settings.prior * places + settings.consensus * shared)))
        return picks

    def margined(self, settings: ChoiceSettings, z: Sequence[Floats], picks: Sequence[int]) -> Doubles:
        """The z-scores of the choices as `choose` maps them to 0..1."""
        taken = [row[k] - settings.bank_margin * (k >= len(row) - self.banked) for row, k in zip(z, picks, strict=True)]
        return np.array(taken, dtype=np.float64)

    def of(self, picks: Sequence[int]) -> Doubles:
        return np.array([scores[k] for scores, k in zip(self.scores, picks, strict=True)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder the files are in")
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--captioner", default="starter-captioner")
    parser.add_argument("--encoder", default="starter")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=JSON", help="of the captioner (caption.options)"
    )
    parser.add_argument("--n", type=int, default=8, help="proposals a picture")
    parser.add_argument("--bank", type=int, default=3, help="sentences of the caption bank a picture")
    parser.add_argument("--fit", type=int, default=600, help="pictures of train; 0 = fit nothing")
    parser.add_argument("--report", type=int, default=1000, help="pictures of dev; 0 = only fit")
    parser.add_argument("--examples", type=int, default=0, help="random pictures of dev with what was said of them")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    table = read_captions(args.captions)
    encoder = cast(Encoder, load_encoder(args.encoder))
    options = {name: json.loads(value) for name, _, value in (item.partition("=") for item in args.option)}
    captioner = load_captioner(args.captioner, **options)
    bank = encoder.encode("text", read_bank())
    parts: dict[str, Part] = {}
    speed: dict[str, float] = {}
    for split, count, files in (
        ("train", args.fit, held_out(sorted(table["train"]))), ("dev", args.report, sorted(table["dev"]))
    ):  # fmt: skip
        files = np.random.default_rng(5).permutation(files)[:count].tolist()
        if not files:
            continue
        began = time.perf_counter()
        parts[split] = prepare(args.images, files, [table[split][f] for f in files], encoder, captioner, bank, args)
        speed[split] = round(len(files) / (time.perf_counter() - began), 2)
    shipped = ChoiceSettings()
    settings, trace = fit(parts["train"]) if args.fit else (shipped, {})
    report: dict[str, Any] = {
        "captioner": args.captioner, "encoder": args.encoder, "candidates": args.n, "bank": args.bank,
        "seed": args.seed,
        "pictures": {name: len(part.texts) for name, part in parts.items()}, "pictures_per_second": speed,
        "fitted": {name: round(getattr(settings, name), 3) for name in FITTED},
        "fit_cider_d": trace, "machine": _machine.facts(["torch", "transformers"]),
    }  # fmt: skip
    for split, part in parts.items():
        report[split] = measure(part, shipped, settings, args.seed)
    if args.examples and args.report:
        report["examples"] = examples(parts["dev"], settings, args.examples)
    json.dump(report, sys.stdout, indent=2)
    print()
    return 0


def held_out(files: Sequence[str]) -> list[str]:
    """The tenth of the sorted training files that training/train_captioner.py chooses by and does not train on."""
    return [files[i] for i in np.random.default_rng(7).permutation(len(files))[: len(files) // 10]]


def read_captions(path: Path) -> dict[str, dict[str, list[str]]]:
    """split -> file -> captions"""
    table: dict[str, dict[str, list[str]]] = {}
    with path.open(newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            table.setdefault(row["split"], {}).setdefault(row["file"], []).append(row["caption"])
    return table


def prepare(
    folder: Path, files: Sequence[str], references: list[list[str]], encoder: Encoder, captioner: Captioner,
    bank: Floats, args: argparse.Namespace,
) -> Part:  # fmt: skip
    """Look at the pictures, let the captioner speak, and embed what it said."""
    vectors = np.concatenate(
        [encoder.encode("image", [picture(folder / f) for f in part]) for part in batched(files, 32)]
    )
    media = [clip(i, folder / f) for i, f in enumerate(files)]
    places = {m.clip.clip_id: i for i, m in enumerate(media)}

    def others(one: Clip) -> Floats:
        i = places[one.clip_id]
        sample = np.random.default_rng(i).permutation(len(vectors))[:OTHERS]
        unlike = vectors[sample[sample != i]]
        return unlike[unlike @ vectors[i] < UNLIKE]

    judge = Judge(
        embed=lambda texts: encoder.encode("text", list(texts)), bank=bank,
        vector=lambda one: vectors[places[one.clip_id]], others=others,
    )  # fmt: skip
    if isinstance(captioner, VectorCaptioner):
        captioner.compare_by({CHANNEL: judge}, ChoiceSettings())
    texts: list[list[str]] = []
    for batch in batched(media, 16):
        shown = [replace(m, frames=FrameBatch(picture(m.info.path)[None], np.zeros(1))) for m in batch]
        texts += captioner.candidates(shown, n=args.n, seed=args.seed)
    if args.bank:
        kept = RetrievalCaptioner(read_sentences())
        kept.compare_by({CHANNEL: judge}, ChoiceSettings())
        for said, found in zip(texts, kept.candidates(media, n=args.bank), strict=True):
            said += [text[:1].upper() + text[1:] for text in found]
    channels, scores = [], iter(cider(texts, references))
    flat = iter(np.concatenate([encoder.encode("text", part) for part in batched([t for g in texts for t in g], 256)]))
    for m, said in zip(media, texts, strict=True):
        rows = np.stack([next(flat) for _ in said])
        channels.append(JudgeVectors(rows, judge.vector(m.clip), bank, others(m.clip)))  # type: ignore[arg-type]
    return Part(references, texts, channels, [np.array([next(scores) for _ in said]) for said in texts], args.bank)


def clip(number: int, path: Path) -> ClipMedia:
    info = VideoInfo(f"{number:032x}", path, 1, 1, 1.0, 224, 224, Fraction(1), None, None)
    return ClipMedia(Clip.make(info.video_id, 0, Span(0.0, 1.0)), info, None, cast(VideoReader, None))


def picture(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def cider(texts: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr-D of every text against its picture's references, words weighted over all pictures."""
    words = [tokens(text) for said in texts for text in said]
    split = [[tokens(r) for r in refs] for refs in references]
    repeated = [refs for said, refs in zip(texts, split, strict=True) for _ in said]
    return cider_d(words, repeated).tolist()  # type: ignore[no-any-return]


def fit(part: Part) -> tuple[ChoiceSettings, dict[str, float]]:
    """Specificity, prior, consensus by the mean CIDEr-D of what they choose; the margin; then the logistic."""
    trace: dict[str, float] = {}
    agreed = part.agreement()
    best = (-1.0, ChoiceSettings())
    for specificity in (0.0, 0.25, 0.5, 0.75, 1.0):
        z = part.z(specificity)
        for prior, consensus in product((0.0, 0.05, 0.1, 0.2, 0.3), (0.0, 1.0, 2.0)):
            settings = ChoiceSettings(specificity=specificity, prior=prior, consensus=consensus, bank_margin=NEVER)
            mean = float(part.of(part.pick(settings, z, agreed)).mean())
            trace[f"specificity {specificity} prior {prior} consensus {consensus}"] = round(mean, 4)
            if mean > best[0]:
                best = (mean, settings)
    settings = best[1]
    z = part.z(settings.specificity)
    means = {}
    for margin in (3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0):
        means[margin] = float(part.of(part.pick(settings.model_copy(update={"bank_margin": margin}), z, agreed)).mean())
        trace[f"bank margin {margin}"] = round(means[margin], 4)
    margin = min(m for m, mean in means.items() if mean >= max(means.values()) - FREE)
    settings = settings.model_copy(update={"bank_margin": margin})
    chosen = part.pick(settings, z, agreed)
    middle, slope = fit_logistic(part.margined(settings, z, chosen), part.of(chosen) >= good_enough(part))
    return settings.model_copy(update={"middle_z": middle, "slope": slope}), trace


def people(part: Part) -> Doubles:
    """CIDEr-D of each picture's first caption against the others: what a person reaches."""
    alone = [[refs[0]] for refs in part.references]
    return np.array(cider(alone, [refs[1:] for refs in part.references]))


def good_enough(part: Part) -> float:
    return float(np.median(people(part))) / 2


def fit_logistic(z: Doubles, right: NDArray[np.bool_]) -> tuple[float, float]:
    """(middle_z, slope) of P(right) = 1 / (1 + exp(-slope (z - middle_z))), by Newton's method."""
    x = np.stack([z, np.ones_like(z)], axis=1)
    w = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(2)
        w += np.linalg.solve(hessian, x.T @ (right - p) - 1e-3 * w)
    return float(-w[1] / w[0]), float(w[0])


def measure(part: Part, shipped: ChoiceSettings, fitted: ChoiceSettings, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    agreed = part.agreement()
    own = [len(said) - part.banked for said in part.texts]
    views = {"shipped": (shipped, part.z(shipped.specificity)), "fitted": (fitted, part.z(fitted.specificity))}
    picks = {
        "own first choice": [0] * len(part.texts),
        "random": [int(rng.integers(count)) for count in own],
        **{f"chosen, {name} settings": part.pick(*view, agreed) for name, view in views.items()},
        "best of all": [int(np.argmax(scores[:count])) for scores, count in zip(part.scores, own, strict=True)],
    }
    values = {name: part.of(chosen) for name, chosen in picks.items()}
    report: dict[str, Any] = {"cider_d": {name: str(interval(v)) for name, v in values.items()}}
    report["cider_d"]["a person"] = str(interval(people(part)))
    for key, (settings, z) in views.items():
        name = f"chosen, {key} settings"
        for other in ("own first choice", "random"):
            result = compare(values[other], values[name])
            report[f"{name} - {other}"] = {
                "difference": str(result.difference), "p": round(result.p, 4), "better": result.better,
                "worse": result.worse, "same": result.same,
            }  # fmt: skip
        scores = np.array([logistic(float(value), settings) for value in part.margined(settings, z, picks[name])])
        report[f"{name}: reliability"] = reliability(scores, values[name] >= good_enough(part))
        banked = [k >= count for k, count in zip(picks[name], own, strict=True)]
        report[f"{name}: share of the bank's"] = round(float(np.mean(banked)), 3)
    for name in list(picks)[:4]:
        said = [texts[k] for texts, k in zip(part.texts, picks[name], strict=True)]
        report[f"{name}: all"] = {k: round(v, 4) for k, v in caption_report(said, part.references).items()}
    return report


def examples(part: Part, settings: ChoiceSettings, count: int) -> list[dict[str, Any]]:
    """Random pictures, best first."""
    picks = part.pick(settings, part.z(settings.specificity), part.agreement())
    chosen = np.random.default_rng(3).permutation(len(picks))[:count]
    rows = [
        {"CIDEr-D": round(float(part.scores[i][picks[i]]), 2), "chosen": part.texts[i][picks[i]],
         "first": part.texts[i][0], "a person": part.references[i][0]}
        for i in chosen.tolist()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: -row["CIDEr-D"])


def reliability(scores: Doubles, right: NDArray[np.bool_]) -> dict[str, Any]:
    bins: dict[str, Any] = {}
    for low in np.arange(0, 1, 0.2):
        inside = (scores >= low) & (scores < low + 0.2)
        if inside.any():
            bins[f"{low:.1f}-{low + 0.2:.1f}"] = {
                "captions": int(inside.sum()),
                "right": round(float(right[inside].mean()), 3),
            }
    return {
        "brier": round(float(np.mean((scores - right) ** 2)), 4),
        "base": round(float(right.mean()), 3),
        "bins": bins,
    }


if __name__ == "__main__":
    sys.exit(main())
