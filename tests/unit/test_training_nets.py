"""What training works on in torch is what is run without it: the same numbers from both forms of each network."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import get_args

import numpy as np
import pytest
import torch

from vidembed.align.heads import TrainableHead
from vidembed.models.captioners._decoder import DecoderShape
from vidembed.models.encoders import _efficientnet, minilm, starter_sound
from vidembed.models.encoders._engines import engine
from vidembed.models.encoders.starter import FOLDER, PICTURE_FILE, TEXT_FILE, StarterEncoder
from vidembed.models.heads import Head, HeadKind, HeadSpec
from vidembed.types import AudioSamples

RANDOM = np.random.default_rng(5)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> object:
    """Loads a module of training/ by name."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "training"))
    before = set(sys.modules)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - before:
        if "vidembed" not in name and name.endswith(("_net", "_nets")):
            del sys.modules[name]


@pytest.mark.parametrize("kind", get_args(HeadKind))
def test_heads(kind: HeadKind) -> None:
    torch.manual_seed(0)
    spec = HeadSpec(kind, 8, 8, hidden=6, rank=3)
    made = TrainableHead(spec).eval().requires_grad_(False)
    features = RANDOM.standard_normal((5, 4, 8) if kind == "attention" else (5, 8)).astype(np.float32)
    made.standardize(torch.from_numpy(features))
    for parameter in made.parameters():
        parameter.normal_()
    rows = made.learnt()(features)
    np.testing.assert_allclose(rows, made(torch.from_numpy(features)).numpy(), atol=1e-5)
    assert {name: value.shape for name, value in made.state_dict().items()} == spec.shapes()
    with pytest.raises(ValueError, match=f"a head {kind} has the tensors"):
        Head(spec, {"mean": np.zeros(8, np.float32)})


def test_picture_tower(training) -> None:  # type: ignore[no-untyped-def]
    nets = training("starter_nets")
    backbone = nets.Backbone()
    pixels = RANDOM.standard_normal((5, 3, 64, 64)).astype(np.float32)
    last, middle = engine(lambda ops, x: _efficientnet.maps(ops, x, _efficientnet.load()), (3, 64, 64), device="cpu")(
        pixels
    )
    assert last.shape == (5, 1280, 2, 2)
    assert middle.shape == (5, 120, 4, 4)
    with torch.inference_mode():
        fine = backbone.fine(torch.from_numpy(pixels))
        np.testing.assert_allclose(fine[0].numpy(), middle, atol=1e-4)
        np.testing.assert_allclose(backbone.last(fine[1]).numpy(), last, atol=1e-4)
        assert torch.allclose(nets.Tail(backbone.weights)(fine[1]), backbone.last(fine[1]))


def test_a_tail_learns_and_is_saved_as_it_is_shipped(training) -> None:  # type: ignore[no-untyped-def]
    from safetensors import safe_open

    nets = training("starter_nets")
    backbone = nets.Backbone()
    tail = nets.Tail(backbone.weights)
    tail(backbone.fine(torch.randn(1, 3, 64, 64))[1]).sum().backward()
    assert all(value.grad is not None for value in tail.parameters())
    with safe_open(FOLDER / PICTURE_FILE, "np") as file:
        shipped = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys() if name.startswith("tail.")}  # noqa: SIM118
    assert {name: tuple(value.shape) for name, value in tail.tensors().items()} == shipped


def test_text_tower_with_corrections(training) -> None:  # type: ignore[no-untyped-def]
    nets = training("starter_nets")
    torch.manual_seed(0)
    net = nets.load_sentences()
    nets.add_corrections(net, first=4, rank=2)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.requires_grad:
                parameter.add_(0.02)
    corrections = {name: value.detach().numpy() for name, value in nets.corrections(net).items()}
    ours, tokenizer = minilm.load_network(corrections=corrections)
    ids, mask = tokenizer(["a dog runs", "snow falls on a village in the mountains"])
    with torch.inference_mode():
        states = net(torch.from_numpy(ids), torch.from_numpy(mask))
        expected = torch.nn.functional.normalize(nets.mean_pool(states, torch.from_numpy(mask)), dim=-1)
    np.testing.assert_allclose(ours(ids, mask), expected.numpy(), atol=1e-5)
    plain, _ = minilm.load_network()
    assert not np.allclose(plain(ids, mask), expected.numpy(), atol=1e-3)


def test_shipped_corrections_have_the_names_training_gives_them(training) -> None:  # type: ignore[no-untyped-def]
    from safetensors import safe_open

    nets = training("starter_nets")
    net = nets.load_sentences()
    nets.add_corrections(net, first=0, rank=16)
    with safe_open(FOLDER / TEXT_FILE, "np") as file:
        shipped = {name for name in file.keys() if not name.startswith("head.")}  # noqa: SIM118
    assert set(nets.corrections(net)) == shipped


def test_sound_tower(training) -> None:  # type: ignore[no-untyped-def]
    nets = training("starter_nets")
    torch.manual_seed(0)
    net, head = nets.SoundNet(), nets.SoundHead(8, 16)
    for _ in range(3):  # so that the norms have seen something
        net(torch.randn(4, 1, 64, 200))
    net.eval(), head.eval()
    samples = RANDOM.standard_normal((3, 32_000)).astype(np.float32)
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(head(net(nets.log_mel(torch.from_numpy(samples)))), dim=1).numpy()
    tower = nets.tower_of(net, head)
    rows = tower.encode([AudioSamples(row, starter_sound.RATE_HZ) for row in samples])
    np.testing.assert_allclose(rows, expected, atol=1e-4)


def test_caption_network_word_by_word_and_at_once(training) -> None:  # type: ignore[no-untyped-def]
    """The step that is run gives what training's pass over a whole sentence gives."""
    torch.manual_seed(1)
    shape = DecoderShape(10, features=6, tokens=4, width=16, heads=2, inner=24, layers=2, positions=24)
    net = training("caption_net").CaptionNet(shape).eval().requires_grad_(False)
    ours = net.learnt()
    pictures = RANDOM.standard_normal((2, 4, 6)).astype(np.float32)
    seen = np.stack([ours.look(picture[None]) for picture in pictures])
    whole = net.look(torch.from_numpy(pictures)[:, None])
    np.testing.assert_allclose(seen, whole.numpy(), atol=1e-5)
    sentences = np.array([[1, 4, 5, 7], [1, 4, 9, 6]])
    expected = net(torch.from_numpy(sentences), net.memory(whole)).numpy()
    past: list[tuple[np.ndarray, np.ndarray]] = []
    for at in range(4):
        raw, past = ours.step(sentences[:, at], at, ours.memory(seen), past, np.ones((2, 1, 1, 4), bool))
        np.testing.assert_allclose(raw, expected[:, at], atol=1e-4)


@pytest.mark.needs_gpu
def test_a_gpu_gives_the_same_vectors() -> None:
    pictures = [RANDOM.integers(0, 255, (90, 120, 3), dtype=np.uint8) for _ in range(5)]
    sounds = [AudioSamples(RANDOM.standard_normal(40_000).astype(np.float32) * 0.1, 16_000)]
    on_cpu, on_gpu = StarterEncoder(device="cpu"), StarterEncoder(device="cuda")
    for modality, items in (("image", pictures), ("audio", sounds)):
        cosines = (on_cpu.encode(modality, items) * on_gpu.encode(modality, items)).sum(1)  # type: ignore[arg-type]
        assert cosines.min() > 0.9999
