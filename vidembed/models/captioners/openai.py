"""Captions from any OpenAI-compatible endpoint the user names (vLLM, llama.cpp, Ollama). Off unless asked for.

Frames of the clip leave this machine when the endpoint is elsewhere: that is why an address has to be given.
"""

from __future__ import annotations

import base64
import io
import os
import re
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from vidembed.errors import ConfigError, EndpointRefused, ModelError, NoSuchStream
from vidembed.models.captioners import spoken
from vidembed.models.captioners._inputs import AnswerStyle
from vidembed.models.spec import ModelSpec, read_options
from vidembed.protocols import ClipMedia
from vidembed.types import FrameBatch
from vidembed.vectors import evenly_spaced

T = TypeVar("T")
WRITTEN_TOKENS = 400  # of a summary, at least
THINKING_TOKENS = 2000  # more, for models that think before they write
MAX_WAIT_S = 30.0
# The client adds facts about this machine and headers from OPENAI_* variables, meant for OpenAI itself: none is sent.
SENT_HEADERS = frozenset(
    ["host", "user-agent", "accept", "accept-encoding", "connection", "content-type", "content-length", "authorization"]
)


@dataclass(frozen=True)
class EndpointOptions(AnswerStyle):
    """The captioner's `caption.options`.

    Attributes:
        base_url: Such as http://127.0.0.1:8000/v1; only http and https.
        model: The endpoint's name for it.
        api_key_env: Environment variable with the key; none is sent when it is unset.
        frames: At most so many of a clip, evenly spaced, as JPEG.
        max_tokens: Of one answer.
        temperature: Of sampling, at the endpoint.
        timeout_s: Longest silence of the endpoint.
        retries: Further tries where the endpoint is silent, busy (429) or broken (5xx), after 1, 2, 4 ... s or as
            long as it says, at most 30 s.
        at_once: Requests in flight.
    """

    base_url: str = ""
    model: str = ""
    api_key_env: str = "OPENAI_API_KEY"
    frames: int = 6
    max_tokens: int = 60
    temperature: float = 0.8
    timeout_s: float = 120.0
    retries: int = 2
    at_once: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.base_url or not self.model:
            raise ConfigError(
                "the openai captioner needs caption.options.base_url and caption.options.model",
                hint="--set caption.options.base_url=http://127.0.0.1:8000/v1 --set caption.options.model=NAME",
            )
        parts = urllib.parse.urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigError(
                f"caption.options.base_url must be an http(s) address, got {self.base_url!r}",
                hint="for example --set caption.options.base_url=http://127.0.0.1:8000/v1",
            )
        if self.at_once < 1 or self.retries < 0 or not self.timeout_s > 0:
            raise ConfigError(
                "caption.options: at_once >= 1, retries >= 0 and timeout_s > 0, "
                f"got {self.at_once}, {self.retries}, {self.timeout_s}"
            )


class OpenAICaptioner:
    """Asks `POST {base_url}/chat/completions` for n sentences per clip. Implements `protocols.Captioner`.

    Only that address is contacted: redirects are refused. Proxies are those of the environment (`HTTPS_PROXY`, ...).
    """

    def __init__(self, options: EndpointOptions) -> None:
        """Make the client; nothing is sent. Raises ModuleNotFoundError without the package openai."""
        import openai

        self.options = options
        self.name = f"openai:{options.model}"
        self.url = options.base_url.rstrip("/") + "/chat/completions"
        self._answered = False
        self._refused: frozenset[str] = frozenset()
        self._client = openai.OpenAI(
            base_url=options.base_url,
            api_key="none",  # the key goes with each request, see `_authorization`
            default_headers={"Authorization": openai.Omit()},  # type: ignore[dict-item]
            timeout=options.timeout_s,
            max_retries=0,  # see `_post`
            http_client=openai.DefaultHttpxClient(
                follow_redirects=False, event_hooks={"request": [_keep_sent_headers]}, timeout=options.timeout_s
            ),
        )

    def candidates(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str]]:
        """As `Captioner.candidates`. Raises the first error of `each`."""
        answers = self.each(clips, n=n, prompt=prompt, seed=seed)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [answer for answer in answers if not isinstance(answer, Exception)]

    def each(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str] | Exception]:
        """As `candidates`, asked in parallel, with the error of a clip in the place of its answer."""
        request = self.options.request(prompt, shown="pictures", heard=False)

        refused: list[EndpointRefused] = []

        def one(media: ClipMedia) -> list[str] | Exception:
            if refused:
                return refused[0]
            try:
                found = self._ask(media, n, request, seed)
                self._answered = True
                return found
            except Exception as error:
                refused.extend([error] if isinstance(error, EndpointRefused) else [])
                return error

        answers: list[list[str] | Exception] = []
        while not self._answered and len(answers) < len(clips):  # a wrong key is tried once, not with all at once
            answers.append(one(clips[len(answers)]))
        with ThreadPoolExecutor(self.options.at_once) as pool:
            return [*answers, *pool.map(one, clips[len(answers) :])]

    def _ask(self, media: ClipMedia, n: int, prompt: str, seed: int) -> list[str]:
        if media.frames is None:
            raise NoSuchStream("this captioner needs pictures, and the clip has none")
        content: list[dict[str, Any]] = [{"type": "text", "text": prompt}]
        urls = _jpegs(media.frames, self.options.frames)
        content += [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        answers: list[str] = []
        # Some servers ignore `n`, or write one text n times: what is missing is asked for again with other seeds.
        for _ in range(n):
            missing = n - len(set(answers))
            if not missing:
                break
            got = self._post(
                content,
                n=missing,
                seed=seed + len(answers),
                max_tokens=self.options.max_tokens,
                temperature=self.options.temperature,
            )
            if not got:
                break
            answers += got
        return list(dict.fromkeys(answers))[:n]

    @property
    def can_write(self) -> bool:
        """Whether it answers text alone: always."""
        return True

    def write(self, request: str, *, seed: int = 0) -> str:
        """One answer to text alone, as near to the model's favourite as the endpoint gives it."""
        tokens = max(self.options.max_tokens, WRITTEN_TOKENS)
        return next(iter(self._post(self.options.written(request), seed=seed, max_tokens=tokens, temperature=0.0)), "")

    def stream(self, request: str, *, pictures: Sequence[tuple[str, Any]] = (), seed: int = 0) -> Iterator[str]:
        """The answer piece by piece, whole where the endpoint does not stream.

        Args:
            request: What is asked.
            pictures: Words and the (H, W, 3) uint8 RGB picture that they stand before.
            seed: Of the sampling, at the endpoint.

        Raises:
            ModelError: The endpoint fails; before the first piece it is tried again.
        """
        content: str | list[dict[str, Any]] = request
        if pictures:
            content = [{"type": "text", "text": request}]
            for label, rgb in pictures:
                content += [{"type": "text", "text": label}, {"type": "image_url", "image_url": {"url": _jpeg(rgb)}}]
        tokens = max(self.options.max_tokens, WRITTEN_TOKENS)
        settings = {"seed": seed, "max_tokens": tokens, "temperature": 0.0, "stream": True}
        pieces = self._tried(partial(self._begin, content), settings)
        try:
            with self._told(settings):
                yield from pieces
        except _Temporary as error:
            raise ModelError(str(error), hint=error.hint) from error

    def _begin(self, content: str | list[dict[str, Any]], settings: dict[str, Any]) -> Iterator[str]:
        """The pieces of an answer, once the first is there. Raises _Refused where none comes: it was not streamed."""
        if "stream" not in settings:
            return iter(self._post_once(content, settings)[:1])
        with self._told(settings):
            chunks = self._create(content, settings)
            pieces = (str(choice.delta.content or "") for chunk in chunks for choice in chunk.choices[:1])
            first = next(pieces, None)
        if first is None:
            raise _Refused("stream")
        return chain([first], pieces)

    def _post(self, content: str | list[dict[str, Any]], **settings: Any) -> list[str]:
        """The texts of a completion."""
        return self._tried(partial(self._post_once, content), settings)

    def _tried(self, ask: Callable[[dict[str, Any]], T], settings: dict[str, Any]) -> T:
        """The answer. Raises ModelError once all tries have failed; a refused setting is left out."""
        attempt = 0
        while True:
            try:
                return ask(self._accepted(settings))
            except _Refused as refused:
                self._refused |= {refused.setting}
            except _Temporary as error:
                if attempt == self.options.retries:
                    kind = EndpointRefused if error.unreachable else ModelError
                    raise kind(str(error), hint=error.hint) from error
                time.sleep(min(error.wait_s if error.wait_s is not None else 2.0**attempt, MAX_WAIT_S))
                attempt += 1

    def _accepted(self, settings: dict[str, Any]) -> dict[str, Any]:
        """What the endpoint takes of the settings; reasoning models count what they think, under another name."""
        sent = {name: value for name, value in settings.items() if name not in self._refused}
        if "max_tokens" in self._refused and "max_completion_tokens" not in self._refused:
            sent["max_completion_tokens"] = settings["max_tokens"] + THINKING_TOKENS
        return sent

    def _post_once(self, content: str | list[dict[str, Any]], settings: dict[str, Any]) -> list[str]:
        with self._told(settings):
            return [spoken(str(choice.message.content or "")) for choice in self._create(content, settings).choices]

    def _create(self, content: str | list[dict[str, Any]], settings: dict[str, Any]) -> Any:
        return self._client.chat.completions.create(
            model=self.options.model,
            messages=[{"role": "user", "content": content}],  # type: ignore[list-item, misc]
            extra_headers=self._authorization(),
            **settings,
        )

    @contextmanager
    def _told(self, settings: dict[str, Any]) -> Iterator[None]:
        """The client's errors as ours. Raises _Refused and _Temporary, too."""
        import openai

        try:
            yield
        except openai.APITimeoutError as error:
            hint = "set caption.options.timeout_s higher, or caption.options.at_once lower"
            raise _Temporary(f"{self.url} did not answer within {self.options.timeout_s:g} s", hint) from error
        except openai.APIConnectionError as error:
            reason, hint = error.__cause__ or error, "is the server up, and is caption.options.base_url right?"
            raise _Temporary(f"{self.url} cannot be reached: {reason}", hint, unreachable=True) from error
        except openai.APIStatusError as error:
            message = f"{self.url} answered {error.status_code}: {error.response.text[:500]}"
            refused = next((name for name in settings if _names(error, name)), None)
            if error.status_code in (400, 422) and refused is not None:
                raise _Refused(refused) from error
            if error.status_code in (401, 403, 404):
                key = f"the key in ${self.options.api_key_env}"
                hint = "check caption.options.base_url and model" if error.status_code == 404 else f"check {key}"
                raise EndpointRefused(message, hint=hint) from error
            if error.status_code == 429 or error.status_code >= 500:
                wait_s = _seconds(error.response.headers.get("Retry-After"))
                raise _Temporary(message, "try again later", wait_s) from error
            raise ModelError(message, hint="check the model name and key") from error
        except (openai.APIError, ValueError, AttributeError, TypeError) as error:
            raise ModelError(f"{self.url} answered something that is no chat completion") from error

    def _authorization(self) -> dict[str, Any]:
        """The header with the key. Raises ConfigError for a key that no header can carry; its text names no key."""
        import openai

        key = os.environ.get(self.options.api_key_env, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise ConfigError(f"the key in ${self.options.api_key_env} has characters that an HTTP header cannot carry")
        return {"Authorization": f"Bearer {key}" if key else openai.Omit()}


class _Temporary(Exception):
    """What may be over at the next try. wait_s: what the endpoint asks for; unreachable: nobody listens there."""

    def __init__(self, message: str, hint: str, wait_s: float | None = None, *, unreachable: bool = False) -> None:
        super().__init__(message)
        self.hint, self.wait_s, self.unreachable = hint, wait_s, unreachable


class _Refused(Exception):
    """A setting that the endpoint does not take."""

    def __init__(self, setting: str) -> None:
        super().__init__(setting)
        self.setting = setting


def _names(error: Any, setting: str) -> bool:
    """Whether a refused request was refused for this setting."""
    word = rf"\b{setting}\b" if len(setting) > 1 else rf"['\"`]{setting}['\"`]"
    return bool(error.param == setting or (not error.param and re.search(word, error.response.text)))


def _keep_sent_headers(request: Any) -> None:
    for name in [name for name in request.headers if name.lower() not in SENT_HEADERS]:
        del request.headers[name]


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdigit() else None


def _jpegs(frames: FrameBatch, most: int) -> list[str]:
    """Data URLs of up to `most` frames, evenly spaced."""
    return [_jpeg(frames.rgb[i]) for i in evenly_spaced(len(frames), min(most, len(frames)))]


def _jpeg(rgb: Any) -> str:
    """A data URL."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def load(
    spec: ModelSpec, *, device: str = "auto", dtype: str = "auto", weights_dir: Any = None, offline: bool = False,
    **options: Any,
) -> OpenAICaptioner:  # fmt: skip
    """The registry's factory. Raises ConfigError where offline is set or an option is missing or wrong."""
    if offline:
        raise ConfigError("the openai captioner needs a server, but offline is set", hint="use the starter captioner")
    return OpenAICaptioner(read_options(EndpointOptions, options, spec.name))
