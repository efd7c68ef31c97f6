#!/usr/bin/env bash
# tantivy's query language has phrases in single quotes, too, so that an apostrophe within a word is an error: parse_query("I don't
# know") raises "Syntax Error", as do it's, dog's and boys', and one word of a question stops it all. A time, 1:30, is taken
# for a field called 1. parse_query_lenient reads the words, but finds nothing for 1:30 either.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q tantivy==0.27.0
venv/bin/python - <<'PY'
from importlib.metadata import version

import tantivy

print("tantivy", version("tantivy"))
fields = tantivy.SchemaBuilder()
fields.add_text_field("said", stored=True)
index = tantivy.Index(fields.build())
writer = index.writer()
for said in ("I don't know", "it's the dog's house", "rock 'n' roll at 1:30"):
    writer.add_document(tantivy.Document(said=said))
writer.commit()
writer.wait_merging_threads()
index.reload()


def hits(query):
    searcher = index.searcher()
    return [searcher.doc(place)["said"][0] for _, place in searcher.search(query, 5).hits]


strict, lenient = {}, {}
for text in ("I don't know", "dog's house", "rock 'n' roll", "1:30"):
    lenient[text] = hits(index.parse_query_lenient(text, ["said"])[0])
    try:
        strict[text] = hits(index.parse_query(text, ["said"]))
    except ValueError as error:
        strict[text] = str(error)
    print(f"{text:14} parse_query: {strict[text]!s:31} lenient: {lenient[text]}")
assert strict["I don't know"].startswith("Syntax Error") and strict["dog's house"].startswith("Syntax Error")
assert strict["1:30"] == "Field does not exist: '1'"
assert strict["rock 'n' roll"] == lenient["rock 'n' roll"] == ["rock 'n' roll at 1:30"]
assert lenient["I don't know"] == ["I don't know"] and lenient["dog's house"] == ["it's the dog's house"]
assert lenient["1:30"] == []
PY
