"""What the towers of the profiles cost: seconds of work for one minute of video, memory, agreement of the dtypes.

    python benchmarks/profiles.py [--device cuda] [--models pe-core-s-16-384 ...] [--json profiles.json]

Random weights of the real size (`_random_models`), so that nothing is fetched and no vector means anything; the work is
that of the real ones, loaded and run as a channel does it. A clip is ten seconds; a channel of frames has one frame a
second (two in `gpu`), a text channel a line a second. Decoding is not counted (`decode.py`). Each model runs in a
process of its own, one dtype after the other; one that fails is a row with its error. cosine: the smallest between a
vector and that of float32 on the same device. --keep DIR keeps the weights, for `vidembed index --set weights_dir=DIR`.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from _machine import facts, peak_memory_mb

CLIP_S = 10
PACKAGES = ("torch", "transformers", "sentence-transformers", "open_clip_torch", "timm", "openvino")
DTYPES = {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "bfloat16", "float16")}
BATCHES = {"cpu": (8,), "cuda": (1, 8, 32, 64)}
CLIPS = {"cpu": 1, "cuda": 6}  # measured; the figures are for a minute
LIMIT_S = {"cpu": 3600, "cuda": 120}


@dataclass(frozen=True)
class Work:
    """One channel of one profile: what of a minute of video goes through which tower."""

    profile: str
    channel: str
    model: str
    modality: str
    rate_hz: float = 1.0  # of frames, or lines of text
    target: str | None = None  # of PE-AV


WORK = (
    Work("laptop", "vision", "pe-core-s-16-384", "image"),
    Work("laptop", "sound", "clap-htsat-unfused", "audio"),
    Work("laptop", "speech, ocr, caption", "multilingual-minilm-l12-v2", "text"),
    Work("gpu", "vision", "pe-core-l-14-336", "image", rate_hz=2.0),
    Work("gpu", "motion", "videoprism-lvt-large", "video"),
    Work("joint", "vision", "pe-av-base-16-frame", "video", target="video"),
    Work("gpu, joint", "sound", "pe-av-base-16-frame", "audio", target="audio"),
    Work("joint", "both", "pe-av-base-16-frame", "video", target="audio_video"),
    Work("gemma", "vision", "embeddinggemma-2", "video"),
    Work("gemma", "sound", "embeddinggemma-2", "audio"),
    Work("gemma", "speech, ocr, caption", "embeddinggemma-2", "text"),
    Work("-", "vision", "pe-core-t-16-384", "image"),
    Work("-", "vision", "pe-core-b-16", "image"),
    Work("-", "motion", "videoprism-lvt-base", "video"),
    Work("-", "clips", "qwen3-vl-embedding-2b", "video"),
)


def items_of(work: Work, spec: Any, clips: int) -> list[Any]:
    """Clips as the channel's encoder gets them: noise, for which no cost differs."""
    from vidembed.types import AudioSamples, AudioVisual, FrameBatch

    rng = np.random.default_rng(0)
    if work.modality == "text":
        return ["a photo of a red car and a dog in the lake"] * round(clips * CLIP_S * work.rate_hz)
    side = spec.input.image_px or 224
    frames = rng.integers(0, 255, (CLIP_S * 2, side, side * 16 // 9, 3), dtype=np.uint8)
    if work.modality == "image":
        return [frames[i % len(frames)] for i in range(round(clips * CLIP_S * work.rate_hz))]
    rate_hz = spec.input.rate_hz or 16_000
    sounds = [AudioSamples(rng.normal(0, 0.1, CLIP_S * rate_hz).astype(np.float32), rate_hz, 0.0) for _ in range(clips)]
    if work.modality == "audio":
        return sounds
    count = (
        min(spec.input.frames or CLIP_S, CLIP_S) if spec.factory.endswith("lean:load_sentence") else spec.input.frames
    )
    clip = FrameBatch(frames[:count], np.linspace(0, CLIP_S - 1, count))
    return [AudioVisual(clip, sound) for sound in sounds]


def encoder_of(work: Work, at: Path, device: str, dtype: str) -> Any:
    from vidembed.models import registry

    spec = replace(registry.find(work.model), repo=None, path=at)
    more = {"target": work.target} if work.target else {}
    return registry.load_encoder(spec, device=device, dtype=dtype, **more)


def engine_of(encoder: Any, modality: str) -> str:
    """What computes the vectors of a modality that was encoded."""
    lean = vars(encoder).get("_made")
    made = lean.get("texts") if lean else encoder.tower(modality) if hasattr(encoder, "tower") else None
    return "openvino" if type(made).__module__.endswith("._openvino") else "torch"


def measure(work: Work, at: Path, device: str, dtype: str, reference: np.ndarray | None) -> tuple[dict[str, Any], Any]:
    """One row, and the vectors of the first items."""
    import torch

    from vidembed.models import registry

    on_gpu = device.startswith("cuda")
    kind = "cuda" if on_gpu else "cpu"
    if "vidembed.models.encoders.pe_av" in sys.modules:  # it keeps the model for its other channels
        sys.modules["vidembed.models.encoders.pe_av"]._loaded.cache_clear()
    gc.collect()
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    encoder = encoder_of(work, at, device, dtype)
    loaded_s = time.perf_counter() - started
    items = items_of(work, registry.find(work.model), CLIPS[kind])
    to_minute = 60 / (CLIP_S * CLIPS[kind])
    vectors = encoder.encode(work.modality, items[:2])  # the first run chooses kernels
    seconds, work_s = {}, {}
    for size in BATCHES[kind]:
        if seconds and size // 2 >= len(items):
            break
        started, cpu_started = time.perf_counter(), time.process_time()
        for i in range(0, len(items), size):
            encoder.encode(work.modality, items[i : i + size])
        seconds[size] = round((time.perf_counter() - started) * to_minute, 3)
        work_s[size] = round((time.process_time() - cpu_started) * to_minute, 2)
    memory = torch.cuda.max_memory_allocated() / 1e6 if on_gpu else peak_memory_mb()
    best = min(seconds, key=lambda size: seconds[size])
    row = {
        "engine": engine_of(encoder, work.modality),
        "seconds_per_minute": seconds[best],
        "cpu_seconds_per_minute": work_s[best],  # of all cores: says more where others use them too
        "times_real_time": round(60 / seconds[best], 1),
        "batch": best,
        "by_batch": seconds,
        "memory_mb": round(memory),
        "load_s": round(loaded_s, 1),
        "cosine": None if reference is None else round(float((vectors * reference).sum(axis=1).min()), 5),
    }
    return row, vectors


def child(given: argparse.Namespace) -> None:
    """Rows of one model, one JSON line each."""
    import torch
    from _random_models import build

    works = [work for work in WORK if work.model == given.child]
    at = given.keep / given.child
    if not at.is_dir():
        build(given.child, at)
    size = sum(path.stat().st_size for path in at.rglob("*") if path.is_file())
    for work in works:
        reference: Any = None
        for dtype in given.dtypes or DTYPES["cuda" if given.device.startswith("cuda") else "cpu"]:
            about = {"profile": work.profile, "channel": work.channel, "model": work.model, "modality": work.modality}
            about |= {"device": given.device, "dtype": dtype, "weights_mb": round(size / 1e6)}
            try:
                row, vectors = measure(work, at, given.device, dtype, reference)
                reference = vectors if dtype == "float32" else reference
            except Exception as error:
                row = {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300]}"}
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
            print(json.dumps(about | row), flush=True)


def run_model(model: str, given: argparse.Namespace, keep: Path) -> list[dict[str, Any]]:
    """The model's rows, from a process of its own."""
    command = [sys.executable, __file__, "--child", model, "--device", given.device, "--keep", str(keep)]
    command += ["--dtypes", *given.dtypes] if given.dtypes else []
    limit_s = LIMIT_S["cuda" if given.device.startswith("cuda") else "cpu"]
    why = ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
        printed, why = done.stdout, (done.stderr.strip().splitlines() or ["no word"])[-1] if done.returncode else ""
    except subprocess.TimeoutExpired as error:
        printed, why = (error.stdout or b"").decode(), f"took more than {limit_s} s"
    rows = [json.loads(line) for line in printed.splitlines() if line.startswith('{"profile"')]
    return [*rows, {"model": model, "device": given.device, "error": why}] if why else rows


def main(arguments: Sequence[str] | None = None) -> int:
    models = list(dict.fromkeys(work.model for work in WORK))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--models", nargs="*", default=models, choices=models, metavar="MODEL")
    parser.add_argument("--dtypes", nargs="*", help="default: float32, bfloat16 and, on a GPU, float16; auto too")
    parser.add_argument("--keep", type=Path, help="folder for the weights; else they are deleted")
    parser.add_argument("--json", type=Path, help="where to write the result; else to standard output")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        child(given)
        return 0
    rows: list[dict[str, Any]] = []
    for model in given.models:
        with tempfile.TemporaryDirectory() as folder:
            found = run_model(model, given, given.keep or Path(folder))
        for row in found:
            print(json.dumps(row), file=sys.stderr, flush=True)
        rows += found
    import torch

    torch.cuda.is_available()
    text = json.dumps({"rows": rows, "machine": facts(PACKAGES)}, indent=1)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
