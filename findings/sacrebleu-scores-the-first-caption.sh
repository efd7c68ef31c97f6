#!/usr/bin/env bash
# sacrebleu 2.6.0 compares only as many captions as the shortest list of references holds, and says nothing. References one list a caption
# ([["a dog ..."], ["a cat ..."]], as NLTK and pycocoevalcap take them) are to it that many references of the first caption: BLEU, chrF and
# TER are those of that one, perfect here though the other two are nonsense. A reference file that lacks its end does the same.
# vidembed's own scores refuse lists of other lengths.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q sacrebleu==2.6.0
venv/bin/python - <<'PY'
import sacrebleu

print("sacrebleu", sacrebleu.__version__)
captions = ["a dog runs in the park today", "xx yy zz ww vv", "aa bb cc dd ee"]
right = ["a dog runs in the park today", "a cat sleeps on the big sofa", "two men are cooking in a kitchen"]
best = {"corpus_bleu": 100, "corpus_chrf": 100, "corpus_ter": 0}
for name, perfect in best.items():
    score = getattr(sacrebleu, name)
    figures = {
        "one list of all": score(captions, [right]).score,
        "a list a caption": score(captions, [[one] for one in right]).score,
        "only the first": score(captions, [right[:1]]).score,
    }
    print(name, {key: round(value, 1) for key, value in figures.items()})
    assert abs(figures["one list of all"] - perfect) > 30
    assert abs(figures["a list a caption"] - perfect) < 1e-6 and abs(figures["only the first"] - perfect) < 1e-6
PY
