#!/usr/bin/env bash
# dateparser 1.5.0 takes the article for a number: "a friday evening" is 18:00 on the 28th of January, a Wednesday, where today
# is the 28th, for every weekday; "friday evening" is right. And "sun" and "sat" are days: "a cat in the sun" happened last
# Sunday. Whoever takes dates out of what people type into a search box filters their videos away.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q dateparser==1.5.0
venv/bin/python - <<'PY'
from datetime import datetime
from importlib.metadata import version

from dateparser.search import search_dates

print("dateparser", version("dateparser"))
settings = {"RELATIVE_BASE": datetime(2026, 11, 28)}
right = {"friday evening": "Fri 2026-11-27 18:00"}
wrong = {
    "a friday evening": "Wed 2026-01-28 18:00", "a monday morning": "Wed 2026-01-28 09:00",
    "a sunday in the park": "Wed 2026-01-28 00:00", "a cat in the sun": "Sun 2026-11-22 00:00",
}  # fmt: skip
for text, expected in (right | wrong).items():
    ((words, date),) = search_dates(text, languages=["en"], settings=settings)
    said = f"{date:%a %Y-%m-%d %H:%M}"
    print(f"{text!r}: {words!r} is {said}")
    assert said == expected
PY
