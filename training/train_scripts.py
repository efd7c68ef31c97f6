"""Train the network that tells the scripts of lines of text (vidembed/sources/scripts.py).

    python training/train_scripts.py data --fonts FOLDER --data DATA
    python training/train_scripts.py net --data DATA --out vidembed/assets/scripts/scripts.safetensors
    python training/train_scripts.py figures --data DATA --out figures.json

`data` writes words (wordfreq, pythainlp) and the list of fonts below FOLDER and copies the fonts. `net` draws lines and
trains. `figures` draws lines of fonts and words that training never saw, and measures what is shipped.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from script_lines import Drawer, collect_fonts, collect_words, draw_many, letters_of
from torch import Tensor, nn
from torch.nn import functional as F

from vidembed.sources.recognisers import LineReader, _load_rapidocr
from vidembed.sources.scripts import LAYERS, SCRIPTS, ScriptTeller, normalized

# Of each layer: channels in and out, height and width of its windows.
_SIZES = {
    "a": (1, 12, 3, 3), "b": (12, 24, 3, 3), "c": (24, 32, 3, 3), "d": (32, 48, 4, 3), "e": (48, 48, 1, 5),
    "f": (48, 48, 1, 5),
}  # fmt: skip
_WIDTH, _CHUNK, _PIECE_PX = 48, 1000, 192
Lines = list[tuple[NDArray[np.uint8], int]]


class ScriptNet(nn.Module):
    """Convolutions down to one row; each column says a script, and how much it is to be heeded."""

    def __init__(self) -> None:
        super().__init__()
        for name, (down, across, rows, columns) in LAYERS.items():
            take, give, height, width = _SIZES[name]
            layer = nn.Conv2d(take, give, (height, width), (down, across), (rows, columns), bias=False)
            self.add_module(name, nn.Sequential(layer, nn.BatchNorm2d(give)))
        self.said, self.heeded = nn.Linear(_WIDTH, len(SCRIPTS)), nn.Linear(_WIDTH, 1, bias=False)

    def forward(self, x: Tensor, columns: Tensor) -> Tensor:
        """x (B, 1, H, W); columns (B,): how many of the last layer's columns are the line's."""
        for name in LAYERS:
            x = F.relu(getattr(self, name)(x))
        x = F.dropout(x[:, :, 0].transpose(1, 2), 0.1, self.training)
        beyond = torch.arange(x.shape[1], device=x.device)[None] >= columns[:, None]
        heeded = self.heeded(x)[..., 0].masked_fill(beyond, -torch.inf).softmax(1)
        return torch.einsum("bt,btc->bc", heeded, self.said(x))

    def tensors(self) -> dict[str, Tensor]:
        """float16, the normalisation taken into the weights."""
        found = {"said.weight": self.said.weight, "said.bias": self.said.bias, "heeded.weight": self.heeded.weight}
        for name in LAYERS:
            layer, norm = getattr(self, name)
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            found[f"{name}.weight"] = layer.weight * scale[:, None, None, None]
            found[f"{name}.bias"] = norm.bias - norm.running_mean * scale
        return {name: value.detach().half().cpu().contiguous() for name, value in found.items()}


def drawn(data: Path, *, held_out: bool, seed: int, count: int) -> Lines:
    """`count` lines, drawn by all cores."""
    starts = range(seed, seed + count // _CHUNK)
    n = len(starts)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(draw_many, [str(data)] * n, [held_out] * n, [k * 7919 for k in starts], [_CHUNK] * n)
        return [line for part in parts for line in part]


def batches(lines: Lines, size: int, rng: np.random.Generator, device: str):  # type: ignore[no-untyped-def]
    """Lines of like width together; of a long one a random piece, and of any a third of the time."""
    widths = np.array([min(_PIECE_PX, line.shape[1]) for line, _ in lines]) + rng.integers(0, 40, len(lines))
    order = widths.argsort(kind="stable")
    groups = [order[start : start + size] for start in range(0, len(order) - size + 1, size)]
    for group in rng.permutation(len(groups)):
        chosen = []
        for n in groups[group]:
            line = lines[n][0]
            if line.shape[1] > _PIECE_PX or (line.shape[1] > 64 and rng.random() < 0.33):
                width = int(rng.integers(48, min(_PIECE_PX, line.shape[1])))
                start = int(rng.integers(line.shape[1] - width + 1))
                line = line[:, start : start + width]
            chosen.append(normalized(line.astype(np.float32)))
        longest = max(line.shape[1] for line in chosen)
        x = np.zeros((size, 1, chosen[0].shape[0], longest), np.float32)
        for k, line in enumerate(chosen):
            x[k, 0, :, : line.shape[1]] = line
        columns = torch.tensor([(line.shape[1] + 3) // 4 for line in chosen])
        goal = torch.tensor([lines[n][1] for n in groups[group]])
        yield torch.from_numpy(x).to(device), columns.to(device), goal.to(device)


def train(made: Lines, out: Path, *, epochs: int, batch: int) -> None:
    """Train and write the weights, after each epoch."""
    from safetensors.torch import save_file

    device = "cuda" if torch.cuda.is_available() else "cpu"
    out.parent.mkdir(parents=True, exist_ok=True)
    began = time.time()
    net, rng = ScriptNet().to(device), np.random.default_rng(0)
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1e-2)
    steps = epochs * (len(made) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for epoch in range(epochs):
        net.train()
        losses, right = [], []
        for x, columns, goal in batches(made, batch, rng, device):
            scores = net(x, columns)
            loss = F.cross_entropy(scores, goal, label_smoothing=0.02)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
            right.append((scores.argmax(1) == goal).float().mean())
        loss, share = float(torch.stack(losses).mean()), float(torch.stack(right).mean())
        print(f"epoch {epoch}: loss {loss:.4f}, right {share:.4f}, {time.time() - began:.0f} s", flush=True)
        save_file(net.eval().tensors(), out)


def figures(data: Path, per_script: int) -> dict[str, dict[str, dict[str, float]]]:
    """Words or lines -> script -> what becomes of lines in fonts and words that were not trained on, each alone.

    told: by the network as the right script; words: kept as words by `OcrSource`; unread: told as not read; the rest is
    dropped, as the recogniser is unsure; before: kept as words without the network.
    """
    drawer, teller = Drawer(data, held_out=True, seed=12345), ScriptTeller()
    reader, before = LineReader((), threads=-1), _load_rapidocr(-1, {})
    found: dict[str, dict[str, dict[str, float]]] = {}
    for kind, count in (("word", 1), ("line", None)):
        for script in SCRIPTS:
            lines = [np.repeat(drawer.line(script, count)[0][:, :, None], 3, axis=2) for _ in range(per_script)]
            told = teller.shares(lines).argmax(axis=1) == SCRIPTS.index(script)
            ends = [reader.read_lines([line])[0] for line in lines]
            plain = before.recognize_txt(lines)
            found.setdefault(kind, {})[script] = {
                "told": float(np.mean(told)),
                "words": float(np.mean([_kept(text, sure) for text, sure, _ in ends])),
                "unread": float(np.mean([bool(unread) for _, _, unread in ends])),
                "before": float(np.mean([_kept(*one) for one in zip(plain.txts, plain.scores, strict=True)])),
            }
    return found


def _kept(text: str, confidence: float) -> bool:
    """As `OcrSource` keeps lines."""
    return confidence >= 0.7 and sum(map(str.isalnum, text)) >= 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("data", "net", "figures"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fonts", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--lines", type=int, default=50_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--per-script", type=int, default=500)
    given = parser.parse_args()
    if given.step == "data":
        given.data.mkdir(parents=True, exist_ok=True)
        words = collect_words()
        (given.data / "words.json").write_text(json.dumps(words, ensure_ascii=False), "utf-8")
        fonts = collect_fonts(given.fonts, letters_of(words))
        (given.data / "fonts.json").write_text(json.dumps(fonts, indent=1), "utf-8")
        for file in {font["file"] for font in fonts}:
            (given.data / "fonts" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(given.fonts / file, given.data / "fonts" / file)
    elif given.step == "net":
        made = drawn(given.data, held_out=False, seed=1, count=given.lines)
        train(made, given.out, epochs=given.epochs, batch=given.batch)
    else:
        found = figures(given.data, given.per_script)
        given.out.write_text(json.dumps(found, indent=1), "utf-8")
        for kind, rows in found.items():
            for script, told in rows.items():
                print(kind, script, told)


if __name__ == "__main__":
    main()
