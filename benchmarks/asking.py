"""Does an answer cite the right moment, and is "not shown" said when it is? python benchmarks/asking.py --work FOLDER

Makes four videos with planted facts: what is said comes as subtitles, what is written is drawn on the pictures (needs
the extra ocr). Thirty questions: fourteen about what is said, six about what is written, ten without an answer. Each is
asked offline, in the videos' own words, and with --endpoint once more through an endpoint on this machine that answers
by a script: the line of the evidence that shares most words with the question, cited, and one that cites nothing.

Prints one JSON report: share of the answerable questions whose first sentence comes from the right video within two
seconds of the fact; share whose any sentence does; share of the others that are refused; milliseconds of a question.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

import imageio_ffmpeg
from _machine import facts
from PIL import Image, ImageDraw, ImageFont

import vidembed
from vidembed.captions.subtitles import Cue, write_srt
from vidembed.index.evidence import Answer
from vidembed.types import Span

LINE_S = 5.0  # each sentence, and each sign
NEAR_S = 2.0
UNPROVEN = "The moon is made of cheese."
SAID = {
    "meeting": (
        "Good morning everybody, thanks for joining.", "The budget for next year is nine hundred thousand euros.",
        "Maria will lead the hiring of two engineers.", "We move the product launch to the fourth of March.",
        "The office in Lyon closes in summer.", "Let us have lunch after this.",
    ),
    "kitchen": (
        "Welcome back to my kitchen.", "Preheat the oven to two hundred and twenty degrees.",
        "Knead the dough for ten minutes until it is smooth.", "If you have no yeast, use sour milk and baking soda.",
        "The bread is done when it sounds hollow.", "I hope you enjoy it.",
    ),
    "lecture": (
        "Today we speak about volcanoes.", "Mount Vesuvius destroyed Pompeii in the year seventy nine.",
        "Basalt lava flows faster than a person can walk.", "Most eruptions happen under the sea.",
        "Geologists measure gas to predict an eruption.", "Any questions so far?",
    ),
    "travel": (
        "We arrived in Lisbon late at night.", "The tram number twenty eight climbs up to the castle.",
        "A custard tart costs about one euro.", "Our hotel was flooded, so we slept in a hostel.",
        "On Sunday the museum is free.", "Tomorrow we take the train to Porto.",
    ),
}  # fmt: skip
WRITTEN = {"meeting": (2, "Wifi password: bluebird"), "kitchen": (1, "500 grams of rye flour"),
           "lecture": (4, "Exam on 12 June"), "travel": (3, "Platform 7")}  # fmt: skip
MORE_WRITTEN = {"meeting": (5, "Room Everest"), "travel": (0, "Gate closes 22:40")}
QUESTIONS = (
    ("What is the budget for next year?", "meeting", 1), ("Who leads the hiring?", "meeting", 2),
    ("When does the product launch?", "meeting", 3), ("Which office will be closed?", "meeting", 4),
    ("How hot should the oven be?", "kitchen", 1), ("How long do I knead the dough?", "kitchen", 2),
    ("What can I use instead of yeast?", "kitchen", 3), ("How do I know that the bread is done?", "kitchen", 4),
    ("What destroyed Pompeii?", "lecture", 1), ("How fast is lava?", "lecture", 2),
    ("How are eruptions predicted?", "lecture", 4), ("Which tram goes to the castle?", "travel", 1),
    ("What does a custard tart cost?", "travel", 2), ("When is the museum free?", "travel", 4),
    ("What is the wifi password?", "meeting", 2), ("How much rye flour is needed?", "kitchen", 1),
    ("When is the exam?", "lecture", 4), ("From which platform does it leave?", "travel", 3),
    ("What is the room called?", "meeting", 5), ("When does the gate close?", "travel", 0),
)  # fmt: skip
UNANSWERED = (
    "What is the capital of Mongolia?", "How many goals did Brazil score?", "Which guitar does she play?",
    "How do I change a bicycle tyre?", "What did the judge decide?", "Who won the chess match?",
    "How tall is the giraffe?", "Which medicine helps against malaria?", "When was the telephone invented?",
    "What colour is the parrot?",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    question: str
    first: bool
    some: bool
    refused: bool
    unproven: bool  # a sentence that cites nothing came through
    ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for videos and index")
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--endpoint", action="store_true", help="phrase the answers by a scripted endpoint, too")
    args = parser.parse_args()
    videos = args.work / "videos"
    for name, lines in SAID.items():
        make(videos, name, lines)
    channels = ["+speech", "+speech_words", "+ocr", "+ocr_words"]
    with vidembed.open_index(args.work / "index", profile=args.profile, create=True) as index:
        index.add(videos, channels=channels)
        reports = {"own_words": measured(index)}
        if args.endpoint:
            with scripted() as url:
                reports["endpoint"] = measured(index, endpoint=url, model="scripted")
    print(json.dumps({"machine": facts(), "profile": args.profile, **reports}, indent=2))


def measured(index: vidembed.VideoIndex, **how: Any) -> dict[str, object]:
    """All questions once. how: as for `VideoIndex.ask`."""
    asked = [asking(index, question, video, place, **how) for question, video, place in QUESTIONS]
    unanswered = [asking(index, question, "", 0, **how) for question in UNANSWERED]
    return {
        "questions": len(asked) + len(unanswered),
        "first_citation_right": share([one.first for one in asked]),
        "some_citation_right": share([one.some for one in asked]),
        "answerable_refused": [one.question for one in asked if one.refused],
        "answered_wrong": [one.question for one in asked if not one.refused and not one.some],
        "refused_rightly": share([one.refused for one in unanswered]),
        "answered_without_cause": [one.question for one in unanswered if not one.refused],
        "sentences_without_proof_kept": sum(one.unproven for one in (*asked, *unanswered)),
        "ms_of_a_question": round(median(one.ms for one in (*asked, *unanswered)), 1),
    }


@contextmanager
def scripted() -> Iterator[str]:
    """An endpoint on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = json.dumps({"choices": [{"message": {"content": answer_of(body["messages"][0]["content"])}}]})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def answer_of(request: str) -> str:
    """What the script says to a request of `vidembed ask`."""
    evidence = json.loads(request[request.index("Evidence:") + 9 : request.index("\n\nQuestion:")])
    question = words_of(request[request.index("Question:") :])
    lines = [(line, one["number"]) for one in evidence for line in (*one.get("said", ()), *one.get("written", ()))]
    best = max(lines, key=lambda line: len(words_of(line[0]) & question), default=None)
    if best is None or not words_of(best[0]) & question:
        return "NOT SHOWN"
    return f"{best[0].rstrip('.')} [{best[1]}]. {UNPROVEN}"


def words_of(text: str) -> set[str]:
    return {word[:5] for word in re.findall(r"[a-z]{4,}", text.casefold())} - {"what", "when", "which", "does"}


def asking(index: vidembed.VideoIndex, question: str, video: str, place: int, **how: Any) -> Outcome:
    began = time.perf_counter()
    answer = index.ask(question, **how)
    ms = (time.perf_counter() - began) * 1000
    right = [is_right(answer, number, video, place) for number in range(len(answer.sentences))]
    unproven = any(UNPROVEN in sentence.text for sentence in answer.sentences)
    return Outcome(question, bool(right) and right[0], any(right), not answer.sentences, unproven, ms)


def is_right(answer: Answer, number: int, video: str, place: int) -> bool:
    sentence = answer.sentences[number]
    fact = Span(max(0.0, place * LINE_S - NEAR_S), (place + 1) * LINE_S + NEAR_S)
    return any(e.moment.path.stem == video for e in sentence.evidence) and sentence.span.overlap_s(fact) > 0


def share(values: Sequence[bool]) -> float:
    return round(sum(values) / len(values), 3)


def make(folder: Path, name: str, lines: Sequence[str]) -> None:
    """A video of one grey picture a line, with signs where they are written, and its subtitles."""
    folder.mkdir(parents=True, exist_ok=True)
    signs = dict([WRITTEN[name], *([MORE_WRITTEN[name]] if name in MORE_WRITTEN else [])])
    size = (480, 270)
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-y",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        "480x270",
    ]
    command += ["-r", str(1 / LINE_S), "-i", "-", "-r", "5", "-c:v", "libx264", "-pix_fmt", "yuv420p"]
    pictures = []
    for place in range(len(lines)):
        picture = Image.new("RGB", size, (60 + 20 * place, 90, 140 - 15 * place))
        if place in signs:
            ImageDraw.Draw(picture).text((30, 110), signs[place], fill="white", font=ImageFont.load_default(36))
        pictures.append(picture.tobytes())
    subprocess.run([*command, str(folder / f"{name}.mp4")], input=b"".join(pictures), check=True)
    cues = [Cue(Span(n * LINE_S + 0.5, (n + 1) * LINE_S - 0.3), text) for n, text in enumerate(lines)]
    write_srt(cues, folder / f"{name}.en.srt")


if __name__ == "__main__":
    main()
