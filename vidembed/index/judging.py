"""What an index knows to judge captions by, and to sum a video up with: vectors, ordinary sentences, spoken lines."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vidembed.batching import failure_of
from vidembed.captions.export import summary_from_record, summary_record
from vidembed.captions.run import Judge
from vidembed.captions.subtitles import Cue, to_cues
from vidembed.captions.summarise import VideoSummary, Writer, summarise, write_summary
from vidembed.errors import BadQuery, ConfigError
from vidembed.index.channels import ChannelSpec
from vidembed.index.classifying import classify
from vidembed.index.parts import IndexParts
from vidembed.protocols import Channel
from vidembed.search.calibration import encode_texts
from vidembed.search.labels import LabelGroup, label_groups
from vidembed.types import Caption, Clip, Failure, Floats

OTHERS = 64  # clips of the index that a caption must not fit as well
UNLIKE = 0.9  # cosine above which a clip is no "other" clip but the same scene again
MAX_LINES = 200  # spoken or written lines that take part in a summary
VERSION = 2  # of how summaries are put together


def judging_weights(specs: Mapping[str, ChannelSpec], rerank: Mapping[str, float]) -> dict[str, float]:
    """Weight of each channel in choosing captions: as set, or 1 for all of picture or sound whose model takes text.

    Raises ConfigError for a channel in `rerank` that cannot compare a clip with text.
    """
    able = [
        name
        for name, spec in specs.items()
        if spec.settings.source in ("frames", "audio", "av")
        and spec.model.kind == "encoder"
        and (not spec.model.modalities or "text" in spec.model.modalities)
    ]
    unknown = set(rerank) - set(able)
    if unknown:
        raise ConfigError(
            f"caption.rerank names {', '.join(sorted(unknown))}, which cannot compare a clip with text",
            hint=f"channels that can: {', '.join(able) or 'none'}",
        )
    return {name: rerank[name] for name in able if rerank.get(name, 0.0) > 0} if rerank else dict.fromkeys(able, 1.0)


def embed_texts(channel: Channel, texts: Sequence[str]) -> Floats:
    """(N, D) unit rows. Raises ConfigError when the channel's model takes no text."""
    rows = encode_texts(channel, texts)
    if rows is None:
        raise ConfigError(f"channel {channel.name!r} takes no text")
    return rows


class Judging:
    """The judges of an index, for one video after the other: `look_up` its clips before they are judged."""

    def __init__(self, parts: IndexParts, weights: Mapping[str, float]) -> None:
        """weights: channel -> weight above 0, as `judging_weights` gives."""
        self._parts = parts
        self._weights = dict(weights)
        self._vectors: dict[str, dict[str, Floats]] = {}  # channel -> clip_id -> vector, of the video in hand
        self._others: dict[str, tuple[list[str], Floats]] = {}

    def judges(self) -> dict[str, Judge]:
        """The judges by channel."""
        return {name: self._judge(name, weight) for name, weight in self._weights.items()}

    def look_up(self, clips: Sequence[Clip]) -> None:
        """The stored vectors of the video in hand."""
        ids = [clip.clip_id for clip in clips]
        self._vectors = {name: self._parts.vectors(name, ids) for name in self._weights}

    def _judge(self, name: str, weight: float) -> Judge:
        channel = self._parts.channels[name]
        bank = self._parts.bank(channel)
        if bank is None:
            raise ConfigError(f"caption.rerank names {name!r}, whose model takes no text", hint="leave it out")
        return Judge(
            embed=lambda texts: embed_texts(channel, texts),
            bank=bank,
            vector=lambda clip: self._vectors[name].get(clip.clip_id),
            others=lambda clip: self._unlike(name, clip),
            weight=weight,
            embed_bank=lambda texts: self._parts.kept_bank(texts)(channel),
        )

    def _unlike(self, name: str, clip: Clip) -> Floats:
        """(M, D) of a fixed sample of the index, without this clip and those of its scene."""
        if name not in self._others:
            # Clip ids are hashes: their first ones in order are a fair sample, the same in every run.
            ids = sorted(other.clip_id for other in self._parts.catalog.videos.clips())[:OTHERS]
            found = self._parts.vectors(name, ids)
            dim = self._parts.channels[name].encoder.space.dim
            ids = [clip_id for clip_id in ids if clip_id in found]
            vectors = np.stack([found[clip_id] for clip_id in ids]) if ids else np.zeros((0, dim), np.float32)
            self._others[name] = (ids, vectors)
        ids, vectors = self._others[name]
        own = self._vectors[name].get(clip.clip_id)
        if own is None or not len(vectors):
            return vectors
        unlike = (vectors @ own < UNLIKE) & np.array([clip_id != clip.clip_id for clip_id in ids])
        return vectors[unlike]


class Summariser:
    """Subtitles and summaries of captioned videos; texts are compared in the space of one channel.

    Captions marked as uncertain are left out, unless `caption.use_uncertain` says otherwise; where all are, the title
    says what is surely seen and heard.

    channel: its name, usually the first that judges captions; None = an index without one has no summaries.
    Methods take the captions of one video, in order of time.
    """

    def __init__(self, parts: IndexParts, channel: str | None) -> None:
        self._parts = parts
        self._channel = channel

    def cues(self, captions: Sequence[Caption]) -> tuple[Cue, ...]:
        """As subtitles; neighbours that mean the same become one."""
        return tuple(to_cues(self._used(captions), embed=None if self._channel is None else self._embed))

    def kept_or_extracted(self, captions: Sequence[Caption]) -> VideoSummary | None:
        """The summary that is kept of the video, or one put together now. None without captions."""
        return (self._kept(captions) or self._extracted(captions)) if captions else None

    def make(
        self, captions: Sequence[Caption], *, writer: Callable[[], Writer | None], seed: int, redo: bool = False
    ) -> tuple[VideoSummary | None, Failure | None]:
        """The kept summary, else a new one, in the writer's words where there is one; and why it could not write.

        writer: called when there is something to write. What failed is not kept: the next run asks again.
        """
        if not captions:
            return None, None
        if not redo and (kept := self._kept(captions)):
            return kept, None
        summary = self._extracted(captions)
        if summary is None:
            return None, None
        video_id = captions[0].clip.video_id
        try:
            if self._used(captions) and (words := writer()) is not None:
                summary = write_summary(words, summary, self.cues(captions), self._told(captions), seed=seed)
        except ConfigError:
            raise
        except Exception as error:  # the model or the endpoint; the captions stand
            return summary, failure_of(error, item=video_id, stage="caption:summary")
        body = json.dumps(summary_record(summary, "", video_id), ensure_ascii=False)
        self._parts.catalog.summaries.put(video_id, self._basis(captions), body)
        return summary, None

    def _kept(self, captions: Sequence[Caption]) -> VideoSummary | None:
        body = self._parts.catalog.summaries.get(captions[0].clip.video_id, self._basis(captions))
        return summary_from_record(json.loads(body)) if body is not None else None

    def _extracted(self, captions: Sequence[Caption]) -> VideoSummary | None:
        """Title, sentence and chapters from captions and what is said and written."""
        if self._channel is None:
            return None
        if used := self._used(captions):
            return summarise(used, embed=self._embed, extra=self._told(captions))
        title = title_of_parts(self._parts, captions[0].clip.video_id)
        return VideoSummary(title, "", ()) if title else None

    def _used(self, captions: Sequence[Caption]) -> list[Caption]:
        uncertain = self._parts.config.caption.use_uncertain
        return [caption for caption in captions if uncertain or caption.confident]

    def _basis(self, captions: Sequence[Caption]) -> str:
        """Digest of what a summary is made from: the captions, and what is said and written."""
        facts = [VERSION, [(c.clip.clip_id, c.text, c.model) for c in self._used(captions)], self._told(captions)]
        return hashlib.blake2b(json.dumps(facts, ensure_ascii=False).encode(), digest_size=8).hexdigest()

    def _told(self, captions: Sequence[Caption]) -> list[str]:
        """What is said and written in the clips, in order of time, each line once."""
        ids = [caption.clip.clip_id for caption in captions]
        texts = self._parts.lookup.texts(ids)
        lines = [
            line.text
            for clip_id in ids
            for channel, text in texts[clip_id].items()
            if not channel.startswith("caption")
            for line in text.lines
        ]
        return list(dict.fromkeys(lines))[:MAX_LINES]

    def _embed(self, texts: Sequence[str]) -> Floats:
        assert self._channel is not None
        return embed_texts(self._parts.channels[self._channel], texts)


# Who or what, where, and what is heard, with the words that are asked for each.
_GROUPS = {
    "what": {
        "several": {
            "a man": "a man", "a woman": "a woman", "a child": ["a child", "a baby"], "people": ["people", "a crowd"],
            "a dog": "a dog", "a cat": "a cat", "a bird": "a bird", "a horse": "a horse", "a car": ["a car", "cars"],
            "a bicycle": "a bicycle", "a motorcycle": "a motorcycle", "a boat": "a boat", "a train": "a train",
            "food": ["food on a plate", "cooking food"], "an animation": ["a cartoon", "computer animation"],
            "a text": "text on a screen", "a drum kit": "a drum kit", "a guitar": "a guitar", "a game": "a ball game",
        }
    },
    "where": {
        "one_of": {
            "in a kitchen": "a kitchen", "in a room": ["a room", "indoors"], "in a street": "a street",
            "on a beach": "a beach", "in the snow": "snow", "by the water": ["a lake", "the sea", "a river"],
            "in a field": "a field of grass", "among trees": "a forest", "on a stage": "a stage", "at night": "night",
        }
    },
    "heard": {
        "channels": ["sound"],
        "several": {
            "music": "music", "speech": "somebody is speaking", "singing": "singing", "barking": "a dog barking",
            "crying": ["a baby crying"], "birdsong": ["birds singing"], "an engine": ["an engine running"],
            "applause": ["applause"], "rain": ["rain"], "waves": ["sea waves"],
        },
    },
}  # fmt: skip
_MOST = 2  # parts of one group


def title_of_parts(parts: IndexParts, video_id: str) -> str:
    """The surest labels of a video's clips, by group and by how sure they are; "" where none is sure."""
    groups = [group for group in label_groups(_GROUPS) if _can_look(parts, group)]
    if not groups:
        return ""
    try:
        found = classify(parts, [video_id], groups)
    except BadQuery:  # no channel takes words
        return ""
    best: dict[str, dict[str, float]] = defaultdict(dict)
    for one in found:
        best[one.group][one.label] = max(one.confidence, best[one.group].get(one.label, 0.0))
    said = []
    for group in groups:
        sure = best[group.name]
        said += sorted(sure, key=lambda label: (-sure[label], label))[: 1 if group.one else _MOST]
    return ", ".join(said)


def _can_look(parts: IndexParts, group: LabelGroup) -> bool:
    return group.channels is None or all(name in parts.specs for name in group.channels)
