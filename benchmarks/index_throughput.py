"""Seconds of video indexed per second, against amon-hen's pipeline with the same image tower in the same run.

    python benchmarks/index_throughput.py --out throughput.json
    pip install onnx onnxruntime                                            # for the peer, optional
    pip install --no-deps --target /tmp/peer amon-hen==0.1.21 sqlite-vec prompt-toolkit wcwidth \\
        pysqlite3-binary
    python benchmarks/index_throughput.py --peer /tmp/peer --out throughput.json

MobileCLIP2-S0 with random weights (speed does not depend on weights), 1 frame a second, generated 1080p and 480p H.264
of five minutes, fixed and adaptive sampling. Each case runs in a process of its own, models loaded and warmed up
before the clock starts; also given are pure decoding and pure encoding of the frames that were kept, peak memory, and
frames sampled, kept and encoded. The peer gets the same tower as an ONNX file, as it ships its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _machine import facts, peak_memory_mb
from _videos import long_video

ARCH = "MobileCLIP2-S0"
SIZES = {"1080p": (1920, 1080), "480p": (854, 480)}


def save_tower(folder: Path, *, onnx: bool) -> Path:
    """The tower with seeded random weights: a local open_clip checkpoint, and its picture side as ONNX."""
    import open_clip
    import torch
    from safetensors.torch import save_model

    if (folder / ("vision.onnx" if onnx else "open_clip_model.safetensors")).exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = open_clip.create_model(ARCH, load_weights=False, pretrained_image=False, pretrained_text=False).eval()
    config = open_clip.get_model_config(ARCH)
    preprocess = {
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
        "interpolation": "bilinear",
        "resize_mode": "shortest",
    }
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    save_model(model, str(folder / "open_clip_model.safetensors"))
    if not onnx:
        return folder
    pixels = torch.zeros(2, 3, 256, 256)
    names: dict[str, Any] = {"input_names": ["pixels"], "dynamic_axes": {"pixels": {0: "batch"}}}
    torch.onnx.export(model.visual, (pixels,), str(folder / "vision.onnx"), dynamo=False, opset_version=17, **names)
    return folder


def ours(video: Path, tower: Path, mode: str, engine: str, scratch: Path) -> dict[str, Any]:
    """`index.add` as a user calls it: thumbnails, catalog and store included."""
    import numpy as np

    import vidembed
    from vidembed.build.channels import lane
    from vidembed.types import Clip, FrameBatch, Span

    overrides = {
        "channels.vision.model": str(tower),
        "channels.vision.engine": engine,
        "channels.sound.enabled": False,
        "channels.caption.enabled": False,
        "search.calibration.enabled": False,
        "sample.rate_hz": 1.0,
        "sample.mode": mode,
    }
    with vidembed.open_index(scratch / "index", profile="starter", overrides=overrides) as index:
        encoder = index.load(lane("vision", index.config.channels["vision"])).encoder
        warm = FrameBatch(np.zeros((8, 256, 256, 3), np.uint8), np.arange(8.0))
        encoder.encode_clips([warm], [Clip.make("0" * 32, 0, Span(0, 8))])
        started = time.perf_counter()
        report = index.add(video)
        wall_s = time.perf_counter() - started
        kept = int(report.counts.get("kept", 0))
        batch = FrameBatch(np.random.default_rng(0).integers(0, 255, (32, 288, 512, 3), np.uint8), np.arange(32.0))
        started = time.perf_counter()
        for _ in range(max(1, kept // 32)):
            encoder.encode_clips([batch], [Clip.make("0" * 32, 0, Span(0, 32))])
        encode_s = (time.perf_counter() - started) * kept / (32 * max(1, kept // 32))
    decode_s = pure_decode(video, mode)
    return {
        "wall_s": wall_s,
        "video_s": report.seconds_of_video,
        "counts": dict(report.counts),
        "decode_s": decode_s,
        "encode_s": encode_s,
        "failed": len(report.failed),
    }


def pure_decode(video: Path, mode: str) -> float:
    from vidembed.media.reader import open_video

    started = time.perf_counter()
    with open_video(video) as reader:
        for _ in reader.stream(rate_hz=1.0, short_side_px=288, mode=mode):
            pass
    return time.perf_counter() - started


def peer(video: Path, tower: Path, mode: str, scratch: Path) -> dict[str, Any]:
    """amon-hen's own pipeline, sampler and store; only the model file is ours."""
    try:  # the peer's store loads an SQLite extension, which some Pythons are built without
        import pysqlite3

        sys.modules["sqlite3"] = pysqlite3
    except ImportError:
        pass
    import numpy as np
    import onnxruntime
    from amonhen.encode import ImageEncoder
    from amonhen.pipeline import IndexConfig, index_videos
    from amonhen.store import Store

    session = onnxruntime.InferenceSession(str(tower / "vision.onnx"), providers=["CPUExecutionProvider"])
    encoder = ImageEncoder(session_factory=lambda spec: session)
    encoder.embed([np.zeros((256, 256, 3), np.uint8)] * 8)
    store = Store(scratch / "peer.sqlite", 512)
    started = time.perf_counter()
    result = index_videos([video], store, IndexConfig(fps=1.0, sampler=mode), encoder)
    wall_s = time.perf_counter() - started
    counts = {name: getattr(result, name) for name in ("frames_decoded", "frames_kept")}
    return {"wall_s": wall_s, "counts": counts}


def one(arguments: argparse.Namespace) -> None:
    """One case in this process; prints its JSON as the last line."""
    who, mode, video, tower = arguments.one
    with tempfile.TemporaryDirectory() as scratch:
        if who == "ours":
            result = ours(Path(video), Path(tower), mode, arguments.engine, Path(scratch))
        else:
            result = peer(Path(video), Path(tower), mode, Path(scratch))
    print(json.dumps({**result, "peak_mb": peak_memory_mb()}))


def child(arguments: argparse.Namespace, who: str, mode: str, video: Path, tower: Path) -> dict[str, Any]:
    environment = dict(os.environ)
    if arguments.peer:
        environment["PYTHONPATH"] = os.pathsep.join([str(arguments.peer), environment.get("PYTHONPATH", "")])
    command = [sys.executable, __file__, "--one", who, mode, str(video), str(tower), "--engine", arguments.engine]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "unknown"}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--sizes", nargs="+", choices=sorted(SIZES), default=["1080p", "480p"])
    parser.add_argument("--modes", nargs="+", choices=["fixed", "adaptive"], default=["fixed", "adaptive"])
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--peer", type=Path, help="folder into which amon-hen was installed with pip --target")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "vidembed-throughput")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments)
        return
    tower = save_tower(arguments.work / "tower", onnx=arguments.peer is not None)
    rows = []
    for size in arguments.sizes:
        width, height = SIZES[size]
        video = long_video(arguments.work, width=width, height=height, seconds=arguments.seconds)
        for mode in arguments.modes:
            best: dict[str, dict[str, Any]] = {}
            for _ in range(arguments.rounds):  # in turn, so that a busy moment does not hit one of them alone
                for who in ("ours", "peer") if arguments.peer else ("ours",):
                    result = child(arguments, who, mode, video, tower)
                    if "error" in result or result["wall_s"] < best.get(who, {"wall_s": 1e9}).get("wall_s", 1e9):
                        best[who] = result
            row = {"video": size, "mode": mode, "seconds": arguments.seconds, **best}
            mine = best["ours"]
            if "error" not in mine:
                row["x_real_time"] = round(arguments.seconds / mine["wall_s"], 2)
                row["against_slower_of_decode_and_encode"] = round(
                    mine["wall_s"] / max(mine["decode_s"], mine["encode_s"]), 2
                )
                if "wall_s" in best.get("peer", {}):
                    row["times_the_peer"] = round(best["peer"]["wall_s"] / mine["wall_s"], 2)
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    report = {
        "benchmark": "index_throughput",
        "machine": facts(["torch", "open_clip_torch", "openvino", "av"]),
        "rows": rows,
    }
    text = json.dumps(report, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
