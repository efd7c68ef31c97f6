"""Many people use the page while a folder is being added: python benchmarks/page_load.py KNOWN NEW [--against CHECKOUT]

KNOWN: a folder that is indexed before. NEW: a folder that the page adds meanwhile, with its button, long enough for the
whole time. Each visitor does what the page's own script does: asks for the page's parts, fills in the form, presses
Search, reads the answer and loads the pictures of the first cards. The visitors are a process of their own, as browsers
are. --against: another checkout whose server is measured as well, in turns with this one, so that both meet the
same machine. Prints one JSON object. Target against the release before: median and 95th percentile 0.7 times, no error.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import httpx
from _machine import facts

WORDS = ("a bicycle", "a taxi in the street", "a man in a suit talks in a car", "an animal on the grass", "music")
PICTURES = 4  # of the first cards, which are in sight
_HERE = Path(__file__).resolve().parents[1]
_PICTURE = re.compile(r"<img[^>]* src=\"([^\"]+)\"")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("known", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=1, help="turns of each")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--pause-s", type=float, default=1.0, help="what a person takes between two searches")
    parser.add_argument("--profile", default="starter")
    args = parser.parse_args()
    trees = {"this": _HERE, **({"against": args.against.resolve()} if args.against else {})}
    seen: dict[str, list[Seen]] = {name: [] for name in trees}
    for _ in range(args.rounds):
        for name, tree in reversed(trees.items()):
            seen[name].append(measure(args, tree))
    report: dict[str, Any] = {"clients": args.clients, "seconds": args.seconds, "profile": args.profile}
    report |= {name: summary(rounds) for name, rounds in seen.items()}
    if args.against:
        mine, theirs = report["this"]["answer_ms"], report["against"]["answer_ms"]
        report["this_by_against"] = {key: round(mine[key] / theirs[key], 2) for key in ("median", "p95")}
    print(json.dumps({**report, "machine": facts(["gradio"])}, indent=1))


@dataclass
class Seen:
    """What the visitors of one turn met. Seconds."""

    answers_s: list[float] = field(default_factory=list)
    pictures_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    indexing_s: float = 0.0  # of the turn, while the page was adding files
    videos: int = 0  # in the library at the end
    load: float = 0.0  # of the machine before the turn, 1 minute


def summary(rounds: list[Seen]) -> dict[str, Any]:
    """Figures over all turns."""
    answers = sorted(one for turn in rounds for one in turn.answers_s)
    pictures = sorted(one for turn in rounds for one in turn.pictures_s)
    return {
        "searches": len(answers),
        "errors": [error for turn in rounds for error in turn.errors][:10],
        "answer_ms": spread(answers),
        "with_pictures_ms": spread(pictures),
        "indexing_s": [round(turn.indexing_s) for turn in rounds],
        "videos_at_end": [turn.videos for turn in rounds],
        "load_before": [turn.load for turn in rounds],
        "answer_ms_each": [spread(sorted(turn.answers_s)) for turn in rounds],
    }


def spread(times_s: list[float]) -> dict[str, float]:
    """Milliseconds; times_s: sorted."""
    if not times_s:
        return {"median": float("nan"), "p95": float("nan")}
    return {
        "median": round(1000 * statistics.median(times_s)),
        "p95": round(1000 * times_s[int(0.95 * (len(times_s) - 1))]),
        "max": round(1000 * times_s[-1]),
    }


def measure(args: argparse.Namespace, tree: Path) -> Seen:
    """One turn: a fresh index of KNOWN, the server of a checkout, and the visitors while NEW is added."""
    seen = Seen(load=round(os.getloadavg()[0], 1))
    limits = httpx.Limits(max_connections=None)
    with (
        tempfile.TemporaryDirectory(prefix="vidembed-bench-") as folder,
        served(args, tree, Path(folder)) as url,
        httpx.Client(base_url=url, timeout=60, limits=limits) as client,
    ):
        form = Form.read(client)
        for words in WORDS:
            form.search(client, words, secrets.token_hex(6))  # loads the models
        form.press(client, "ve-add-folder", {"ve-folder": str(args.new.resolve())})
        crowd(args, client, form, seen)
        seen.videos = len(re.findall(r"<tr", form.press(client, "ve-filter", {}, event="change")))
    return seen


def crowd(args: argparse.Namespace, client: httpx.Client, form: Form, seen: Seen) -> None:
    """All visitors at once, each with a thread of its own."""
    stop = time.monotonic() + args.seconds

    def visit(first: int) -> None:
        session, turn = secrets.token_hex(6), first
        while time.monotonic() < stop:
            began = time.perf_counter()
            try:
                answer = form.search(client, WORDS[turn % len(WORDS)], session)
                seen.answers_s.append(time.perf_counter() - began)
                for address in _PICTURE.findall(answer)[:PICTURES]:
                    client.get(unescape(address)).raise_for_status()
                seen.pictures_s.append(time.perf_counter() - began)
            except (httpx.HTTPError, ValueError) as error:
                seen.errors.append(repr(error))
            turn += 1
            time.sleep(max(0.0, min(args.pause_s, stop - time.monotonic())))

    people = [threading.Thread(target=visit, args=(number,)) for number in range(args.clients)]
    for person in people:
        person.start()
    while any(person.is_alive() for person in people):
        if client.get("/status").json()["busy"]:
            seen.indexing_s += 1.0
        time.sleep(1.0)


@dataclass(frozen=True)
class Form:
    """The page as gradio describes it to its script: parts, and what happens when one is used."""

    parts: Mapping[int, Mapping[str, Any]]
    events: list[Mapping[str, Any]]

    @classmethod
    def read(cls, client: httpx.Client) -> Form:
        """Ask the server for it."""
        said = client.get("/config").raise_for_status().json()
        return cls({part["id"]: part for part in said["components"]}, said["dependencies"])

    def search(self, client: httpx.Client, words: str, session: str) -> str:
        """HTML of the answer. Raises ValueError when it holds no moment."""
        answer = self.press(client, "ve-go", {"ve-text": words}, session=session)
        if "ve-card" not in answer:
            raise ValueError(f"no answer for {words!r}: {answer[:200]}")
        return answer

    def press(
        self, client: httpx.Client, name: str, given: Mapping[str, Any], *, event: str = "click", session: str = ""
    ) -> str:
        """Use a part, as the script does; the texts of the answer. given: part -> what is typed in it."""
        ids = {part["props"].get("elem_id"): number for number, part in self.parts.items()}
        told = next(one for one in self.events if [ids[name], event] in [list(target) for target in one["targets"]])
        by_id = {ids[part]: value for part, value in given.items()}
        values = [by_id.get(part, self._usual(part)) for part in told["inputs"]]
        session = session or secrets.token_hex(6)
        body = {"data": values, "fn_index": told["id"], "session_hash": session, "event_data": None}
        if told["queue"] is False:
            done = client.post("/gradio_api/run/predict", json=body).raise_for_status().json()
        else:
            client.post("/gradio_api/queue/join", json=body).raise_for_status()
            done = _streamed(client, session)
        return "\n".join(_texts(done["data"]))

    def _usual(self, number: int) -> Any:
        """What the script sends of a part that nobody has used."""
        kind, value = self.parts[number]["type"], self.parts[number]["props"].get("value")
        return None if kind == "state" else "" if kind == "textbox" and value is None else value


def _streamed(client: httpx.Client, session: str) -> dict[str, Any]:
    """What the queue answers. Raises ValueError when that is an error."""
    with client.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as stream:
        for line in stream.iter_lines():
            said = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
            if said.get("msg") == "process_completed":
                if not said["success"]:
                    raise ValueError(f"the server answered {said['output']}")
                output: dict[str, Any] = said["output"]
                return output
    raise ValueError("the answer broke off")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


@contextmanager
def served(args: argparse.Namespace, tree: Path, folder: Path) -> Iterator[str]:
    """The address of the page of a checkout, over a fresh index of KNOWN; its output goes to stderr when it fails."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (folder / "log").open("w")
    run = [sys.executable, "-m", "vidembed"]
    place = ["--index", str(folder / "index"), "--profile", args.profile]
    around: dict[str, Any] = {
        "cwd": tree, "env": {**os.environ, "PYTHONPATH": str(tree)}, "stdout": log, "stderr": subprocess.STDOUT
    }  # fmt: skip
    subprocess.run([*run, "index", str(args.known.resolve()), *place], check=True, **around)
    server = subprocess.Popen([*run, "serve", *place, "--port", str(port), "--root", str(args.new.resolve())], **around)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            if server.poll() is not None:
                sys.exit((folder / "log").read_text())
            try:
                if httpx.get(f"{url}/healthz").is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(40)
        except subprocess.TimeoutExpired:
            server.kill()
        log.close()


if __name__ == "__main__":
    main()
