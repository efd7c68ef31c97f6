"""Decode folders of sounds into one bank, label them by file name, and ask the teacher (YAMNet) about all of them.

    python training/sound_bank.py --out bank --yamnet yamnet.tflite --classes yamnet_class_map.csv \
        --labelled audio/ --sounds debian/ --sounds made/

`--labelled DIR` has labels.csv (file, label, source, fold); rows of the held-out fold get split "held-out" and are
never trained on. `--sounds DIR` is searched for audio files, labelled by `sound_classes.labels_of(path)`; a label
counts only where the teacher agrees, except under a folder named "made". --free leaves out the rows of labels.csv whose
licence is not CC0 or CC BY. Needs PyAV, ai-edge-litert.

Writes bank.npy (int16 samples at 16 kHz, end to end), bank.jsonl (one row per file) and teacher.npz
(scores (F, 521) float16, embeddings (F, 1024) float16, one frame every 0.48 s; `frames` in each row points in).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from sound_classes import ESC10, SOUNDS, labels_of

RATE_HZ = 16_000
FRAME, HOP = 15_600, 7_680  # the teacher's window (0.975 s) and step (0.48 s)
SUFFIXES = {".ogg", ".wav", ".mp3", ".flac", ".oga", ".opus", ".g722"}
FREE = {"CC0", "CC-BY", "Freesound: Attribution", "Freesound: Creative Commons 0"}  # the column "licence"
CAP_S = 20.0
CONFIRM = 0.04  # the teacher's score above which it is taken to agree with the file's name


def decode(path: Path) -> NDArray[np.int16]:
    """(N,) int16 mono at 16 kHz; long files give three stretches of a third of CAP_S each."""
    parts: list[NDArray[np.int16]] = []
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        for frame in container.decode(audio=0):
            parts += [out.to_ndarray()[0] for out in resampler.resample(frame)]
            if len(parts) > 20_000:  # about 20 minutes
                break
        parts += [out.to_ndarray()[0] for out in resampler.resample(None)]
    samples = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    cap = int(CAP_S * RATE_HZ)
    if len(samples) > 2 * cap:
        third = cap // 3
        return np.concatenate([samples[int(len(samples) * at) :][:third] for at in (0.15, 0.45, 0.75)])
    return samples[:cap]


class Teacher:
    """YAMNet through LiteRT; the 1,024-d embedding is an internal tensor."""

    def __init__(self, model: Path, class_map: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.net = Interpreter(str(model), num_threads=1, experimental_preserve_all_tensors=True)
        self.net.allocate_tensors()
        self.input = self.net.get_input_details()[0]["index"]
        self.shape = tuple(self.net.get_input_details()[0]["shape"])
        self.output = self.net.get_output_details()[0]["index"]
        pooled = [t for t in self.net.get_tensor_details() if tuple(t["shape"]) in {(1, 1024), (1, 1, 1, 1024)}]
        self.embedding = next(t["index"] for t in pooled if "Mean" in t["name"] or "pool" in t["name"].lower())
        with class_map.open(newline="") as rows:
            self.names = [row["display_name"] for row in csv.DictReader(rows)]

    def __call__(self, samples: NDArray[np.int16]) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """(F, 521) scores and (F, 1024) embeddings of frames 0.48 s apart; the tail is padded with zeros."""
        count = max(1, 1 + -(-(len(samples) - FRAME) // HOP))
        wave = np.zeros(FRAME + HOP * (count - 1), np.float32)
        wave[: len(samples)] = samples[: len(wave)] / 32768
        scores, embeddings = [], []
        for i in range(count):
            self.net.set_tensor(self.input, wave[i * HOP : i * HOP + FRAME].reshape(self.shape))
            self.net.invoke()
            scores.append(self.net.get_tensor(self.output).reshape(-1))
            embeddings.append(self.net.get_tensor(self.embedding).reshape(-1))
        return np.array(scores, np.float16), np.array(embeddings, np.float16)


def listing(labelled: list[Path], sounds: list[Path], held_out: str, *, free: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for root in labelled:
        with (root / "labels.csv").open(newline="") as table:
            for row in csv.DictReader(table):
                if free and row["licence"] not in FREE:
                    continue
                known = ESC10.get(row["label"])
                labels = [known] if known else labels_of(f"{row['label'].replace(' ', '_')}/{row['file']}")
                split = "held-out" if row["fold"] == held_out else "train"
                rows.append({"path": str(root / row["file"]), "name": row["file"], "labels": labels, "split": split,
                             "fold": row["fold"], "sure": bool(known)})  # fmt: skip
    for root in sounds:
        for path in sorted(root.rglob("*")):
            if path.suffix.lower() not in SUFFIXES or not path.is_file():
                continue
            name = f"/{root.name}/{path.relative_to(root)}"
            # Thousands of spoken words in forty languages: one in fifteen is enough.
            if "_desc" in path.name and zlib.crc32(name.encode()) % 15:
                continue
            said = path.stem.partition("__")[0].replace("_", " ")  # by make_sounds.py
            labels = [said] if said in SOUNDS else labels_of(name)
            rows.append({"path": str(path), "name": name, "labels": labels, "split": "train", "fold": "",
                         "sure": root.name == "made"})  # fmt: skip
    return rows


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--yamnet", type=Path, required=True)
    parser.add_argument("--classes", type=Path, required=True)
    parser.add_argument("--labelled", type=Path, action="append", default=[])
    parser.add_argument("--sounds", type=Path, action="append", default=[])
    parser.add_argument("--held-out-fold", default="4")
    parser.add_argument("--free", action="store_true", help="of the labelled sounds only those under CC0 and CC BY")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    teacher = Teacher(args.yamnet, args.classes)
    column = {name: i for i, name in enumerate(teacher.names)}
    unknown = {c for sound in SOUNDS.values() for c in sound.audioset} - set(column)
    if unknown:
        raise SystemExit(f"not AudioSet display names: {sorted(unknown)}")

    kept: list[dict[str, Any]] = []
    bank, scores, embeddings = [], [], []
    at, frames, bad, seen = 0, 0, 0, set()
    for row in listing(args.labelled, args.sounds, args.held_out_fold, free=args.free):
        try:
            samples = decode(Path(row["path"]))
        except (av.FFmpegError, ValueError, IndexError) as error:
            print(f"skipped {row['name']}: {error}", file=sys.stderr)
            bad += 1
            continue
        digest = zlib.crc32(samples.tobytes())
        if len(samples) < 0.08 * RATE_HZ or np.abs(samples).max(initial=0) < 100 or digest in seen:
            bad += 1
            continue
        seen.add(digest)
        s, e = teacher(samples)
        best = s.max(axis=0)
        heard = {b: max(best[column[c]] for c in SOUNDS[b].audioset) for b in row["labels"]}
        agreed = [b for b in row["labels"] if row["sure"] or heard[b] >= CONFIRM]
        kept.append({"name": row["name"], "label": agreed[0] if agreed else None, "named": row["labels"][:1],
                     "split": row["split"], "fold": row["fold"], "start": at, "count": len(samples),
                     "frames": [frames, frames + len(s)]})  # fmt: skip
        bank.append(samples)
        scores.append(s)
        embeddings.append(e)
        at, frames = at + len(samples), frames + len(s)
        if len(kept) % 500 == 0:
            print(f"{len(kept)} files, {at / RATE_HZ / 60:.0f} minutes", file=sys.stderr, flush=True)
    np.save(args.out / "bank.npy", np.concatenate(bank))
    np.savez(args.out / "teacher.npz", scores=np.concatenate(scores), embeddings=np.concatenate(embeddings),
             names=np.array(teacher.names))  # fmt: skip
    with (args.out / "bank.jsonl").open("w") as out:
        out.writelines(json.dumps(row) + "\n" for row in kept)
    print(f"{len(kept)} files kept, {bad} skipped, {at / RATE_HZ / 3600:.2f} hours", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
