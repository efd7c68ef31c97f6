"""Captions from any OpenAI-compatible endpoint the user names (vLLM, llama.cpp, Ollama). Off unless asked for.

Frames of the clip leave this machine when the endpoint is elsewhere: that is why an address has to be given.
"""

from __future__ import annotations

import base64
import io
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import Any

import numpy as np

from vidembed.captions.captioners._wording import Wording
from vidembed.errors import ConfigError, ModelError, NoSuchStream
from vidembed.model_spec import ModelSpec
from vidembed.protocols import ClipMedia
from vidembed.types import FrameBatch


class OpenAICaptioner:
    """Asks `POST {base_url}/chat/completions` for n sentences per clip.

    base_url: such as http://127.0.0.1:8000/v1; only http and https. model: the endpoint's name for it.
    api_key_env: environment variable with the key; none is sent when it is unset.
    frames: at most so many a clip, evenly spread, as JPEG. timeout_s: for one answer; nothing is retried.
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
        self.url = base_url.rstrip("/") + "/chat/completions"
        self.model = model
        self.name = f"openai:{model}"
        self.api_key_env, self.frames, self.max_tokens = api_key_env, frames, max_tokens
        self.temperature, self.timeout_s = temperature, timeout_s
        self.wording = Wording(language, style, max_words)

    def candidates(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str]]:
        request = self.wording.request(prompt, shown="pictures", heard=False)
        return [self._ask(media, n, request, seed) for media in clips]

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

    def _post(self, body: dict[str, Any]) -> list[str]:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self.api_key_env):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as response:
                answer = json.loads(response.read())
            return [str(choice["message"]["content"] or "") for choice in answer["choices"]]
        except urllib.error.HTTPError as error:
            detail = error.read(500).decode("utf-8", "replace")
            raise ModelError(
                f"{self.url} answered {error.code}: {detail}", hint="check the model name and key"
            ) from error
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", error)
            raise ModelError(
                f"{self.url} did not answer within {self.timeout_s:g} s: {reason}",
                hint="is the server up, and is caption.options.base_url right?",
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{self.url} answered something that is no chat completion") from error


def _jpegs(frames: FrameBatch, most: int) -> list[str]:
    """Data URLs of up to `most` frames, evenly spread."""
    from PIL import Image

    urls = []
    for i in np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int)):
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
