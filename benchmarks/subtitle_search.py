"""What reelgrep finds in subtitles, beside ours: python benchmarks/subtitle_search.py --work FOLDER --reelgrep BIN

Makes one video for each way in which subtitles are written in the wild, with three cues of planted words each, and
looks for every word with reelgrep (`pip install reelgrep==0.4.0` in an environment of its own; it needs ffmpeg and
ffprobe on PATH) and with vidembed. Found is a word whose first answer begins within half a second of its cue, in the
right video.
Prints one JSON report; exit status 1 where reelgrep finds a word that vidembed does not.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
from _machine import facts

import vidembed
from vidembed.types import Filter

NEAR_S = 0.5
CUES = ((1.0, "alabaster"), (4.0, "bumblebee"), (8.0, "cormorant"))  # begins, and the word of the cue
WORDS = {"channels.words.source": "speech", "channels.words.model": "words", "segment.window_s": "3"}


def clock(seconds: float, *, sign: str = ",", hours: int = 2) -> str:
    return f"{0:0{hours}d}:00:{int(seconds):02d}{sign}{round(seconds % 1 * 1000):03d}"


def srt(gap: str = "\n\n", *, sign: str = ",", hours: int = 2, numbers: bool = True) -> str:
    return gap.join(
        f"{n}\n" * numbers
        + f"{clock(s, sign=sign, hours=hours)} --> {clock(s + 2, sign=sign, hours=hours)}\nsay {word} now"
        for n, (s, word) in enumerate(CUES, start=1)
    )


def vtt() -> str:
    notes = "WEBVTT - made by hand\n\nNOTE a comment with alabaster\n\n"
    return notes + srt(sign=".").replace("say", "<v Ann>say&nbsp;")


def ass() -> str:
    head = "[Script Info]\nScriptType: v4.00+\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
    return head + "".join(
        f"Dialogue: 0,0:00:0{s:.2f},0:00:{s + 2:05.2f},Default,{{\\i1}}say\\N{word}{{\\i0}} now\n" for s, word in CUES
    )


@dataclass(frozen=True)
class Case:
    content: bytes
    suffix: str = ".srt"
    codec: str = ""  # put into the file as a track of this codec


CASES: Mapping[str, Case] = {
    "plain": Case(srt().encode()),
    "bom-and-crlf": Case(b"\xef\xbb\xbf" + srt().replace("\n", "\r\n").encode()),
    "utf-16": Case(srt().encode("utf-16")),
    "latin-1": Case(srt().replace("now", "été Müller").encode("cp1252")),
    "dots": Case(srt(sign=".").encode()),
    "long-hours": Case(srt(hours=3).encode()),
    "no-blank-line": Case(srt("\n").encode()),
    "no-numbers": Case(srt(numbers=False).encode()),
    "blank-line-inside": Case(srt().replace("say ", "say\n\n").encode()),
    "markup": Case(srt().replace("say", '<font color="#fff"><i>say</i></font> &amp;').encode()),
    "language": Case(srt().encode(), ".en.srt"),
    "sdh": Case(srt().replace("say", "[DOOR SLAMS] say").encode(), ".en.sdh.srt"),
    "webvtt": Case(vtt().encode(), ".vtt"),
    "ass": Case(ass().encode(), ".ass"),
    "mov_text": Case(srt().encode(), codec="mov_text"),
    "subrip-inside": Case(srt().encode(), codec="srt"),
    "webvtt-inside": Case(srt().encode(), codec="webvtt"),
    "ass-inside": Case(srt().encode(), codec="ass"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for videos and indexes")
    parser.add_argument("--reelgrep", type=Path, required=True, help="the program")
    args = parser.parse_args()
    videos = {name: make(args.work / "videos", name, case) for name, case in CASES.items()}
    theirs = {name: by_reelgrep(args.reelgrep, args.work / "reelgrep.sqlite", path) for name, path in videos.items()}
    with vidembed.open_index(args.work / "index", profile="toy", create=True, overrides=WORDS) as index:
        index.add(args.work / "videos", channels=["words"])
        ours = {name: by_vidembed(index, path) for name, path in videos.items()}
    missed = {name: sorted(theirs[name] - ours[name]) for name in CASES if theirs[name] - ours[name]}
    total = len(CASES) * len(CUES)
    report = {
        "words": total,
        "found_by_reelgrep": sum(map(len, theirs.values())),
        "found_by_vidembed": sum(map(len, ours.values())),
        "only_by_reelgrep": missed,
        "only_by_vidembed": {name: sorted(ours[name] - theirs[name]) for name in CASES if ours[name] - theirs[name]},
    }
    print(json.dumps({"machine": facts(), **report}, indent=2))
    sys.exit(1 if missed else 0)


def make(folder: Path, name: str, case: Case) -> Path:
    """A video of twelve seconds in a folder of its own, with subtitles beside or inside."""
    own = folder / name
    own.mkdir(parents=True, exist_ok=True)
    suffix = ".mp4" if case.codec in ("", "mov_text") else ".mkv"
    video, subtitles = own / f"{name}{suffix}", own / f"{name}{case.suffix}"
    subtitles.write_bytes(case.content)
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-y",
        "-f",
        "lavfi",
        "-i",
        "color=navy:s=160x90:r=5:d=12",
    ]
    inside = ["-i", str(subtitles), "-c:s", case.codec, "-metadata:s:s:0", "language=eng"] if case.codec else []
    comment = ["-metadata", f"comment={name}"]  # or all would be one video
    subprocess.run([*command, *inside, "-c:v", "libx264", "-pix_fmt", "yuv420p", *comment, str(video)], check=True)
    if case.codec:
        subtitles.unlink()
    return video


def by_reelgrep(program: Path, database: Path, video: Path) -> set[str]:
    """The words that it finds where they are said."""
    command = [str(program), "--db", str(database)]
    subprocess.run([*command, "ingest", str(video), "--no-frames"], capture_output=True, check=False)
    found = set()
    for at_s, word in CUES:
        ran = subprocess.run(
            [*command, "search-subtitles", str(video), word], capture_output=True, text=True, check=False
        )
        first = re.search(r"(\d+):(\d\d):(\d\d\.\d+)", ran.stdout)
        if first and abs(int(first[1]) * 3600 + int(first[2]) * 60 + float(first[3]) - at_s) <= NEAR_S:
            found.add(word)
    return found


def by_vidembed(index: vidembed.VideoIndex, video: Path) -> set[str]:
    found = set()
    for at_s, word in CUES:
        best = index.search(f'"{word}"', k=1, channels=["words"], where=Filter(paths=(str(video),)))
        if best and best[0].good_match and abs(best[0].span.start_s - at_s) <= NEAR_S:
            found.add(word)
    return found


if __name__ == "__main__":
    main()
