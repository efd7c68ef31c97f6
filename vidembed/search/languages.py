"""Whether a query is in another language than English, for models that read English alone.

By its letters and by small words, which no sentence does without. It is a notice's reason, no more: a wrong guess costs
a line of text, and nothing else depends on it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# German, French, Spanish, Italian, Portuguese, Dutch, Polish, Turkish; none of them an English word.
_SMALL_WORDS = """
der das dem ein eine einen einem einer und mit auf ist nicht vom zur zum für bei wird oder über im
le les une du dans avec sur est qui aux sans très un des el los las una del muy sobre
il gli di nel nella della sul sulla che uma um com da dos na nos em
het een voor bij niet naar jest nie się z w i bir ve ile bu
"""
_ENGLISH_WORDS = "the a an of in on at with and is are to from for by his her their its it this that into over under"
_SMALL, _ENGLISH = frozenset(_SMALL_WORDS.split()), frozenset(_ENGLISH_WORDS.split())


def not_english(text: str) -> bool:
    """Whether most letters are of another script, or small words are there that English does not have, no others."""
    letters = [char for char in text if char.isalpha()]
    latin = sum(unicodedata.name(char, "").startswith("LATIN") for char in letters)
    if 2 * latin < len(letters):
        return True
    words = re.findall(r"[^\W\d_]+", text)
    # "Las Vegas", "El Capitan": a capital begins a name, and also a sentence, of which more is to tell.
    small = {word for word in words if word.islower()} | ({words[0].lower()} if len(words) > 2 else set())
    return len(words) > 1 and not small & _ENGLISH and bool(small & _SMALL)


def language_notice(texts: Iterable[str], summaries: Iterable[str]) -> str | None:
    """What to tell a person whose query is not English, if no model of the index reads many languages.

    Args:
        texts: Of the query.
        summaries: Of the models that are asked (`ModelSpec.summary`), which say how many languages they read.
    """
    if any("language" in summary for summary in summaries) or not any(map(not_english, texts)):
        return None
    return (
        "the query seems not to be English, and this index's models read English: ask in English, or index with the "
        "profile gemma, whose model reads many languages (laptop: captions, speech and written words)"
    )
