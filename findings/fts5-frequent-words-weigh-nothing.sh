#!/usr/bin/env bash
# SQLite 3.54.1 (apsw 3.54.1.0): in FTS5's bm25 a word that half of the rows have, or more, weighs a millionth: of captions of a dog's films, "dog OR lake" puts
# "the big lake" before "a dog at the lake", and "dog" alone gives scores of 0.000001 that no threshold keeps. Lucene's formula, ln(1 + ...), which
# most engines call BM25, leaves such a word some weight and puts the dog first. Small and uniform collections, as the captions of one film are,
# are the ones where most words are that frequent. vidembed does not search with FTS5; the IDF of its stores stays above 0.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q apsw==3.54.1.0
venv/bin/python - <<'PY'
import math

import apsw

print("SQLite", apsw.sqlite_lib_version())
ends = "a ball|the grass|a stick|the snow|a bone|the sofa".split("|")
captions = ["the big lake", "a dog at the lake", "a boat", "a hill", *(f"a brown dog with {end}" for end in ends)]
database = apsw.Connection(":memory:")
database.execute("CREATE VIRTUAL TABLE captions USING fts5(text)")
for caption in captions:
    database.execute("INSERT INTO captions VALUES (?)", (caption,))


def found(query):
    return dict(database.execute("SELECT text, -bm25(captions) FROM captions WHERE captions MATCH ? ORDER BY rank", (query,)))


def lucene(caption, words):
    """BM25 with Lucene's IDF and FTS5's k1 = 1.2, b = 0.75; no word comes twice in a caption."""
    mean = sum(len(c.split()) for c in captions) / len(captions)
    score = 0.0
    for word in words:
        rows = sum(word in c.split() for c in captions)
        there = word in caption.split()
        idf = math.log(1 + (len(captions) - rows + 0.5) / (rows + 0.5))
        score += there * idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 * len(caption.split()) / mean))
    return score


alone, both = found("dog"), found("dog OR lake")
print(f"dog (7 of 10 captions): {max(alone.values()):.7f}; boat: {found('boat')['a boat']:.2f}")
for caption in captions[:2]:
    print(f"dog OR lake, {caption!r}: FTS5 {both[caption]:.3f}, Lucene's formula {lucene(caption, ['dog', 'lake']):.3f}")
assert max(alone.values()) < 2e-6 and found("boat")["a boat"] > 1
assert list(both)[:2] == captions[:2]
assert lucene(captions[1], ["dog", "lake"]) > lucene(captions[0], ["dog", "lake"])
PY
