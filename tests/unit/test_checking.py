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
from vidembed.index.second_look import check, ground
from vidembed.models import registry
from vidembed.models.captioners.vlm import VlmCaptioner, spans_of
from vidembed.protocols import ClipMedia
from vidembed.types import Floats, Span


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


class Watching:
    """Sees a claim in the second second, and where what it was shown ends; in red ones nowhere."""

    def spans(self, media: ClipMedia, claim: str) -> list[Span]:
        frames, shown = media.frames, media.clip.span
        assert claim == "blue"
        assert frames is not None
        assert len(frames) == 2 * shown.duration_s, "two frames a second"
        if frames.rgb[..., 0].mean() > 127:
            return []
        return [Span(shown.end_s - 0.5, shown.end_s), Span(1, 2)]


def test_grounded_moments_keep_both_spans(index: VideoIndex) -> None:
    found = index.search("blue", group_by_video=True)
    grounded = ground(index.config, "blue", found, Watching())
    assert [(moment.path.name, moment.grounded) for moment in grounded] == [("blue.mp4", Span(1, 2)), ("red.mp4", None)]
    assert [moment.span for moment in grounded] == [moment.span for moment in found]
    assert [moment.to_dict().get("grounded") for moment in grounded] == [[1.0, 2.0], None]
    with pytest.raises(ConfigError, match="does not tell times"):
        ground(index.config, "blue", found, Reddish())


@pytest.mark.parametrize(
    ("answer", "spans"),
    [
        ("[[1.0, 2.5], [3, 4]]", [Span(11, 12.5), Span(13, 14)]),
        ("<think>[0, 1]</think>```json\n[[ 7 , 99 ]]\n```", [Span(17, 18)]),  # not beyond the clip
        ("[]", []),
        ("[[5, 5], [9, 12]]", []),  # nothing, and outside
        ("It happens at the end.", []),
    ],
)
def test_times_are_read_from_the_answer(answer: str, spans: list[Span]) -> None:
    assert spans_of(answer, Span(10, 18)) == spans


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
    index.parts._lookers["even"] = model
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
