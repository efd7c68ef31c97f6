"""Training heads on a tiny domain: coloured shapes with invented names, far from any model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vidembed import align
from vidembed.align import AlignSettings, FitSettings, Pair
from vidembed.align.fit import Epoch
from vidembed.errors import ConfigError, InputError, WeightsMissing
from vidembed.types import Floats, Item, Modality, Space
from vidembed.vectors import unit_rows

COLOURS = {
    "blick": (200, 30, 30),
    "dax": (30, 180, 40),
    "wug": (40, 60, 210),
    "toma": (220, 200, 40),
    "fep": (150, 40, 170),
}
SHAPES = ("zib", "norp", "gorp", "lurf")  # circle, square, triangle, bar
CARD = {"licence": "CC0", "data": "drawn by the test"}
FAST = FitSettings(epochs=25, batch_size=64, learning_rate=3e-3)


class Pixels:
    """A frozen picture tower that knows nothing of names: a fixed random projection of small pixels."""

    space = Space("pixels", 96)
    modalities: frozenset[Modality] = frozenset({"image"})

    def __init__(self) -> None:
        self.matrix = np.random.default_rng(1).normal(size=(12 * 12 * 3, 96)) / 20
        self.calls = 0

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        self.calls += 1
        small = [np.asarray(Image.fromarray(i).resize((12, 12)), np.float32) / 255 - 0.5 for i in items]
        return unit_rows(np.maximum(np.stack(small).reshape(len(items), -1) @ self.matrix, -0.05) + 1e-3)

    def features(self, modality: Modality, items: Sequence[Item]) -> Floats:
        return np.stack([np.asarray(Image.fromarray(i).resize((4, 4)), np.float32).reshape(16, 3) for i in items])


class Words:
    """A frozen text tower: each word a fixed random direction."""

    space = Space("words", 64)
    modalities: frozenset[Modality] = frozenset({"text"})

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        def word(w: str) -> Floats:
            return np.random.default_rng(list(w.encode())).normal(size=64).astype(np.float32)

        return unit_rows(np.stack([sum(word(w) for w in text.split()) for text in items]))


def load_picture(pair: Pair) -> Item:
    return np.asarray(Image.open(pair.path).convert("RGB"))


def draw(shape: int, colour: tuple[int, int, int], rng: np.random.Generator) -> Image.Image:
    picture = Image.new("RGB", (32, 32), tuple(int(v) for v in rng.integers(90, 130, 3)))
    x, y, r = *rng.integers(13, 19, 2), int(rng.integers(8, 11))
    box = (x - r, y - r, x + r, y + r)
    pen = ImageDraw.Draw(picture)
    if shape == 0:
        pen.ellipse(box, fill=colour)
    elif shape == 1:
        pen.rectangle(box, fill=colour)
    elif shape == 2:
        pen.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=colour)
    else:
        pen.rectangle((x - r, y - r // 3, x + r, y + r // 3), fill=colour)
    return picture


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 pictures of 20 kinds, the last 80 held out; names as "a blick zib" and "the zib is blick"."""
    folder = tmp_path_factory.mktemp("domain")
    rng = np.random.default_rng(0)
    rows = []
    kinds = [(c, s) for c in COLOURS for s in range(4)]
    for i in range(400):
        colour, shape = kinds[i % len(kinds)]
        draw(shape, COLOURS[colour], rng).save(folder / f"{i}.png")
        texts = [f"a {colour} {SHAPES[shape]}", f"the {SHAPES[shape]} is {colour}"]
        rows.append({"media": f"{i}.png", "texts": texts, "split": "train" if i < 320 else "val"})
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def run(domain: Path, out: Path, **changes: object) -> align.TrainReport:
    settings = AlignSettings(**{"name": "shapes", "dim": 32, "hidden": 64, "fit": FAST, **CARD} | changes)  # type: ignore[arg-type]
    return align.train(
        align.read_pairs(domain / "pairs.jsonl", modality="image"), out=out, load_media=load_picture,
        towers={"image": Pixels(), "text": Words()}, settings=settings, cache=domain / "features",
        models={"image": "pixels", "text": "words"},
    )  # fmt: skip


def test_heads_lift_a_new_domain_from_chance_to_nearly_all(domain: Path, tmp_path: Path) -> None:
    report = run(domain, tmp_path)
    found = report.held_out["image to text"]
    assert found.candidates == 40  # 20 kinds, two texts each: chance is 2 in 40
    assert found.r1 >= 0.9
    assert report.held_out["text to image"].r1 >= 0.9
    untrained = run(domain, tmp_path / "no", fit=FitSettings(epochs=1, batch_size=64, learning_rate=1e-9))
    assert untrained.held_out["image to text"].r1 <= 0.25
    assert report.items == {"image train": 320, "image held out": 80}

    model = align.load(report.folder, towers={"image": Pixels(), "text": Words()})
    assert model.space.dim == 32
    assert model.space.name.startswith("shapes-")
    assert model.modalities == {"text", "image"}
    again = align.evaluate(model, domain / "pairs.jsonl", load_media=load_picture, modality="image", splits=["val"])
    assert again.directions == report.held_out
    assert model.encode("text", []).shape == (0, 32)
    with pytest.raises(ValueError, match="audio"):
        model.encode("audio", [])


@pytest.mark.parametrize(
    ("changes", "at_least"),  # chance is 0.05
    [
        ({"head": "linear"}, 0.5),  # a linear map cannot tell all the shapes
        ({"head": "attention"}, 0.3),  # the tokens carry no place: colours, little of shapes
        ({"fit": FitSettings(25, 64, 3e-3, loss="sigmoid")}, 0.5),
    ],
)
def test_other_heads_and_losses_learn_too(
    domain: Path, tmp_path: Path, changes: dict[str, object], at_least: float
) -> None:
    assert run(domain, tmp_path, **changes).held_out["image to text"].r1 >= at_least


def test_same_seed_same_figures_and_a_resumed_run_equals_an_uninterrupted_one(domain: Path, tmp_path: Path) -> None:
    short = FitSettings(epochs=6, batch_size=64, learning_rate=3e-3)
    whole = run(domain, tmp_path / "a", fit=short)
    same = run(domain, tmp_path / "b", fit=short)
    assert [e.loss for e in same.epochs] == pytest.approx([e.loss for e in whole.epochs], abs=1e-5)
    assert same.held_out == whole.held_out
    other = run(domain, tmp_path / "c", fit=FitSettings(epochs=6, batch_size=64, learning_rate=3e-3, seed=1))
    assert [e.loss for e in other.epochs] != pytest.approx([e.loss for e in whole.epochs], abs=1e-5)

    class Stop(Exception):
        pass

    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 3:
            raise Stop

    settings = AlignSettings(name="shapes", dim=32, hidden=64, fit=short)
    pixels = Pixels()
    towers = {"image": pixels, "text": Words()}
    pairs = align.read_pairs(domain / "pairs.jsonl", modality="image")
    with pytest.raises(Stop):
        align.train(pairs, out=tmp_path / "d", towers=towers, load_media=load_picture, settings=settings,
                    cache=domain / "features", on_epoch=stop)  # fmt: skip
    seen: list[int] = []
    resumed = align.train(pairs, out=tmp_path / "d", towers=towers, load_media=load_picture, settings=settings,
                          cache=domain / "features", on_epoch=lambda e: seen.append(e.epoch))  # fmt: skip
    assert seen == [4, 5, 6]
    assert [e.loss for e in resumed.epochs] == pytest.approx([e.loss for e in whole.epochs], abs=1e-5)
    assert pixels.calls == 0  # features came from the cache
    assert len((tmp_path / "d" / "log.jsonl").read_text().splitlines()) == 6


def test_export_halves_the_file_and_keeps_the_answers(domain: Path, tmp_path: Path) -> None:
    report = run(domain, tmp_path / "run", fit=FitSettings(epochs=5, batch_size=64, learning_rate=3e-3))
    out = align.export(tmp_path / "run", tmp_path / "given", licence="CC-BY-4.0")
    full, half = ((f / "heads.safetensors").stat().st_size for f in (report.folder, out))
    assert half < 0.55 * full
    towers = {"image": Pixels(), "text": Words()}
    texts = ["a blick zib", "the gorp is wug"]
    before, after = align.load(report.folder, towers=towers), align.load(out, towers=towers)
    assert np.allclose(before.encode("text", texts), after.encode("text", texts), atol=5e-3)
    assert before.space != after.space  # other weights are another space
    card = (out / "MODEL_CARD.md").read_text()
    assert "CC-BY-4.0" in card
    assert "drawn by the test" in card
    assert "| text to image |" in card
    with pytest.raises(InputError, match="not empty"):
        align.export(report.folder, domain)


def test_damaged_and_mismatched_models_are_refused(domain: Path, tmp_path: Path) -> None:
    report = run(domain, tmp_path / "run", fit=FitSettings(epochs=1, batch_size=64))
    towers = {"image": Pixels(), "text": Words()}

    class Other(Words):
        space = Space("other words", 64)

    with pytest.raises(ConfigError, match="was trained on text features of"):
        align.load(report.folder, towers=towers | {"text": Other()})
    names: list[str] = []

    def by_name(name: str) -> object:
        names.append(name)
        return {"pixels": towers["image"], "words": towers["text"]}[name]

    align.load(report.folder, load_encoder=by_name)  # type: ignore[arg-type]
    assert names == ["pixels", "words"]
    heads = report.folder / "heads.safetensors"
    data = bytearray(heads.read_bytes())
    data[-1] ^= 1
    heads.write_bytes(data)
    with pytest.raises(WeightsMissing, match="SHA-256"):
        align.load(report.folder, towers=towers)
    with pytest.raises(WeightsMissing, match="no usable align model"):
        align.load(tmp_path, towers=towers)


def test_files_that_cannot_be_read_are_left_out_and_reported(domain: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    rows = [{"media": str(domain / f"{i}.png"), "text": f"t{i}"} for i in range(12)] + [
        {"media": "broken.png", "text": "x"}
    ]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = AlignSettings(fit=FitSettings(epochs=1, batch_size=4), held_out=0)
    towers = {"image": Pixels(), "text": Words()}
    pairs = align.read_pairs(tmp_path / "p.jsonl", modality="image")
    report = align.train(pairs, out=tmp_path / "run", towers=towers,
                         load_media=load_picture, settings=settings)  # fmt: skip
    assert report.items == {"image train": 12, "image held out": 0}
    assert [Path(f.item.split("|")[0]).name for f in report.failures] == ["broken.png"]
    assert report.held_out == {}
    with pytest.raises(ConfigError, match="no image tower"):
        align.train(pairs, out=tmp_path / "r", towers={"text": Words()}, load_media=load_picture)
    with pytest.raises(ConfigError, match="no text tower"):
        align.train(pairs, out=tmp_path / "r", towers={"image": Pixels()}, load_media=load_picture)
    only_broken = '{"media": "broken.png", "text": "x"}'
    (tmp_path / "q.jsonl").write_text(only_broken)
    broken = align.read_pairs(tmp_path / "q.jsonl", modality="image")
    with pytest.raises(InputError, match=r"fewer than two usable items.*broken\.png"):
        align.train(broken, out=tmp_path / "q", towers=towers, load_media=load_picture)


def test_settings_say_what_is_allowed() -> None:
    with pytest.raises(ConfigError, match="unknown loss 'triplet'; allowed: info_nce, sigmoid"):
        FitSettings(loss="triplet")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="held_out"):
        AlignSettings(held_out=1.0)
    with pytest.raises(ConfigError, match="model name"):
        AlignSettings(name="../x")
    from vidembed.models.heads import HeadSpec

    with pytest.raises(ConfigError, match="keeps the size"):
        HeadSpec("low_rank", 8, 4)
    with pytest.raises(ConfigError, match="unknown head 'deep'"):
        HeadSpec("deep", 8, 4)  # type: ignore[arg-type]
