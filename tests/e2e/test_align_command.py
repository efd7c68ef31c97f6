"""`vidembed align`: a domain with invented names for colours, learnt from the command line with the toy towers."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vidembed.cli import main

NAMES = {"red": ("zorp", (255, 0, 0)), "green": ("mib", (0, 255, 0)), "blue": ("tral", (0, 0, 255))}


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Forty pictures of each colour with some noise; the text names colour and invented name. One row is broken."""
    rng = np.random.default_rng(0)
    rows = []
    for colour, (name, rgb) in NAMES.items():
        for i in range(40):
            pixels = np.clip(np.asarray(rgb) + rng.integers(-40, 40, (8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{colour}{i}.png")
            rows.append(
                {"media": f"{colour}{i}.png", "text": f"a {colour} {name}", "split": "dev" if i < 8 else "train"}
            )
    rows.append({"media": "gone.png", "text": "nothing", "split": "train"})
    path = tmp_path / "pairs.csv"
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, ["media", "text", "split"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_train_evaluate_export_and_use(pairs: Path, tmp_path: Path, capsys: Any) -> None:
    options = ["--model", "toy", "--modality", "image", "--head", "linear", "--dim", "8", "--epochs", "12",
               "--batch-size", "32", "--learning-rate", "0.01"]  # fmt: skip
    assert main(["align", "train", str(pairs), "--out", str(tmp_path / "run"), *options, "--json"]) == 3  # one bad row
    printed = capsys.readouterr()
    assert "pairs.csv:122" in printed.err
    assert "gone.png" in printed.err
    assert Path(json.loads(printed.out)["model"]).is_dir()
    assert main(["align", "export", str(tmp_path / "run"), str(tmp_path / "given"), "--name", "shades"]) == 0
    capsys.readouterr()
    evaluate = ["align", "evaluate", str(pairs), "--modality", "image", "--split", "dev", "--json"]
    assert main([*evaluate, "--model", str(tmp_path / "given")]) == 3
    figures = json.loads(capsys.readouterr().out)
    # Three texts and 24 pictures: the right colour is first for every picture.
    assert figures["image to text"]["r1"] == 1.0


def test_bad_arguments_are_named(pairs: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["align", "train", str(tmp_path / "no.csv"), "--out", str(tmp_path / "x"), "--model", "toy"]) == 2
    assert "no.csv" in capsys.readouterr().err
    assert main(["align", "evaluate", str(pairs), "--modality", "smell"]) == 2
    assert main(["align", "export", str(tmp_path), str(tmp_path / "y")]) == 4
