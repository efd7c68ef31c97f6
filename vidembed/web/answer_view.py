"""A question answered on the page: sentences whose citations play, above the moments that were looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from vidembed.index.answering import ask
from vidembed.index.evidence import Evidence, Sentence
from vidembed.media.remote import name_of
from vidembed.types import Query, Span
from vidembed.web import cards
from vidembed.web.asking import Ask, filter_of, query_of
from vidembed.web.html import e, notice, play_attributes, times
from vidembed.web.searches import SearchAnswer

if TYPE_CHECKING:
    from vidembed.index.evidence import Answer
    from vidembed.web.site import Site


def answered(site: Site, asked: Ask) -> Iterator[str]:
    """HTML of the answer to the words asked, longer with each sentence; last the whole with the moments looked at.

    Raises:
        VidembedError: What `VideoIndex.ask` raises, and InputError for a filter that cannot be read.
    """
    query_of(asked)  # says what is wrong with it
    question, where = asked.text.strip(), filter_of(asked)
    answer = None
    for answer in ask(site.index.parts, question, where=where, writer=site.writer):
        yield _answer_html(site, answer)
    if answer is None or not answer.evidence:
        return
    moments = [one.moment for one in answer.evidence]
    address = f"{asked.address}&{urlencode({'ask': 1})}"
    kept = site.answers.keep(SearchAnswer((Query.text(question),), f"“{question}”", tuple(moments), address=address))
    yield _answer_html(site, answer) + cards.results(site, kept, floor=site.index.config.search.min_confidence)


def _answer_html(site: Site, answer: Answer) -> str:
    if not answer.sentences:
        text = "No moment tells about this. Below is what comes nearest." if answer.evidence else ""
        return notice("info", "The library does not show it", text) + _dropped(answer)
    by = f"Phrased by {answer.model} from the moments below" if answer.model else "In the videos' own words"
    body = "".join(f"<p>{e(one.text)} {_citations(site, one)}</p>" for one in answer.sentences)
    return (
        f'<section class="ve-answer" aria-label="Answer">{body}<div class="ve-why">{e(by)}</div></section>'
        + _dropped(answer)
    )


def _dropped(answer: Answer) -> str:
    if not answer.dropped:
        return ""
    return notice("warn", "Left out, for want of proof", " ".join(answer.dropped))


def _citations(site: Site, sentence: Sentence) -> str:
    return " ".join(_citation(site, sentence, one) for one in sentence.evidence)


def _citation(site: Site, sentence: Sentence, cited: Evidence) -> str:
    """A button that plays the words, or the moment."""
    moment = cited.moment
    span = sentence.span if cited is sentence.evidence[0] else moment.span
    row = site.index.catalog.videos.get(moment.video_id)
    when = e(times(span))
    if row is None:  # taken out meanwhile
        return f"<span>{e(name_of(moment.path))}, {when}</span>"
    shown = Span(span.start_s, max(span.end_s, span.start_s + 0.1))
    name = name_of(moment.path)
    return (
        f'<button type="button" class="ve-btn ve-cite" {play_attributes(site, row.info, shown)} '
        f'aria-label="{e(f"Play {name} from {times(span)}")}">▶ {e(name)} {when}</button>'
    )
