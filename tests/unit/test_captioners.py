"""The captioners that need no weights: toy by hand-computable colours, openai against a server on loopback."""

from __future__ import annotations

import base64
import io
import logging
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import HEADERS, Pieces, server
from PIL import Image

from vidembed.errors import FATAL, ConfigError, EndpointRefused, ModelError, NoSuchStream
from vidembed.models import registry
from vidembed.models.captioners.openai import EndpointOptions, OpenAICaptioner, load
from vidembed.models.toy_space import ToyCaptioner
from vidembed.protocols import ClipMedia
from vidembed.types import AudioSamples, Clip, FrameBatch, Span, VideoInfo


class Sound:
    """A reader that only has a tone."""

    def __init__(self, hz: float | None) -> None:
        self.hz = hz

    def audio(self, span: Span, *, rate_hz: int) -> AudioSamples:
        if self.hz is None:
            raise NoSuchStream("no sound in the span")
        time_s = np.arange(rate_hz) / rate_hz
        return AudioSamples(np.sin(2 * np.pi * self.hz * time_s).astype(np.float32) * 0.5, rate_hz)


def clip_media(colours: list[tuple[int, int, int]] | None, hz: float | None = None) -> ClipMedia:
    info = VideoInfo("c" * 32, Path("v.mp4"), 1, 1, 1.0, 8, 8, Fraction(1), 8000 if hz else None, 1 if hz else None)
    frames = None
    if colours is not None:
        rgb = np.zeros((1, 8, 8, 3), np.uint8)
        for i, colour in enumerate(colours):
            rgb[0, :, i * 8 // len(colours) :] = colour
        frames = FrameBatch(rgb, np.array([0.0]))
    return ClipMedia(Clip.make("c" * 32, 0, Span(0, 1)), info, frames, Sound(hz))  # type: ignore[arg-type]


def test_the_toy_names_colour_and_tone() -> None:
    toy = ToyCaptioner()
    assert toy.candidates([clip_media([(255, 0, 0)], 300.0)], n=1) == [["red frames, low tone"]]
    mostly_blue = clip_media([(0, 0, 255), (0, 0, 255), (0, 255, 0)])
    assert toy.candidates([mostly_blue], n=2) == [["blue frames", "green frames"]]
    assert toy.candidates([clip_media(None, 5000.0)], n=3) == [["high tone"]]
    with pytest.raises(NoSuchStream, match="neither picture nor sound"):
        toy.candidates([clip_media(None)], n=1)


SPEC = registry.find("openai-compatible", "captioner")


def captioner_of(url: str, model: str = "m", **options: Any) -> OpenAICaptioner:
    return OpenAICaptioner(EndpointOptions(base_url=url, model=model, **options))


def test_an_endpoint_that_ignores_n_is_asked_again() -> None:
    with server([["a red wall"], ["a wall"], ["a red wall"]]) as (url, seen):
        captioner = captioner_of(url, "some-model", frames=2)
        assert captioner.candidates([clip_media([(255, 0, 0)])], n=3, seed=7) == [["a red wall", "a wall"]]
    assert [body["seed"] for body in seen] == [7, 8, 9]
    assert seen[0]["model"] == "some-model"
    content = seen[0]["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"]
    assert content[1]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_a_silent_endpoint_is_a_clear_error() -> None:
    with server([None]) as (url, _), pytest.raises(ModelError, match="did not answer within 0.2 s"):
        captioner_of(url, timeout_s=0.2, retries=0).candidates([clip_media([(1, 1, 1)])], n=1)


def test_a_refusing_endpoint_is_a_clear_error_at_once() -> None:
    with server([401]) as (url, seen), pytest.raises(ModelError, match="answered 401"):
        captioner_of(url).candidates([clip_media([(1, 1, 1)])], n=1)
    assert len(seen) == 1


def test_a_wrong_key_is_tried_once_whatever_the_number_of_clips() -> None:
    clips = [clip_media([(1, 1, 1)])] * 20
    with server([401]) as (url, seen):
        captioner = captioner_of(url)
        answers = captioner.each(clips, n=5)
        assert all(isinstance(answer, EndpointRefused) for answer in answers)
        with pytest.raises(EndpointRefused, match="answered 401") as caught:
            captioner.candidates(clips, n=5)
    assert len(seen) == 2
    assert "check the key in $OPENAI_API_KEY" in caught.value.hint
    assert isinstance(caught.value, FATAL), "so a run stops at once"


def test_settings_that_a_reasoning_model_refuses_are_left_out_from_then_on() -> None:
    tokens = {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.", "param": "max_tokens"}
    warmth = {"message": "Unsupported value: 'temperature' does not support 0.8 with this model."}
    with server([(400, tokens), (400, warmth), ["a red wall"]]) as (url, seen):
        captioner = captioner_of(url, max_tokens=60)
        assert captioner.candidates([clip_media([(255, 0, 0)])], n=1) == [["a red wall"]]
        captioner.candidates([clip_media([(255, 0, 0)])], n=1)
    first, second, third, later = seen
    assert (first["max_tokens"], first["temperature"]) == (60, 0.8)
    assert (second["max_completion_tokens"], second["temperature"]) == (2060, 0.8)
    assert "max_tokens" not in second
    assert set(third) == set(later) == {"model", "messages", "n", "seed", "max_completion_tokens"}


def test_a_request_refused_for_another_reason_is_an_error() -> None:
    refusal = (400, {"message": "the picture is too large"})
    with server([refusal]) as (url, seen), pytest.raises(ModelError, match="answered 400.*too large"):
        captioner_of(url).candidates([clip_media([(255, 0, 0)])], n=1)
    assert len(seen) == 1


def test_an_endpoint_that_writes_one_text_n_times_is_asked_with_other_seeds() -> None:
    with server([["a wall"] * 3, ["a red wall", "a wall"]]) as (url, seen):
        assert captioner_of(url).candidates([clip_media([(255, 0, 0)])], n=3, seed=7) == [["a wall", "a red wall"]]
    assert [(body["seed"], body["n"]) for body in seen] == [(7, 3), (10, 2), (12, 1)]


def test_a_busy_endpoint_is_asked_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    with server([503, 429, ["a red wall"]]) as (url, seen):
        assert captioner_of(url).candidates([clip_media([(255, 0, 0)])], n=1) == [["a red wall"]]
    assert (len(seen), waits) == (3, [1.0, 2.0])
    with server([503]) as (url, seen), pytest.raises(ModelError, match="answered 503"):
        captioner_of(url, retries=1).candidates([clip_media([(255, 0, 0)])], n=1)
    assert len(seen) == 2


def test_an_endpoint_that_fails_for_one_clip_answers_for_the_others() -> None:
    clips = [clip_media([(255, 0, 0)]), clip_media(None), clip_media([(0, 0, 255)])]
    with server([["<think>hm</think> a wall"]]) as (url, seen):
        first, second, third = captioner_of(url).each(clips, n=1)
    assert first == third == ["a wall"]
    assert isinstance(second, NoSuchStream)
    assert len(seen) == 2


def test_an_endpoint_writes_from_text_alone() -> None:
    with server([["Title: A wall"]]) as (url, seen):
        assert captioner_of(url, language="French").write("Say something.") == "Title: A wall"
    assert seen[0]["messages"][0]["content"].startswith("Say something.\nWrite in French")
    assert (seen[0]["temperature"], seen[0]["max_tokens"]) == (0.0, 400)


def test_an_answer_comes_piece_by_piece() -> None:
    red = np.full((8, 8, 3), (255, 0, 0), np.uint8)
    with server([Pieces(["It is ", "red", " [1]."])]) as (url, seen):
        assert list(captioner_of(url).stream("What is it?", pictures=[("Evidence [1] shows:", red)])) == [
            "It is ", "red", " [1]."
        ]  # fmt: skip
    (body,) = seen
    assert body["stream"] is True
    words, label, picture = body["messages"][0]["content"]
    assert (words["text"], label["text"]) == ("What is it?", "Evidence [1] shows:")
    shown = Image.open(io.BytesIO(base64.b64decode(picture["image_url"]["url"].partition(",")[2])))
    assert np.abs(np.asarray(shown).mean(axis=(0, 1)) - (255, 0, 0)).max() < 5


def test_an_endpoint_that_does_not_stream_is_asked_for_the_whole_answer() -> None:
    refusal = (400, {"message": "streaming is off", "param": "stream"})
    for answers in ([["whole"]], [refusal, ["whole"]]):
        with server(answers) as (url, seen):
            assert list(captioner_of(url).stream("Say.")) == ["whole"]
        assert [body.get("stream") for body in seen] == [True, None]


def test_an_endpoint_that_falls_silent_amid_its_answer() -> None:
    pieces = Pieces(["It is ", "red"])
    pieces.silent_after = "It is "
    with server([pieces]) as (url, seen), pytest.raises(ModelError, match="did not answer within 0.2 s"):
        list(captioner_of(url, timeout_s=0.2).stream("Say."))
    assert len(seen) == 1  # half an answer is not asked for again


def test_addresses_other_than_http_are_refused() -> None:
    with pytest.raises(ConfigError, match="must be an http"):
        captioner_of("file:///etc/passwd")
    with pytest.raises(ConfigError, match="at_once >= 1"):
        captioner_of("http://127.0.0.1/v1", at_once=0)
    with pytest.raises(ConfigError, match="base_url and caption.options.model"):
        load(SPEC)
    with pytest.raises(ConfigError, match="offline"):
        load(SPEC, offline=True, base_url="http://x", model="m")
    with pytest.raises(ConfigError, match="no option 'colour'; allowed: api_key_env, at_once, base_url"):
        load(SPEC, base_url="http://x", model="m", colour="red")


def test_the_key_goes_to_the_endpoint_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does anything that OpenAI's own variables say go to somebody else's server."""
    monkeypatch.setenv("MY_KEY", "very-secret")
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "for-openai")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: for-openai\nAuthorization: for-openai")
    with caplog.at_level(logging.DEBUG), server([["a wall"], 401, 302]) as (url, _):
        captioner = captioner_of(url, api_key_env="MY_KEY", retries=0)
        assert captioner.write("Say something.") == "a wall"
        for status in (401, 302):  # a redirect is an error: only the named address is contacted
            with pytest.raises(ModelError, match=f"/v1/chat/completions answered {status}") as caught:
                captioner.write("Say something.")
            assert "very-secret" not in str(caught.value)
        monkeypatch.delenv("MY_KEY")
        with pytest.raises(ModelError):
            captioner.write("Say something.")
    assert [sent.get("authorization") for sent in HEADERS] == [*["Bearer very-secret"] * 3, None]
    assert "very-secret" not in caplog.text
    assert "for-openai" not in str(HEADERS)
    known = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-type", "content-length"}
    assert set().union(*HEADERS) == known | {"authorization"}


def test_a_key_that_no_header_can_carry_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "very\nsecret")
    with pytest.raises(ConfigError, match="OPENAI_API_KEY has characters") as caught:
        captioner_of("http://127.0.0.1:9/v1").write("Say something.")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("body", [b"no json", b"{}", b'{"choices": [{"text": "old"}]}', b'{"choices": null}', b"[1]"])
def test_an_answer_in_another_form_is_a_clear_error(body: bytes) -> None:
    with server([body]) as (url, _), pytest.raises(ModelError, match="is no chat completion"):
        captioner_of(url).write("Say something.")


def test_a_server_that_is_not_there_is_a_clear_error() -> None:
    with server([401]) as (url, _):
        pass
    with pytest.raises(EndpointRefused, match="cannot be reached: .*refused"):
        captioner_of(url, retries=0, timeout_s=5).write("Say something.")


def test_proxies_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with server([["by proxy"]]) as (url, seen):
        monkeypatch.setenv("http_proxy", url.removesuffix("/v1"))
        monkeypatch.setenv("no_proxy", "")
        assert captioner_of("http://captions.invalid/v1").write("Say something.") == "by proxy"
    assert len(seen) == 1
