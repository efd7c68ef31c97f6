#!/usr/bin/env bash
# pyannote.core 6.1.0, where one segment ends and the next begins: Timeline.overlapping(t) gives the one that ends at t, never the one that begins
# there (of a lone segment from 1 to 2 s: nothing at 1, itself at 2), though its own overlaps(t) says yes. Annotation.discretize
# counts such a moment twice: of speakers who take turns every second, in steps of 0.5 s, some talk at the same time; and what lasts one step
# (0 to 1 s, in steps of 1 s) has no frame at all. vidembed's spans are half-open: a moment is in the span that begins there.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pyannote.core==6.1.0
venv/bin/python - <<'PY'
from importlib.metadata import version

from pyannote.core import Annotation, Segment, Timeline

print("pyannote.core", version("pyannote.core"))
shots = Timeline([Segment(1, 2), Segment(2, 3)])
for time in (1, 1.5, 2, 3):
    print(f"at {time} s:", [(s.start, s.end) for s in shots.overlapping(time)], "of", [(s.start, s.end) for s in shots if s.overlaps(time)])
assert shots.overlapping(1) == [] and Segment(1, 2).overlaps(1)
assert shots.overlapping(2) == [Segment(1, 2)] and shots.overlapping(3) == [Segment(2, 3)]

talk = Annotation()
for start, speaker in enumerate("ABA"):
    talk[Segment(start, start + 1)] = speaker
frames = talk.discretize(resolution=0.5).data.T.tolist()
print("A and B by half seconds:", frames)
assert frames == [[1, 1, 1, 0, 1, 1], [0, 0, 1, 1, 1, 0]]
assert not talk.get_overlap()

counts = {}
for seconds in (1, 2, 3, 4):
    lone = Annotation()
    lone[Segment(0, seconds)] = "A"
    counts[seconds] = len(lone.discretize(resolution=1.0).data)
print("frames of 1 s in so many seconds:", counts)
assert counts == {1: 0, 2: 2, 3: 2, 4: 4}
PY
