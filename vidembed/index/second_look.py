"""A second look at a search's answers by a model that is shown them: how well they fit, and from when to when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol, TypeVar, runtime_checkable

from vidembed.config.schema import Config
from vidembed.errors import BadQuery, ConfigError, NoSuchStream
from vidembed.media.reading.reader import open_video
from vidembed.models import registry
from vidembed.protocols import ClipMedia
from vidembed.types import Clip, Floats, Moment, Span

T = TypeVar("T")
_CHECKED_FRAMES = 1.0, 8, 64  # a second, at least and at most, evenly spread
_GROUNDED_FRAMES = 2.0, 1, 128  # TimeLens2 was trained with two a second
_CONTEXT_S = 10.0  # looked at before and after a moment
_SIDE_PX = 384
_HINT = "name a vision-language model such as qwen3-vl-2b"


@runtime_checkable
class Verifier(Protocol):
    """A captioner that also answers questions, or a reranker."""

    def agreement(self, clips: Sequence[ClipMedia], claim: str) -> Floats:
        """(N,) float32 in 0..1: how far it says yes when asked whether each clip shows the claim."""
        ...


@runtime_checkable
class Grounder(Protocol):
    """A captioner that tells when something happens."""

    def spans(self, media: ClipMedia, claim: str) -> list[Span]:
        """When in the clip the claim is seen, on the video's clock."""
        ...


def load(config: Config, model: str | None) -> object:
    """Load the named reranker or captioner, or the index's own. Raises ConfigError where there is none."""
    name = model or config.caption.model
    if name is None:
        raise ConfigError("no model to check with", hint=_HINT)
    return registry.load(
        name,
        role="reranker" if registry.is_reranker(name) else "captioner",
        device=config.device,
        weights_dir=config.weights_dir,
        offline=config.offline,
        **(config.caption.options if name == config.caption.model else {}),
    )


def check(config: Config, claim: str, moments: Sequence[Moment], model: object) -> list[Moment]:
    """The moments with their `agreement`, best first; ties keep their order; what it cannot judge comes last.

    Raises BadQuery for an empty claim, ConfigError for a model that answers no questions.
    """
    if not isinstance(model, Verifier):
        raise ConfigError(f"{getattr(model, 'name', model)} does not answer questions", hint=_HINT)
    _not_empty(claim)

    def agreement(media: ClipMedia) -> float:
        return float(model.agreement([media], claim)[0])

    found = [(m, _shown(config, m, m.span, _CHECKED_FRAMES, agreement)) for m in moments]
    return sorted((replace(m, agreement=sure) for m, sure in found), key=lambda moment: -(moment.agreement or 0.0))


def ground(config: Config, claim: str, moments: Sequence[Moment], model: object) -> list[Moment]:
    """The moments with the span that the model sees the claim in (`grounded`), in their order.

    It looks at a moment and ten seconds around; of several spans the one that shares most with the moment is taken,
    else the nearest. None where it sees the claim nowhere.

    Raises BadQuery for an empty claim, ConfigError for a model that tells no times.
    """
    if not isinstance(model, Grounder):
        raise ConfigError(f"{getattr(model, 'name', model)} does not tell times", hint="name one such as timelens2-4b")
    _not_empty(claim)

    def spans(media: ClipMedia) -> list[Span]:
        return model.spans(media, claim)

    found = []
    for moment in moments:
        wide = Span(max(0.0, moment.span.start_s - _CONTEXT_S), moment.span.end_s + _CONTEXT_S)
        seen = _shown(config, moment, wide, _GROUNDED_FRAMES, spans) or []
        found.append(replace(moment, grounded=min(seen, key=lambda span: _apart(span, moment.span), default=None)))
    return found


def _apart(span: Span, moment: Span) -> tuple[float, float]:
    return -span.overlap_s(moment), abs(span.middle_s - moment.middle_s)


def _not_empty(claim: str) -> None:
    if not claim.strip():
        raise BadQuery("nothing to check: the claim is empty", hint="give the words that were searched for")


def _shown(
    config: Config, moment: Moment, span: Span, frames_of: tuple[float, int, int], ask: Callable[[ClipMedia], T]
) -> T | None:
    """What the model says of that part of the moment's video; None where it has nothing that the model takes."""
    rate_hz, least, most = frames_of
    with open_video(moment.path, config.media) as video:
        span = Span(span.start_s, max(min(span.end_s, video.info.duration_s), span.start_s + 1e-3))
        frames = None
        try:
            if video.info.has_video:
                count = min(max(round(span.duration_s * rate_hz), least), most)
                with suppress(NoSuchStream):
                    frames = video.frames(span.middles_s(count), short_side_px=_SIDE_PX)
            return ask(ClipMedia(Clip.make(moment.video_id, 0, span), video.info, frames, video))
        except NoSuchStream:
            return None
