"""Which engine runs an image tower fastest on this CPU, and does it agree with torch float32?

    python benchmarks/image_tower.py --arch MobileCLIP2-S0 ViT-B-32-SigLIP2-256 --batch 8 --out image_tower.json

Weights are random: speed does not depend on them, and agreement is measured engine against engine. Every engine is
timed in turn, several rounds, so that a busy moment of the machine does not hit one of them alone. Given are the best
round's pictures a second and, for machines with other work on them, pictures per second of processor time.
Engines whose packages are missing are left out and named.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _machine import facts
from PIL import Image as PILImage
from timm.utils.model import reparameterize_model

from vidembed.models.encoders import _conversion, _openvino
from vidembed.models.encoders._engines import Compiled
from vidembed.models.encoders._pictures import Preparation

Run = Callable[[], np.ndarray]
ENGINES = ("torch", "torch-fused", "torch-channels-last", "torch-compile", "torch-bf16", "openvino-f32",
           "openvino-bf16", "onnxruntime-f32")  # fmt: skip


def tower_of(arch: str) -> tuple[torch.nn.Module, tuple[int, int]]:
    import open_clip

    torch.manual_seed(0)
    model = open_clip.create_model(arch, load_weights=False, pretrained_image=False, pretrained_text=False)
    return model.visual.eval().requires_grad_(False), model.visual.image_size


def in_torch(tower: torch.nn.Module, pixels: torch.Tensor) -> Run:
    def run() -> np.ndarray:
        with torch.inference_mode():
            return tower(pixels).float().numpy()

    return run


def in_openvino(tower: torch.nn.Module, pixels: torch.Tensor, dtype: str, cache: Path) -> Run:
    size = (pixels.shape[2], pixels.shape[3])
    folder = cache / dtype
    folder.mkdir()
    _conversion.convert_tower(tower, size, folder)
    compiled = Compiled(folder / _openvino.MODEL, dtype=dtype, piece=_openvino.PIECE)
    return lambda: compiled(pixels.numpy())[0]


def in_onnxruntime(tower: torch.nn.Module, pixels: torch.Tensor, folder: Path) -> Run:
    import onnxruntime

    path = folder / "tower.onnx"
    names = {"input_names": ["pixels"], "dynamic_axes": {"pixels": {0: "batch"}}}
    torch.onnx.export(tower, (pixels[:2],), str(path), dynamo=False, opset_version=17, **names)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    values = pixels.numpy()
    return lambda: session.run(None, {"pixels": values})[0]


def make(engine: str, tower: torch.nn.Module, fused: torch.nn.Module, pixels: torch.Tensor, folder: Path) -> Run:
    if engine == "torch":
        return in_torch(tower, pixels)
    if engine == "torch-fused":
        return in_torch(fused, pixels)
    if engine == "torch-channels-last":
        own = copy.deepcopy(fused).to(memory_format=torch.channels_last)
        return in_torch(own, pixels.contiguous(memory_format=torch.channels_last))
    if engine == "torch-compile":
        return in_torch(torch.compile(fused), pixels)  # type: ignore[arg-type]
    if engine == "torch-bf16":
        return in_torch(copy.deepcopy(fused).bfloat16(), pixels.bfloat16())
    if engine.startswith("openvino"):
        return in_openvino(fused, pixels, {"f32": "float32", "bf16": "bfloat16"}[engine.split("-")[1]], folder)
    return in_onnxruntime(fused, pixels, folder)


def cosine(rows: np.ndarray, reference: np.ndarray) -> float:
    """The smallest cosine between rows of the same place."""
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(reference, axis=1)
    return float(((rows * reference).sum(axis=1) / lengths).min())


def timed(runs: dict[str, Run], *, pictures: int, rounds: int) -> dict[str, dict[str, float]]:
    """Per engine: pictures a second in its best round, and pictures per second of processor time over all."""
    best = dict.fromkeys(runs, float("inf"))
    spent = dict.fromkeys(runs, 0.0)
    for _ in range(rounds):
        for engine, run in runs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            best[engine] = min(best[engine], time.perf_counter() - wall)
            spent[engine] += time.process_time() - cpu
    return {
        engine: {
            "images_per_s": round(pictures / best[engine], 2),
            "images_per_cpu_s": round(pictures * rounds / spent[engine], 2),
        }
        for engine in runs
    }


def towers(arch: str, engines: list[str], batch: int, rounds: int) -> dict[str, Any]:
    tower, size = tower_of(arch)
    fused = reparameterize_model(copy.deepcopy(tower))
    pixels = torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(1))
    reference = in_torch(tower, pixels)()
    runs: dict[str, Run] = {}
    found: dict[str, dict[str, Any]] = {}
    left_out: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for engine in engines:
            start = time.perf_counter()
            try:
                runs[engine] = make(engine, tower, fused, pixels, Path(folder))
                rows = runs[engine]()
            except Exception as error:  # the point is to compare what runs here
                runs.pop(engine, None)
                left_out[engine] = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
                continue
            found[engine] = {"setup_s": round(time.perf_counter() - start, 1)}
            found[engine]["cosine"] = round(cosine(rows, reference), 6)
        for engine, figures in timed(runs, pictures=batch, rounds=rounds).items():
            found[engine] |= figures
    return {"arch": arch, "size_px": list(size), "batch": batch, "engines": found, "left_out": left_out}


def preprocessing(rounds: int, frames: int = 32) -> dict[str, Any]:
    """Frames of 640x360 to 256x256: ours in batches against open_clip's own pipeline, one by one through Pillow."""
    import open_clip

    rgb = np.random.default_rng(0).integers(0, 256, (frames, 360, 640, 3), dtype=np.uint8)
    mean, std = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    reference = open_clip.image_transform(
        256, is_train=False, mean=mean, std=std, resize_mode="squash", interpolation="bicubic"
    )
    ours = Preparation((256, 256), mean, std, resize_mode="squash")
    runs: dict[str, Run] = {
        "vidembed": lambda: ours(list(rgb)),
        "open_clip": lambda: torch.stack([reference(PILImage.fromarray(frame)) for frame in rgb]).numpy(),
    }
    difference = float(np.abs(runs["vidembed"]() - runs["open_clip"]()).max() * 0.5 * 255)
    figures = timed(runs, pictures=frames, rounds=rounds)
    return {"frame_px": [360, 640], "to_px": 256, **figures, "largest_difference_of_255": round(difference, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", nargs="+", default=["MobileCLIP2-S0", "ViT-B-32-SigLIP2-256", "PE-Core-S-16-384"])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, help="write the JSON here instead of stdout")
    args = parser.parse_args()
    report = {
        "benchmark": "image_tower",
        "machine": facts(["torch", "open_clip_torch", "timm", "openvino", "onnxruntime"]),
        "threads": torch.get_num_threads(),
        "preprocessing": preprocessing(args.rounds),
        "towers": [towers(arch, args.engines, args.batch, args.rounds) for arch in args.arch],
    }
    text = json.dumps(report, indent=2)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
