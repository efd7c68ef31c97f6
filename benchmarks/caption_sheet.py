"""Captions to look at: a PNG with thumbnail, caption, score, and what was not chosen, for clips of an index.

    python benchmarks/caption_sheet.py sheet.png VIDEOS... [--index DIR] [--clips 20] [--model starter-captioner]
        [--references captions.jsonl] [--set KEY=VALUE]

Videos are indexed and captioned where they are not yet; without any, what the index holds is shown. The clips are
spread over the videos: the longest of each first. Under the caption stand the captioner's own favourite where another
was chosen, the next best of the candidates by cosine, and a reference where one is given (JSON lines with `video` or
`file`, and `captions` or `caption`). "?" marks captions that are flagged as unsure.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import vidembed as ve
from vidembed.captions.run import CaptionedVideo
from vidembed.types import Caption

CELL, PICTURE, LETTERS, LINE = (400, 400), (400, 225), 54, 17


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("videos", nargs="*")
    parser.add_argument("--index", type=Path, help="a temporary one where none is named")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--model")
    parser.add_argument("--references", type=Path)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    args = parser.parse_args()
    if not args.videos and args.index is None:
        parser.error("name videos, or the index to show")
    with (
        tempfile.TemporaryDirectory() as folder,
        ve.open_index(args.index or Path(folder) / "index", overrides=args.settings) as index,
    ):
        if args.videos:
            report = index.add(args.videos)
            videos = list(index.caption([*report.done, *report.unchanged], model=args.model))
        else:
            videos = list(index.captioned())
        known = references(args.references) if args.references else {}
        cells = [
            cell(index.thumbnail(c.clip.clip_id), path, c, known.get(path.name)) for path, c in pick(videos, args.clips)
        ]
    rows = -(-len(cells) // args.columns)
    sheet = Image.new("RGB", (CELL[0] * args.columns, CELL[1] * rows), "white")
    for i, one in enumerate(cells):
        sheet.paste(one, (i % args.columns * CELL[0], i // args.columns * CELL[1]))
    sheet.save(args.sheet)
    print(f"{len(cells)} captions of {len(videos)} videos in {args.sheet}")
    return 0


def pick(videos: Sequence[CaptionedVideo], count: int) -> list[tuple[Path, Caption]]:
    """The longest clip of every video, then the second longest, until there are enough; in the order of the videos."""
    ranked = [sorted(v.captions, key=lambda c: c.clip.span.start_s - c.clip.span.end_s) for v in videos]
    order = [(turn, i) for i, captions in enumerate(ranked) for turn in range(len(captions))]
    return [(videos[i].path, ranked[i][turn]) for turn, i in sorted(sorted(order)[:count], key=lambda o: (o[1], o[0]))]


def references(path: Path) -> dict[str, str]:
    """File name -> a human caption."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        texts = record.get("captions") or [record["caption"]]
        found.setdefault(Path(record.get("video") or record["file"]).name, texts[0])
    return found


def cell(thumbnail: Path | None, video: Path, caption: Caption, reference: str | None) -> Image.Image:
    picture = Image.new("RGB", CELL, "white")
    if thumbnail is not None:
        with Image.open(thumbnail) as small:
            small.thumbnail((PICTURE[0] - 8, PICTURE[1]))
            picture.paste(small, ((CELL[0] - small.width) // 2, 2))
    span, mark = caption.clip.span, "" if caption.confident else "?"
    rest = [c for c in caption.candidates if c.text != caption.text]
    lines = [
        (f"{video.name[:36]} {span.start_s:.1f}-{span.end_s:.1f} s", "gray"),
        (f"{caption.score:.0%}{mark} {caption.text}", "black"),
    ]
    if rest and caption.candidates[0].text != caption.text:
        lines.append((f"its own first: {caption.candidates[0].text}", "firebrick"))
    if rest:
        second = max(rest, key=lambda c: sum(c.scores.values()))
        lines.append((f"next: {second.text}", "steelblue"))
    if reference:
        lines.append((f"a person: {reference}", "darkgreen"))
    draw, font, y = ImageDraw.Draw(picture), ImageFont.load_default(14), PICTURE[1] + 6
    for text, colour in lines:
        for part in textwrap.wrap(text, LETTERS)[:3]:
            draw.text((6, y), part, fill=colour, font=font)
            y += LINE
    return picture


if __name__ == "__main__":
    sys.exit(main())
