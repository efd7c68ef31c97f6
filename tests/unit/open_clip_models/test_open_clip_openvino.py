"""The picture tower on OpenVINO gives torch's numbers."""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from open_clip_parts import encoder_of, least_cosine, picture

from vidembed.errors import ConfigError
from vidembed.models.encoders import _conversion, _engines, _openvino


def _needs_openvino() -> None:
    if not _engines.available():
        pytest.skip("the extra openvino is not installed")


def test_openvino_agrees_and_is_converted_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _needs_openvino()
    monkeypatch.setenv("VIDEMBED_CACHE", str(tmp_path))
    images = [picture(90, 160), picture(64, 64, 2), picture(33, 35, 4)]
    expected = encoder_of(folder).encode("image", images)
    exact = encoder_of(folder, engine="openvino", dtype="float32")
    assert isinstance(exact.tower("image"), _openvino.PictureTower)
    assert least_cosine(exact.encode("image", images), expected) >= 0.9999
    assert least_cosine(exact.encode("image", images[:1]), expected[:1]) >= 0.9999
    monkeypatch.setattr(_conversion, "convert_pictures", lambda *_: pytest.fail("converted again"))
    fast = encoder_of(folder, engine="openvino")
    assert (fast.encode("image", images) * expected).sum(axis=1).min() >= 0.998


def test_a_model_that_has_computed_goes_when_nobody_holds_it() -> None:
    """On Windows, files that it has mapped cannot be renamed before."""
    _needs_openvino()
    model = _engines.Compiled(_engines.built(lambda x: [_engines.package().opset13.relu(x)], (2,)))
    np.testing.assert_array_equal(model(np.array([[-1, 2]], np.float32))[0], [[0, 2]])
    held = weakref.ref(model)
    del model
    assert held() is None


def test_all_cores_compute_the_forms_of_a_query_together() -> None:
    """One request at a time, of at most a piece; the rows come back in order."""
    _needs_openvino()
    rows = np.arange(-4, 5, dtype=np.float32)[:, None]
    model = _engines.built(lambda x: [_engines.package().opset13.relu(x)], (1,))
    together = _engines.Compiled(model, piece=2, together=True)
    np.testing.assert_array_equal(together(rows)[0], [[0], [0], [0], [0], [0], [1], [2], [3], [4]])
    assert len(together._queue) == 1


def test_openvino_gives_torchs_numbers_for_convolutions_with_several_outputs_a_channel(tmp_path: Path) -> None:
    """They are taken apart for OpenVINO; and a batch longer than a piece comes back in order."""
    _needs_openvino()
    torch.manual_seed(0)
    plain = torch.nn.Conv2d(3, 12, 3, stride=2, padding=1, groups=3)
    nested = torch.nn.Sequential(torch.nn.Conv2d(12, 24, 3, groups=12, bias=False), torch.nn.ReLU())
    tower = torch.nn.Sequential(plain, nested, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()
    pixels = torch.rand(2 * _openvino.PIECE + 1, 3, 16, 16)
    with torch.inference_mode():
        expected = tower(pixels)
    _conversion.convert_tower(tower, (16, 16), tmp_path)
    compiled = _engines.Compiled(tmp_path / _openvino.MODEL, piece=_openvino.PIECE)
    np.testing.assert_allclose(compiled(pixels.numpy())[0], expected, rtol=1e-3, atol=1e-3)  # weights in float16
    assert tower[0] is plain  # the tower itself stays as it was
    assert plain.groups == 3


def test_openvino_reports_to_nobody(tmp_path: Path) -> None:
    """Imported as it is, it would send an event, for which it makes a client id in the home folder."""
    _needs_openvino()
    code = (
        "import sys, torch; from vidembed.models.encoders import _engines; "
        "_engines.package().convert_model(torch.nn.ReLU(), example_input=torch.zeros(1, 2)); "
        "print('openvino' in sys.modules, 'openvino_telemetry' in sys.modules)"
    )
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    environment = {k: v for k, v in os.environ.items() if k != "CI"} | home
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["True", "False"]
    assert not (tmp_path / "intel").exists()


def test_openvino_falls_back_to_float32_where_half_precision_disagrees(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _needs_openvino()
    monkeypatch.setenv("VIDEMBED_CACHE", str(tmp_path))
    monkeypatch.setattr(_openvino, "AGREEMENT", 1.1)  # nothing agrees that well
    tower: Any = encoder_of(folder, engine="openvino").tower("image")
    assert tower.precision == "float32"


def test_a_tower_that_openvino_cannot_translate_runs_on_torch_with_a_word(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _needs_openvino()

    def refuse(*given: Any, **named: Any) -> None:
        raise RuntimeError("cannot trace aten::strange")

    monkeypatch.setenv("VIDEMBED_CACHE", str(tmp_path))
    monkeypatch.setattr(_conversion, "convert_pictures", refuse)
    images = [picture(64, 64)]
    encoder = encoder_of(folder, engine="auto")
    np.testing.assert_allclose(encoder.encode("image", images), encoder_of(folder).encode("image", images), atol=1e-6)
    assert "torch takes its place and is slower: cannot trace aten::strange" in caplog.text
    with pytest.raises(ConfigError, match="OpenVINO cannot run the image tower .*aten::strange"):
        encoder_of(folder, engine="openvino")
