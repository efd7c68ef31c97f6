"""Captions from any OpenAI-compatible endpoint the user names (vLLM, llama.cpp, Ollama). Off unless asked for.

Frames of the clip leave this machine when the endpoint is elsewhere: that is why an address has to be given.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vidembed.errors import ConfigError, ModelError, NoSuchStream
from vidembed.models.captioners._inputs import Wording
from vidembed.models.spec import ModelSpec
from vidembed.protocols import ClipMedia
from vidembed.types import FrameBatch
from vidembed.vectors import evenly_spaced

WRITTEN_TOKENS = 400  # of a summary, at least
MAX_WAIT_S = 30.0


class OpenAICaptioner:
    """Asks `POST {base_url}/chat/completions` for n sentences per clip.

    base_url: such as http://127.0.0.1:8000/v1; only http and https. model: the endpoint's name for it.
    api_key_env: environment variable with the key; none is sent when it is unset.
    frames: at most so many a clip, evenly spread, as JPEG. timeout_s: for one answer. retries: further tries where the
    endpoint is silent, busy (429) or broken (5xx), after 1, 2, 4 ... s or as long as it says. at_once: requests in
    flight.
    language, style, max_words: wishes about the answer, see `Wording`.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key_env: str = "OPENAI_API_KEY",
        frames: int = 6,
        max_tokens: int = 60,
        temperature: float = 0.8,
        timeout_s: float = 120.0,
        retries: int = 2,
        at_once: int = 4,
        language: str | None = None,
        style: str | None = None,
        max_words: int | None = None,
    ) -> None:
        parts = urllib.parse.urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigError(
                f"caption.options.base_url must be an http(s) address, got {base_url!r}",
                hint="for example --set caption.options.base_url=http://127.0.0.1:8000/v1",
            )
        if at_once < 1 or retries < 0 or not timeout_s > 0:
            raise ConfigError(
                f"caption.options: at_once >= 1, retries >= 0 and timeout_s > 0, got {at_once}, {retries}, {timeout_s}"
            )
        self.url = base_url.rstrip("/") + "/chat/completions"
        self.model = model
        self.name = f"openai:{model}"
        self.api_key_env, self.frames, self.max_tokens = api_key_env, frames, max_tokens
        self.temperature, self.timeout_s = temperature, timeout_s
        self.retries, self.at_once = retries, at_once
        self.wording = Wording(language, style, max_words)
        self._sleep = time.sleep

    def candidates(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str]]:
        answers = self.each(clips, n=n, prompt=prompt, seed=seed)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [answer for answer in answers if not isinstance(answer, Exception)]

    def each(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str] | Exception]:
        """As `candidates`, asked side by side, with what went wrong in the place of a clip's answer."""
        request = self.wording.request(prompt, shown="pictures", heard=False)

        def one(media: ClipMedia) -> list[str] | Exception:
            try:
                return self._ask(media, n, request, seed)
            except Exception as error:
                return error

        with ThreadPoolExecutor(self.at_once) as pool:
            return list(pool.map(one, clips))

    def _ask(self, media: ClipMedia, n: int, prompt: str, seed: int) -> list[str]:
        if media.frames is None:
            raise NoSuchStream("this captioner needs pictures, and the clip has none")
        content: list[dict[str, Any]] = [{"type": "text", "text": prompt}]
        content += [{"type": "image_url", "image_url": {"url": url}} for url in _jpegs(media.frames, self.frames)]
        answers: list[str] = []
        # Some servers ignore `n`: what is missing is asked for again with other seeds.
        while len(answers) < n:
            body = {
                "model": self.model,
                "messages": [{"role": "user", "content": content}],
                "n": n - len(answers),
                "seed": seed + len(answers),
                "max_tokens": self.max_tokens,
                "temperature": self.temperature,
            }
            got = self._post(body)
            if not got:
                break
            answers += got
        return list(dict.fromkeys(answers))[:n]

    @property
    def can_write(self) -> bool:
        return True

    def write(self, request: str, *, seed: int = 0) -> str:
        """One answer to words alone, as near to the model's favourite as the endpoint gives it."""
        body = {
            "model": self.model, "messages": [{"role": "user", "content": self.wording.written(request)}],
            "seed": seed, "max_tokens": max(self.max_tokens, WRITTEN_TOKENS), "temperature": 0.0,
        }  # fmt: skip
        return next(iter(self._post(body)), "")

    def _post(self, body: dict[str, Any]) -> list[str]:
        for attempt in range(self.retries + 1):
            try:
                return self._post_once(body)
            except _Passing as error:
                if attempt == self.retries:
                    raise ModelError(str(error), hint=error.hint) from error
                self._sleep(min(error.wait_s if error.wait_s is not None else 2.0**attempt, MAX_WAIT_S))
        raise AssertionError("unreachable")

    def _post_once(self, body: dict[str, Any]) -> list[str]:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self.api_key_env):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as response:
                answer = json.loads(response.read())
            texts = [str(choice["message"]["content"] or "") for choice in answer["choices"]]
            return [text.rpartition("</think>")[2].strip() for text in texts]
        except urllib.error.HTTPError as error:
            message = f"{self.url} answered {error.code}: {error.read(500).decode('utf-8', 'replace')}"
            if error.code == 429 or error.code >= 500:
                raise _Passing(message, "try again later", _seconds(error.headers.get("Retry-After"))) from error
            raise ModelError(message, hint="check the model name and key") from error
        except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise _Passing(
                f"{self.url} did not answer within {self.timeout_s:g} s: {reason}",
                "is the server up, and is caption.options.base_url right?",
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{self.url} answered something that is no chat completion") from error


class _Passing(Exception):
    """What may be over at the next try. wait_s: what the endpoint asks for."""

    def __init__(self, message: str, hint: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.hint, self.wait_s = hint, wait_s


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdigit() else None


def _jpegs(frames: FrameBatch, most: int) -> list[str]:
    """Data URLs of up to `most` frames, evenly spread."""
    from PIL import Image

    urls = []
    for i in evenly_spaced(len(frames), min(most, len(frames))):
        buffer = io.BytesIO()
        Image.fromarray(frames.rgb[i]).save(buffer, "JPEG", quality=85)
        urls.append("data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode())
    return urls


def load(
    spec: ModelSpec, *, device: str = "auto", dtype: str = "auto", weights_dir: Any = None, offline: bool = False,
    base_url: str = "", model: str = "", **options: Any,
) -> OpenAICaptioner:  # fmt: skip
    """From caption.options: base_url and model must be given; refused offline."""
    if offline:
        raise ConfigError("the openai captioner needs a server, but offline is set", hint="use the starter captioner")
    if not base_url or not model:
        raise ConfigError(
            "the openai captioner needs caption.options.base_url and caption.options.model",
            hint="--set caption.options.base_url=http://127.0.0.1:8000/v1 --set caption.options.model=NAME",
        )
    return OpenAICaptioner(base_url, model, **options)
