"""A second look by a model that is shown the moments: a verifier that knows colours, and tiny real models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import tiny_models_vlm
import toy_videos

from vidembed import VideoIndex, open_index
from vidembed.cli import main
from vidembed.errors import BadQuery, ConfigError
from vidembed.index.searching import check
from vidembed.models import registry
from vidembed.models.captioners.vlm import VlmCaptioner
from vidembed.protocols import ClipMedia
from vidembed.types import Floats


class Reddish:
    """Agrees by the share of red in what it is shown."""

    def agreement(self, clips: Sequence[ClipMedia], claim: str) -> Floats:
        assert claim == "blue"
        assert all(media.frames is not None and len(media.frames) == 8 for media in clips)
        shares = [float(np.mean(cast(Any, media.frames).rgb[..., 0] > 127)) for media in clips]
        return np.array(shares, np.float32)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoIndex]:
    folder = tmp_path_factory.mktemp("checking")
    toy_videos.make(folder / "blue.mp4", "blue", "blue", "blue")
    toy_videos.make(folder / "red.mp4", "red", "red", "red")
    with open_index(folder / "index", profile="toy") as made:
        made.add(folder)
        yield made


def test_the_verifier_decides_the_order(index: VideoIndex) -> None:
    found = index.search("blue", group_by_video=True)
    assert [moment.path.name for moment in found][:1] == ["blue.mp4"]
    checked = check(index.config, "blue", found, Reddish())
    assert [(moment.path.name, moment.agreement) for moment in checked] == [("red.mp4", 1.0), ("blue.mp4", 0.0)]
    with pytest.raises(BadQuery, match="empty"):
        check(index.config, " ", found, Reddish())


def test_models_that_answer_no_questions_are_refused(index: VideoIndex) -> None:
    with pytest.raises(ConfigError, match="toy-captioner does not answer questions"):
        index.check("blue", [], model="toy-captioner")


@pytest.mark.parametrize("family", ["smolvlm", "qwen3_vl"])
def test_agreement_is_yes_against_no(family: str, index: VideoIndex, tmp_path: Path) -> None:
    """A model to which every word is as likely says yes by a half."""
    at = tiny_models_vlm.BUILDERS[family](tmp_path / family)
    model = cast(VlmCaptioner, registry.load_captioner(str(at), device="cpu"))
    head = model._model.get_output_embeddings()
    head.weight.data.zero_()
    index.parts._verifiers["even"] = model
    even = index.check("blue", index.search("blue", group_by_video=True), model="even")
    assert [moment.agreement for moment in even] == [0.5, 0.5]
    assert [moment.path.name for moment in even] == ["blue.mp4", "red.mp4"], "ties keep the order"


def test_the_command(tmp_path: Path, capsys: Any) -> None:
    toy_videos.make(tmp_path / "blue.mp4", "blue", "blue", "blue")
    model = tiny_models_vlm.BUILDERS["smolvlm"](tmp_path / "model")
    at = ["--index", str(tmp_path / "index")]
    assert main(["index", str(tmp_path / "blue.mp4"), "--profile", "toy", *at]) == 0
    assert main(["search", "blue", "--check", str(model), "--json", *at]) == 0
    assert '"agreement": 0.' in capsys.readouterr().out
    assert main(["search", "--video", str(tmp_path / "blue.mp4"), "--check", str(model), *at]) == 2
