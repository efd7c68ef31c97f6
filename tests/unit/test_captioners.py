"""The captioners that need no weights: toy by hand-computable colours, openai against a server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidembed.errors import ConfigError, ModelError, NoSuchStream
from vidembed.models.captioners.openai import OpenAICaptioner, load
from vidembed.models.captioners.toy import ToyCaptioner
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


@contextmanager
def server(answers: list[Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A chat endpoint on loopback: each answer is a list of texts, an HTTP status, or None for silence."""
    seen: list[dict[str, Any]] = []
    release = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = answers[min(len(seen), len(answers)) - 1]
            if answer is None:
                release.wait(10)
                return
            status = answer if isinstance(answer, int) else 200
            texts = answer if isinstance(answer, list) else []
            body = json.dumps({"choices": [{"message": {"content": text}} for text in texts]}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}/v1", seen
    finally:
        release.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def test_an_endpoint_that_ignores_n_is_asked_again() -> None:
    with server([["a red wall"], ["a wall"], ["a red wall"]]) as (url, seen):
        captioner = OpenAICaptioner(url, "some-model", frames=2)
        assert captioner.candidates([clip_media([(255, 0, 0)])], n=3, seed=7) == [["a red wall", "a wall"]]
    assert [body["seed"] for body in seen] == [7, 8, 9]
    assert seen[0]["model"] == "some-model"
    content = seen[0]["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"]
    assert content[1]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_a_silent_endpoint_is_a_clear_error() -> None:
    with server([None]) as (url, _), pytest.raises(ModelError, match="did not answer within 0.2 s"):
        OpenAICaptioner(url, "m", timeout_s=0.2, retries=0).candidates([clip_media([(1, 1, 1)])], n=1)


def test_a_refusing_endpoint_is_a_clear_error_at_once() -> None:
    with server([401]) as (url, seen), pytest.raises(ModelError, match="answered 401"):
        OpenAICaptioner(url, "m").candidates([clip_media([(1, 1, 1)])], n=1)
    assert len(seen) == 1


def test_a_busy_endpoint_is_asked_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    with server([503, 429, ["a red wall"]]) as (url, seen):
        assert OpenAICaptioner(url, "m").candidates([clip_media([(255, 0, 0)])], n=1) == [["a red wall"]]
    assert (len(seen), waits) == (3, [1.0, 2.0])
    with server([503]) as (url, seen), pytest.raises(ModelError, match="answered 503"):
        OpenAICaptioner(url, "m", retries=1).candidates([clip_media([(255, 0, 0)])], n=1)
    assert len(seen) == 2


def test_an_endpoint_that_fails_for_one_clip_answers_for_the_others() -> None:
    clips = [clip_media([(255, 0, 0)]), clip_media(None), clip_media([(0, 0, 255)])]
    with server([["<think>hm</think> a wall"]]) as (url, seen):
        first, second, third = OpenAICaptioner(url, "m").each(clips, n=1)
    assert first == third == ["a wall"]
    assert isinstance(second, NoSuchStream)
    assert len(seen) == 2


def test_an_endpoint_writes_in_words_alone() -> None:
    with server([["Title: A wall"]]) as (url, seen):
        assert OpenAICaptioner(url, "m", language="French").write("Say something.") == "Title: A wall"
    assert seen[0]["messages"][0]["content"].startswith("Say something.\nWrite in French")
    assert (seen[0]["temperature"], seen[0]["max_tokens"]) == (0.0, 400)


def test_addresses_other_than_http_are_refused() -> None:
    with pytest.raises(ConfigError, match="must be an http"):
        OpenAICaptioner("file:///etc/passwd", "m")
    with pytest.raises(ConfigError, match="at_once >= 1"):
        OpenAICaptioner("http://127.0.0.1/v1", "m", at_once=0)
    with pytest.raises(ConfigError, match="base_url and caption.options.model"):
        load(None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="offline"):
        load(None, offline=True, base_url="http://x", model="m")  # type: ignore[arg-type]
