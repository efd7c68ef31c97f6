"""What is asked of an index in words and by a schema: answers with proof, and records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from vidembed.errors import BadQuery
from vidembed.index.captions import CaptionedIndex
from vidembed.index.filling import select
from vidembed.media.files import Paths
from vidembed.types import Filter

if TYPE_CHECKING:  # imported when asked for: searches need none of it
    from vidembed.captions.summarise import Writer
    from vidembed.index.evidence import Answer
    from vidembed.index.extracting import Record


class Questions(CaptionedIndex):
    """The part of `VideoIndex` that answers."""

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
