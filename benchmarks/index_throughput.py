"""Seconds of video indexed per second, against amon-hen's pipeline with the same image tower in the same run.

    python benchmarks/index_throughput.py --out throughput.json
    pip install onnx onnxruntime                                            # for the peer, optional
    pip install --no-deps --target /tmp/peer amon-hen==0.1.21 sqlite-vec prompt-toolkit wcwidth \\
        pysqlite3-binary
    python benchmarks/index_throughput.py --peer /tmp/peer --out throughput.json

MobileCLIP2-S0 with random weights (speed does not depend on weights), 1 frame a second, generated 1080p and 480p H.264
of five minutes, half of which moves. Each case runs in a process of its own, models loaded and warmed up before the
clock starts; also given are processor time, peak memory, and frames decoded, kept and encoded (pictures equal to the
one before are encoded once). The peer gets the same tower as an ONNX file, as it ships its own.

Modes: "fixed" and "adaptive" are both sides' own. Adaptive sampling means different things: ours leaves out what looks
the same, theirs also most of what moves. "sparse" is our adaptive sampling made to keep as few frames as theirs
(sample.distinct=0.4), against their adaptive.

Two bounds stand beside each time: the slower of pure decoding and pure encoding, each with all cores for itself; and
"least_s", the processor time of both over the number of cores, below which no order of the work can come while they
share these cores.
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
SPARSE = 0.4  # sample.distinct: on these films it keeps as many frames as the peer's adaptive sampling does
MODES = ("fixed", "adaptive", "sparse")
SIZES = {"1080p": (1920, 1080), "480p": (854, 480)}


def save_tower(folder: Path, *, onnx: bool) -> Path:
    """The tower with seeded random weights: a local open_clip checkpoint, and its picture side as ONNX."""
    if (folder / ("vision.onnx" if onnx else "open_clip_model.safetensors")).exists():
        return folder  # before torch is imported: what this process holds counts in the peak of those that it starts
    import open_clip
    import torch
    from safetensors.torch import save_model

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
    from vidembed.index.channels import channel_spec
    from vidembed.types import Clip, FrameBatch, Span

    sampling = {"sample.mode": "fixed" if mode == "fixed" else "adaptive"}
    if mode == "sparse":
        sampling["sample.distinct"] = SPARSE
    overrides = {
        "channels.vision.model": str(tower),
        "channels.vision.engine": engine,
        "channels.sound.enabled": False,
        "channels.caption.enabled": False,
        "search.calibration.enabled": False,
        "sample.rate_hz": 1.0,
        **sampling,
    }
    with vidembed.open_index(scratch / "index", profile="starter", overrides=overrides) as index:
        encoder = index.parts.load(channel_spec("vision", index.config.channels["vision"])).encoder
        noise = np.random.default_rng(0).integers(0, 255, (8, 288, 512, 3), np.uint8)
        encoder.encode_clips([FrameBatch(noise, np.arange(8.0))], [Clip.make("0" * 32, 0, Span(0, 8))])
        tower = encoder.encoder
        encode, encoded = tower.encode, [0]

        def counting(modality: str, items: Any) -> Any:
            encoded[0] += len(items)
            return encode(modality, items)

        tower.encode = counting
        whole = Clock()
        report = index.add(video)
        times = whole.read()
        tower.encode = encode
        alone = Clock()
        for start in range(0, encoded[0], 32):
            encode("image", [noise[n % len(noise)] for n in range(min(32, encoded[0] - start))])
        encode_alone = alone.read()
    return {
        **times,
        "video_s": report.seconds_of_video,
        "counts": {**report.counts, "encoded": encoded[0]},
        "decode": pure_decode(video, sampling["sample.mode"]),
        "encode": encode_alone,
        "failed": len(report.failed),
    }


class Clock:
    """Wall time and processor time of this process and those it started."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), self._spent()

    def read(self) -> dict[str, float]:
        return {
            "wall_s": round(time.perf_counter() - self._wall, 3),
            "cpu_s": round(self._spent() - self._cpu, 3),
        }

    @staticmethod
    def _spent() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pure_decode(video: Path, mode: str) -> dict[str, float]:
    from vidembed.media.reading.reader import open_video

    clock = Clock()
    with open_video(video) as reader:
        for _ in reader.stream(rate_hz=1.0, short_side_px=288, mode=mode):  # type: ignore[arg-type]
            pass
    return clock.read()


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
    clock = Clock()
    result = index_videos(
        [video], store, IndexConfig(fps=1.0, sampler="fixed" if mode == "fixed" else "adaptive"), encoder
    )
    times = clock.read()
    counts = {name: getattr(result, name) for name in ("frames_decoded", "frames_kept")}
    return {**times, "counts": counts}


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
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
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
                decode, encode = mine["decode"], mine["encode"]
                slower_s = max(decode["wall_s"], encode["wall_s"])
                least_s = max((decode["cpu_s"] + encode["cpu_s"]) / cores(), 1e-3)
                row["least_s"] = round(least_s, 2)
                row["against_slower_of_decode_and_encode"] = round(mine["wall_s"] / slower_s, 2)
                row["least_against_slower"] = round(least_s / slower_s, 2)
                row["against_least"] = round(mine["wall_s"] / least_s, 2)
                if "wall_s" in best.get("peer", {}):
                    row["times_the_peer"] = round(best["peer"]["wall_s"] / mine["wall_s"], 2)
                    row["times_the_peer_in_cpu"] = round(best["peer"]["cpu_s"] / mine["cpu_s"], 2)
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    report = {
        "benchmark": "index_throughput",
        "machine": facts(["torch", "open_clip_torch", "openvino", "av"]),
        "cores": cores(),
        "rows": rows,
    }
    text = json.dumps(report, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
