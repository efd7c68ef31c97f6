"""What is asked of an index: moments, answers with proof, records by a schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidembed.config.schema import Fusion
from vidembed.errors import BadQuery
from vidembed.index.captions import CaptionedIndex
from vidembed.index.contents import one_video
from vidembed.index.places import select
from vidembed.index.second_look import check, ground
from vidembed.media.files import Paths
from vidembed.search.duplicates import Duplicate, duplicates
from vidembed.search.query import SearchOptions, checked, positive_text
from vidembed.search.sequence import Chain, follow
from vidembed.types import Filter, Moment, Query

if TYPE_CHECKING:  # imported when asked for: searches need none of it
    from vidembed.captions.summarise import Writer
    from vidembed.index.evidence import Answer
    from vidembed.index.extracting import Record


RERANKED = 20  # the best answers, which the model of `search.rerank` orders again
_PER_STEP = 200  # moments of one query that a sequence is looked for in


class Questions(CaptionedIndex):
    """The part of `VideoIndex` that answers."""

    def search(
        self,
        query: str | Query,
        *,
        k: int = 10,
        channels: Sequence[str] | None = None,
        weights: Mapping[str, float] | None = None,
        where: Filter | None = None,
        group_by_video: bool = False,
        diversity: float = 0.0,
        offset: int = 0,
        fusion: Fusion | None = None,
    ) -> list[Moment]:
        """The k best moments, best first; one with a confidence below `search.min_confidence` is no good match.

        Args:
            query: Text, or a `Query` of texts, pictures, sounds, videos and clips.
            k: Moments wanted.
            channels: Names of the channels to search; None = all.
            weights: Channel -> weight, on top of `search.weights`; 0 leaves a channel out.
            where: Which videos and stretches may be answers; None = the query's own filter.
            group_by_video: At most one moment of each video.
            diversity: 0..1, how much answers must differ from those before; scores then no longer fall.
            offset: Moments left out before, for paging; pages are stable.
            fusion: In place of `search.fusion`.

        Raises:
            BadQuery: The query is empty, or no channel understands it.
            MediaUnreadable: A file of the query cannot be read.
            ModelError: The model of `search.rerank` cannot be loaded.
        """
        options = SearchOptions(
            k=k, offset=offset, channels=channels, weights=weights, where=where, group_by_video=group_by_video,
            diversity=diversity, fusion=fusion,
        )  # fmt: skip
        claim, model = positive_text(checked(query)), self.parts.config.search.rerank
        if model is None or not claim or offset >= RERANKED:
            return self.parts.searcher.search(query, options)
        found = self.parts.searcher.search(query, replace(options, k=max(offset + k, RERANKED), offset=0))
        best = self.check(claim, found[:RERANKED], model=model)
        return [*best, *found[RERANKED:]][offset : offset + k]

    def search_sequence(
        self, queries: Sequence[str | Query], *, gap_s: float = 60.0, k: int = 10, **options: Any
    ) -> list[Chain]:
        """The k best chains of moments of one video that follow each other, one of each query.

        Args:
            queries: What happens, in this order; two or more.
            gap_s: Most seconds between the end of one moment and the start of the next.
            k: Chains wanted.
            **options: As for `search`, for every query.

        Raises:
            BadQuery: There are less than two queries, or one cannot be asked.
        """
        if isinstance(queries, str | Query):
            raise BadQuery("a sequence takes a list of queries", hint='such as ["a man sits down", "a dog comes in"]')
        steps = [self.parts.searcher.search(query, SearchOptions(k=_PER_STEP, **options)) for query in queries]
        return follow(steps, gap_s=gap_s, k=k)

    def check(self, claim: str, moments: Sequence[Moment], *, model: str | None = None) -> list[Moment]:
        """The moments with their `agreement`, best first: a vision-language model tells whether they show the claim.

        Slow and precise, for the best of a search: `check(words, index.search(words, k=20), model="qwen3-vl-2b")`. The
        setting `search.rerank` does so in every search.

        Args:
            claim: What the moments should show.
            moments: Of a search; ties keep their order.
            model: A reranker, or a captioner that answers questions; None = the index's own.

        Raises:
            ConfigError: The captioner cannot answer questions, or none is set.
            ModelError: The captioner cannot be loaded.
        """
        return check(self.config, claim, moments, self.parts.looker(model))

    def ground(self, claim: str, moments: Sequence[Moment], *, model: str | None = None) -> list[Moment]:
        """The moments with `grounded`: from when to when a vision-language model sees the claim, looking around them.

        Args:
            claim: What is looked for.
            moments: Of a search; their own spans and their order stay.
            model: Such as "timelens2-4b", which was trained for it; None = the index's captioner.

        Raises:
            ConfigError: The model cannot tell times, or none is set.
            ModelError: The model cannot be loaded.
        """
        return ground(self.config, claim, moments, self.parts.looker(model))

    def curve(
        self, query: str | Query, video: str | Path, **options: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(times_s, scores) of one video, (N,) float64 each: how well each time fits; 0 is as any query.

        Args:
            query: As for `search`.
            video: Its path or id.
            **options: channels and weights, as for `search`.
        """
        return self.parts.searcher.curve(query, one_video(self.catalog, video), **options)

    def duplicates(self, *, channel: str = "vision", above: float = 0.8, min_s: float = 2.0) -> Iterator[Duplicate]:
        """Pairs of videos that share stretches: other encodings, excerpts, common intros.

        Args:
            channel: The channel whose frame vectors are compared.
            above: Cosine from which two frames count as the same.
            min_s: Shortest stretch, in seconds.

        Raises:
            BadQuery: The channel is unknown, or holds no vectors of frames.
        """
        spec = self.parts.spec(channel)
        if spec.model.kind != "encoder":
            raise BadQuery(
                f"channel {channel!r} has no frame embeddings, by which duplicates are found",
                hint="use channel vision",
            )
        records = self.videos()
        for record in records:
            for path in record.paths[1:]:
                yield Duplicate(record.paths[0], path, "same file")
        infos = {record.info.video_id: record.info for record in records}
        black = self.parts.channels[channel].encoder.encode_query("image", np.zeros((64, 64, 3), np.uint8))
        blank = black if isinstance(black, np.ndarray) else None
        yield from duplicates(
            self.parts.store, spec.collection, infos, self.clips(), above=above, min_s=min_s, blank=blank
        )

    def ask(self, question: str, *, where: Filter | None = None, **how: Any) -> Answer:
        """Answer a question with sentences that each name the moments that prove them.

        Args:
            question: In plain words.
            where: Which videos may answer.
            **how: As for `ask_stream`.
        """
        *_, answer = self.ask_stream(question, where=where, **how)
        return answer

    def ask_stream(
        self,
        question: str,
        *,
        where: Filter | None = None,
        model: str | None = None,
        endpoint: str | None = None,
        pictures: bool = False,
    ) -> Iterator[Answer]:
        """The answer to a question, longer with each sentence that is there; the last one is whole.

        Nothing leaves this machine unless an endpoint is named.

        Args:
            question: In plain words.
            where: Which videos may answer.
            model: What phrases the answer: a captioner that writes; None = words of the videos themselves.
            endpoint: OpenAI-compatible address, "http://127.0.0.1:8000/v1"; `model` is then its name for the model.
            pictures: Show it a frame of each moment, too.

        Raises:
            BadQuery: The question is empty.
            ConfigError: The model does not write text, or is shown no pictures.
            ModelError: It cannot be loaded, or its endpoint fails.
        """
        from vidembed.index.answering import ask

        writer = self._writer(model, endpoint)
        yield from ask(self.parts, question, where=where, writer=writer, pictures=pictures)

    def extract(
        self,
        schema: Mapping[str, Any],
        videos: Paths | None = None,
        *,
        model: str | None = None,
        endpoint: str | None = None,
        left_out: Callable[[str], None] | None = None,
    ) -> Iterator[Record]:
        """Records of stretches of videos that fit a JSON Schema, video by video, in order of time.

        Choices (an `enum` of strings) are made by the index's vectors: what a stretch shows surely, else "unknown".
        Neighbouring clips with the same choices are one record. All other properties are told by a model, if one is
        named, from what is said, written and captioned there; nothing leaves this machine unless an endpoint is named.

        Args:
            schema: Of an object. Its properties `start_s` and `end_s` are filled with the times.
            videos: None = all.
            model: A captioner that writes.
            endpoint: OpenAI-compatible address; `model` is then its name for the model.
            left_out: Called with why, for each record that does not fit the schema.

        Raises:
            InputError: The schema is none, or leaves no way out for what is unsure.
            ConfigError: A property is required that only a model can tell, and there is none.
            ModelError: The model cannot be loaded, or fails.
        """
        from vidembed.index.extracting import Schema, extract

        checked, writer = Schema(schema), self._writer(model, endpoint)
        for found in extract(self.parts, checked, select(self.catalog, videos), writer=writer):
            if not isinstance(found, str):
                yield found
            elif left_out is not None:
                left_out(found)

    def _writer(self, model: str | None, endpoint: str | None) -> Writer | None:
        from vidembed.index.phrasing import load_writer

        if endpoint is not None and model is None:
            raise BadQuery("an endpoint needs a model", hint="the endpoint's name for it")
        return load_writer(self.config, model, endpoint=endpoint) if model is not None else None
