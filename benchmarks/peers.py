"""vidembed beside amon-hen, framesieve and VidXP: the same films, the same towers with random weights, in one run.

    pip install onnx onnxruntime
    python benchmarks/peers.py --work /tmp/peers --rounds 2 --out peers.json

Each peer gets an environment of its own under --work, made by pip on the first run (about 13 GB: two of them bring
torch). ffmpeg and ffprobe (version 4 to 7) must be on the path, for framesieve. Nothing is fetched from a model hub:
speed does not depend on the weights, so they are random, laid where each program looks for them.

Two races, since the peers' towers differ: MobileCLIP2-S0 (amon-hen) and SigLIP 2 base (framesieve, VidXP). One frame a
second, fixed; no sound, speech or captions on any side. Every figure is of a whole process, its start included, the
programs in turn: seconds and processor seconds of indexing the films, of a search from a cold prompt, milliseconds of a
query once all is loaded, MB on disk for an hour, peak MB of memory. With more than one round the better counts. For
speed without the start see index_throughput.py.

What differs between them, and is left as it is: vidembed also keeps thumbnails, finds shots, and pools vectors to
clips, and encodes a picture that does not change once; framesieve keeps one index a film, and a search asks each.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _machine import facts
from _videos import long_video
from index_throughput import save_tower

HERE = Path(__file__).resolve().parent
PINS = {
    "amon-hen": ["amon-hen==0.1.21", "pysqlite3-binary"],
    "framesieve": ["framesieve==0.2.0"],
    "vidxp": ["vidxp[scene]==0.4.0", "chromadb"],
}
SIGLIP2 = "models--google--siglip2-base-patch16-224"
REVISION = "75de2d55ec2d0b4efc50b3e9ad70dba96a7b2fa2"
MOBILE = "models--felixhrdyn--mobileclip2-s0-onnx"
RACES = {"MobileCLIP2-S0": ("amon-hen", "vidembed"), "SigLIP2-B/16": ("framesieve", "vidxp", "vidembed")}


def environment(work: Path, who: str) -> Path:
    """The Python of the peer's own environment, made on the first run."""
    if who == "vidembed":
        return Path(sys.executable)
    python = work / "envs" / who / "bin" / "python"
    done = work / "envs" / f"{who}.done"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(python.parents[1])], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PINS[who]], check=True)
        done.touch()
    return python


def mobileclip2(work: Path) -> Path:
    """The tower for open_clip, and as ONNX files in amon-hen's cache (its text side quantised, as it ships it)."""
    tower = save_tower(work / "mobileclip2", onnx=True)
    home = work / "home" / ".amonhen" / "models" / MOBILE
    snapshot = home / "snapshots" / ("0" * 40)
    if not (snapshot / "tokenizer.json").exists():
        import open_clip
        import torch
        from onnxruntime.quantization import quantize_dynamic

        snapshot.mkdir(parents=True, exist_ok=True)
        _point(home, "main", "0" * 40)
        shutil.copy(tower / "vision.onnx", snapshot / "vision_model.onnx")
        model = open_clip.create_model(f"local-dir:{tower}").eval()
        plain = snapshot / "text.onnx"
        model.forward = model.encode_text  # type: ignore[method-assign]
        torch.onnx.export(model, (torch.ones(1, 77, dtype=torch.int64),), str(plain), dynamo=False, opset_version=17)
        quantize_dynamic(plain, snapshot / "text_model_quantized.onnx")
        plain.unlink()
        _words().save(str(snapshot / "tokenizer.json"))
    return tower


def siglip2(work: Path) -> Path:
    """The tower for open_clip, and as a snapshot of a model hub's cache for those who load it by transformers."""
    home = work / "hub" / SIGLIP2
    snapshot = home / "snapshots" / REVISION
    tower = work / "siglip2"
    if not (tower / "open_clip_config.json").exists():
        import torch
        import transformers as t
        from _random_models import _quickly

        torch.manual_seed(0)
        text: dict[str, Any] = {"vocab_size": 256_000, "max_position_embeddings": 64, "projection_size": 768}
        images = t.SiglipImageProcessor(
            size={"height": 224, "width": 224}, image_mean=[0.5] * 3, image_std=[0.5] * 3, resample=2
        )
        special = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "<eos>"}
        tokenizer = t.PreTrainedTokenizerFast(tokenizer_object=_words(), model_max_length=64, **special)
        with _quickly():
            t.SiglipModel(t.SiglipConfig(text_config=text)).eval().save_pretrained(snapshot)
            _open_clip_siglip2(tower, tokenizer)
        t.SiglipProcessor(images, tokenizer).save_pretrained(snapshot)
        for name in ("main", REVISION[:12]):
            _point(home, name, REVISION)
    return tower


def _open_clip_siglip2(tower: Path, tokenizer: Any) -> None:
    import open_clip
    from safetensors.torch import save_model

    tokenizer.save_pretrained(tower)
    model = open_clip.create_model("ViT-B-16-SigLIP2", load_weights=False).eval()
    save_model(model, str(tower / "open_clip_model.safetensors"))
    config = open_clip.get_model_config("ViT-B-16-SigLIP2")
    config["text_cfg"]["hf_tokenizer_name"] = str(tower)
    prepare = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    (tower / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": prepare}))


def _point(home: Path, name: str, commit: str) -> None:
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "refs" / name).write_text(commit)


def _words() -> Any:
    """A tokenizer of a few words: the length of a query is what costs, and all pad to a fixed length."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1, "<unk>": 2, "a": 3, "dog": 4}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return words


class Bench:
    """Where everything lies, and how one run of one program is measured."""

    def __init__(self, work: Path, films: list[Path], towers: dict[str, Path]) -> None:
        self.work, self.films, self.towers = work, [str(film) for film in films], towers

    def measured(self, race: str, who: str, act: str, scratch: Path) -> dict[str, float]:
        """Seconds, seconds of the processor, peak MB of the largest process; `warm`: the median query in ms."""
        given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        given |= {
            "HOME": str(self.work / "home"),
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_CACHE": str(self.work / "hub"),
            "PEER_TOWER": str(self.towers[race]),
            "PYTHONPYCACHEPREFIX": str(self.work / "bytecode" / who),
            "PYTHONPATH": str(HERE.parent) if who == "vidembed" else "",
        }
        python = environment(self.work, who)
        films = self.films if act == "index" else []
        command = [str(python), str(HERE / "_peer_runs.py"), who, act, str(scratch), *films]
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            began = time.perf_counter()
            child = subprocess.Popen(command, env=given, stdout=output, stderr=errors, cwd=self.work)
            _, status, used = os.wait4(child.pid, 0)
            seconds = time.perf_counter() - began
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                errors.seek(0)
                raise SystemExit(f"{who} {act} ended with {child.returncode}:\n{errors.read()[-2000:]}")
            if act == "warm":
                output.seek(0)
                return {"ms": statistics.median(json.loads(output.read().strip().splitlines()[-1]))}
        return {"s": seconds, "cpu_s": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / 1024}


def race(bench: Bench, name: str, hours: float, rounds: int) -> dict[str, dict[str, float]]:
    """Program -> figures, the better of the rounds each."""
    rows: dict[str, dict[str, float]] = {}
    for turn in range(rounds):
        for who in RACES[name]:
            scratch = bench.work / "indexes" / f"{who}-{name.replace('/', '-')}"
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            index = bench.measured(name, who, "index", scratch)
            found = bench.measured(name, who, "search", scratch)
            if not turn:  # the first search of all fills the caches of modules and files
                found = bench.measured(name, who, "search", scratch)
            seen = {
                "index_s": index["s"],
                "index_cpu_s": index["cpu_s"],
                "index_peak_mb": index["mb"],
                "cold_search_s": found["s"],
                "cold_search_cpu_s": found["cpu_s"],
                "cold_search_peak_mb": found["mb"],
                "warm_search_ms": bench.measured(name, who, "warm", scratch)["ms"],
                "disk_mb_an_hour": _on_disk(scratch) / 1e6 / hours,
            }
            best = rows.setdefault(who, seen)
            rows[who] = {key: round(min(best[key], value), 3) for key, value in seen.items()}
            print(json.dumps({"race": name, "who": who, **rows[who]}), file=sys.stderr, flush=True)
    return rows


def _on_disk(folder: Path) -> int:
    """Bytes that blocks take, not what a sparse file seems to hold."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "vidembed-peers")
    parser.add_argument("--seconds", type=int, default=120, help="length of each film (1080p and 480p)")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--races", nargs="+", choices=RACES, default=list(RACES))
    parser.add_argument("--prepare", action="store_true", help="make environments, towers and films, measure nothing")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    films = [long_video(work, width=w, height=h, seconds=arguments.seconds) for w, h in ((1920, 1080), (854, 480))]
    makers = {"MobileCLIP2-S0": mobileclip2, "SigLIP2-B/16": siglip2}
    bench = Bench(work, films, {name: makers[name](work) for name in arguments.races})
    for who in {one for name in arguments.races for one in RACES[name]}:
        environment(work, who)
    if arguments.prepare:
        return
    hours = len(films) * arguments.seconds / 3600
    rows = {name: race(bench, name, hours, arguments.rounds) for name in arguments.races}
    report = {"benchmark": "peers", "machine": facts(), "film_s": len(films) * arguments.seconds, "races": rows}
    text = json.dumps(report, indent=1)
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
