"""The examples of the documents run as they are written: every command line and every block of Python, page by page.

Addresses of servers and names of weights that are not here stand for what is (`World.replaced`); what cannot run at all
is listed with the reason (`NOT_RUN`).
"""

from __future__ import annotations

import base64
import glob
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO, cast

import anyio
import pytest
import tiny_models_vlm
from chat_server import server
from documents import blocks, examples, inline_commands, pages, text_of
from media_factory import H264, Media, colour
from PIL import Image

from vidembed import open_index
from vidembed.captions.retrieval import read_sentences
from vidembed.cli import main
from vidembed.index.stores import open_store
from vidembed.media.editing.ffmpeg import find_ffmpeg

SAID = "1\n00:00:00,200 --> 00:00:00,900\nThe budget for next year is nine hundred thousand euros.\n"
INDEXES = ("demo-index", "videos-index", "my-index", "library")
# What a line holds -> why it does not run here.
NOT_RUN = {
    "pip install": "the tests install nothing",
    "docker run": "an image from the network; the store's tests run where VIDEMBED_TEST_QDRANT_URL names a server",
    "export RAY_AUTH_MODE": "for the cluster, see the next",
    "ray start": "a cluster of several machines; tests/e2e/test_ray_cluster.py starts one on this machine",
    "RAY_ADDRESS=": "the same cluster, which that test indexes on",
    "ray job submit": "the same, with Ray's dashboard, which is in a package of its own",
    "models download ocr-cyrillic": "weights from the network; tests/unit/hub/test_scripts.py fetches from loopback",
    "import mteb": "data sets from the network; tests/unit/test_mteb.py has small ones",
    "index s3://": "a bucket; tests/e2e/test_remote.py reads one from loopback",
    "evaluate builtin": "takes minutes; tests/e2e/test_builtin.py runs it",
}
# Packages of extras that a page needs.
NEEDS = {
    "agents.md": ("mcp",),
    "app.md": ("gradio", "gradio_client"),
    "channels.md": ("rapidocr", "faster_whisper", "resemblyzer"),
    "captions.md": ("transformers",),
    "align.md": ("torch",),
    "scale.md": ("pyarrow",),
}
# What a page takes for done.
BEFORE = {
    "evaluation.md": (["caption", "talk.mp4"], ["evaluate", "queries.jsonl", "--out", "a.json"]),
    "scale.md": (["caption", "talk.mp4@0:01", "--text", "A green wall"],),
}


class World:
    """A folder with all that the pages speak of, and what stands for what is not here."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder, self.endpoint = folder, endpoint
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])

    def replaced(self, text: str) -> str:
        """An example with what is here in the place of what is not."""
        if "smolvlm2-500m" in text:
            text = text.replace("smolvlm2-500m", str(tiny_models_vlm.smolvlm_folder(self.folder / "smolvlm")))
        for there, here in (
            ("http://127.0.0.1:8000/v1", self.endpoint),
            ("7860", self.port),
            ("8765", self.port),
            ("/srv/films", "videos"),
            ("/shared", str(self.folder / "shared")),
            ("--profile gpu", "--profile toy"),
            ("$SLURM_ARRAY_TASK_ID/16", "1/1"),
        ):
            text = text.replace(there, here)
        return re.sub(r"^vidembed serve\b", f"vidembed serve --port {self.port}", text)

    def words(self, text: str) -> list[str]:
        """A command as a shell hands it over, without the program's name."""
        given = [os.path.expandvars(word) for word in shlex.split(text)[1:]]
        return [found for word in given for found in (sorted(glob.glob(word)) if "/*" in word else [word])]


@pytest.fixture(scope="module")
def pristine(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos with subtitles, their index, and the small files that the pages name, as they are before a page."""
    root = tmp_path_factory.mktemp("pages")
    folder = root / "world"
    (folder / "videos" / "trip").mkdir(parents=True)
    for name in ("videos/meeting", "videos/carphone_pristine", "videos/trip/boat", "talk"):
        video = folder / f"{name}.mp4"
        video.write_bytes(media.path("three_shots.mp4").read_bytes() + b"\0\0\0\x10free" + name[-8:].encode())
        video.with_suffix(".en.srt").write_text(SAID)
    for name, seconds in (("videos/lake", 16), ("film", 84)):
        command = [str(find_ffmpeg()), "-v", "error", "-nostdin", *colour("red", seconds, rate=2), *H264]
        subprocess.run([*command, str(folder / f"{name}.mp4")], check=True)
    given = [str(folder / name) for name in ("videos", "talk.mp4", "film.mp4")]
    assert main(["index", *given, "--channels", "+speech_words", "--index", str(folder / "vidembed-index")]) == 0
    for name, tag in (("videos/meeting", "animal=dog"), ("film", "camera_model=iPhone 17")):
        command = ["tag", str(folder / f"{name}.mp4"), "--set", tag, "--index", str(folder / "vidembed-index")]
        assert main(command) == 0
    with open_index(folder / "vidembed-index") as index:  # so that not every page encodes them anew
        index.parts.kept_bank(read_sentences())(index.parts.channels["vision"])
    write_inputs(folder)
    folder.rename(root / "pristine")
    return root / "pristine"


def write_inputs(folder: Path) -> None:
    """Those that the pages print are as they print them."""
    (folder / "scene.json").write_text(blocks("asking.md", "json")[0])
    (folder / "labels.yaml").write_text(blocks("tags.md", "yaml")[0])
    (folder / "labels.txt").write_text("dog\ncat\n")
    (folder / "film.srt").write_text(SAID)
    for name in ("queries/dog.jpg", "val2017/000005.jpg", *(f"{c}{i}.png" for c in ("red", "blue") for i in range(40))):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (32, 32), "blue" if name.startswith("blue") else "red").save(folder / name)
    pairs = [f"{c}{i}.png,a {c} wall,{'dev' if i < 8 else 'train'}" for c in ("red", "blue") for i in range(40)]
    (folder / "pairs.csv").write_text("\n".join(["media,text,split", *pairs]) + "\n")
    right, wrong = ({"text": "a red wall", "video": name} for name in ("film.mp4", "meeting.mp4"))
    more = [{**one, "text": f"{one['text']} {i}"} for one in (right, wrong) for i in range(12)]
    printed = blocks("evaluation.md", "json")[0].replace("a.mp4", "boat.mp4").replace("b.mp4", "talk.mp4")
    (folder / "queries.jsonl").write_text(printed + "".join(json.dumps(one) + "\n" for one in more))
    (folder / "references.jsonl").write_text(json.dumps({"video": "talk.mp4", "captions": ["a red wall"]}) + "\n")
    moments = {"duration": 84, "timestamps": [[0, 40]], "sentences": ["A red wall."]}
    (folder / "val_1.json").write_text(json.dumps({"v_lake": moments}))
    coco = {
        "images": [{"id": 5, "file_name": "000005.jpg"}],
        "annotations": [{"id": 1, "image_id": 5, "caption": "A bench."}],
    }
    (folder / "captions_val2017.json").write_text(json.dumps(coco))
    (folder / "shared" / "shards").mkdir(parents=True)
    (folder / "films.csv").write_text("path\nfilm.mp4\n")
    (folder / "shared" / "list.csv").write_text("path\n../videos/meeting.mp4\n../talk.mp4\n")


@pytest.fixture
def world(pristine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    folder = pristine.parent / "world"
    shutil.copytree(pristine, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("EDITOR", f"{shlex.quote(sys.executable)} -c pass")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    with server([["It is nine hundred thousand euros [1]."]]) as (url, _):
        yield World(folder, url)
    monkeypatch.chdir(pristine)
    shutil.rmtree(folder)


@pytest.fixture
def qdrant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server is the client's own imitation, whatever its address."""
    from qdrant_client import QdrantClient

    client = QdrantClient(":memory:")
    monkeypatch.setattr("vidembed.index.stores.qdrant_server.connect", lambda *_: client)
    monkeypatch.setattr(client, "close", lambda: None)


def why_not(text: str) -> str | None:
    return next((why for part, why in NOT_RUN.items() if part in text), None)


@pytest.mark.parametrize("page", pages())
def test_the_examples_of_a_page_run(
    page: str, world: World, qdrant: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if missing := [package for package in NEEDS.get(page, ()) if find_spec(package) is None]:
        pytest.skip(f"needs {', '.join(missing)}")
    for name in INDEXES:
        if name in text_of(page) and (name, page) != ("library", "scale.md"):  # which makes it
            shutil.copytree("vidembed-index", name)
    for command in BEFORE.get(page, ()):
        assert main(command) == 0
    for example in examples(page):
        if why_not(example.text) is not None:
            continue
        text = world.replaced(example.text)
        if example.kind == "python":
            run_python(page, text, world, monkeypatch)
        elif text.startswith(("vidembed serve ", "vidembed mcp --")):
            run_server(world.words(text), world.port, monkeypatch)
        elif text.startswith("vidembed "):
            assert main(world.words(text)) == 0, f"{text}: {capsys.readouterr().err}"
        else:
            subprocess.run(["bash", "-ec", text], check=True)


def run_python(page: str, code: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the sentences around it speak of: an open index, a page that is served, two stores."""
    compiled = compile(code, page, "exec")
    if "gradio_client" in code:
        command = ["serve", "--index", "my-index", "--port", world.port]
        run_server(command, world.port, monkeypatch, lambda: exec(compiled, {}))
        return
    with open_index("vidembed-index", readonly="save=True" not in code) as index:
        target = open_store(index.config.store.model_copy(update={"kind": "memory"}))
        exec(compiled, {"index": index, "source": index.parts.store, "target": target})


def run_server(
    words: list[str], port: str, monkeypatch: pytest.MonkeyPatch, look: Callable[[], None] | None = None
) -> None:
    """Start what goes on until it is stopped, look at it once it answers, and stop it."""
    if words[0] == "mcp" and "--http" not in words:
        anyio.run(list_tools, words)
        return
    import uvicorn

    wrong: list[BaseException] = []
    startup = uvicorn.Server.startup

    def looked(running: Any) -> None:
        try:
            (look or (lambda: get_page(words, port)))()
        except BaseException as error:
            wrong.append(error)
        running.should_exit = True

    async def told(self: Any, *given: Any, **named: Any) -> None:
        await startup(self, *given, **named)
        threading.Thread(target=looked, args=(self,)).start()

    with monkeypatch.context() as patched:
        patched.setattr(uvicorn.Server, "startup", told)
        assert main(words) == 0
    assert not wrong, wrong


def get_page(words: list[str], port: str) -> None:
    """The page, or for agents the list of tools."""
    if words[0] == "mcp":
        anyio.run(list_tools_over_http, f"http://127.0.0.1:{port}/mcp")
        return
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/")
    if "--auth-file" in words:
        login = Path(words[words.index("--auth-file") + 1]).read_bytes().strip()
        asked.add_header("Authorization", f"Basic {base64.b64encode(login).decode()}")
    if "--allow-host" in words:
        asked.add_header("Host", words[words.index("--allow-host") + 1])
    with urllib.request.urlopen(asked) as answer:
        assert b"gradio" in answer.read()


async def list_tools(words: list[str]) -> None:
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    given = StdioServerParameters(command=sys.executable, args=["-m", "vidembed", *words], env=dict(os.environ))
    async with (
        stdio_client(given, errlog=cast(TextIO, sys.__stderr__)) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        assert "ask" in {tool.name for tool in (await session.list_tools()).tools}


async def list_tools_over_http(url: str) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async with streamable_http_client(url) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        assert "ask" in {tool.name for tool in (await session.list_tools()).tools}


def test_what_is_not_run_is_there() -> None:
    every = "\n".join(example.text for page in pages() for example in examples(page))
    assert [part for part in NOT_RUN if part not in every] == []


def test_examples_are_found() -> None:
    """So that a page that is laid out in another way does not go untested."""
    found = {page: [example.text for example in examples(page)] for page in pages()}
    assert found["asking.md"][0] == 'vidembed ask "What is the budget for next year?"'
    assert [text.split()[1] for text in found["agents.md"]] == ["install", "mcp", "mcp", "mcp"]
    assert sum(map(len, found.values())) >= 50
    for page in pages():
        fenced = re.findall(
            r"^(?:\$ )?vidembed .*", "\n".join(re.findall(r"^```.*?^```", text_of(page), re.S | re.M)), re.M
        )
        assert len(fenced) == sum(text.startswith("vidembed ") for text in found[page]), page


@pytest.mark.parametrize("page", pages())
def test_options_that_the_pages_name_exist(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for line in [*(e.text for e in examples(page) if e.text.startswith("vidembed ")), *inline_commands(page)]:
        words = shlex.split(line.replace("...", ""))[1:]
        name = [word for word in words[:2] if not word.startswith("-")]  # a command, or one of a group
        capsys.readouterr()
        assert main([*name, "--help"]) == 0, line
        known = capsys.readouterr().out
        assert all(word in known for word in words if word.startswith("--") and word != "--"), line


def test_the_options_of_asking_reach_an_endpoint(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    (options,) = re.findall(r"\| `(--endpoint http[^`]*)` \|", text_of("asking.md"))
    capsys.readouterr()
    given = shlex.split(world.replaced(options))
    assert main(["ask", "What is the budget for next year?", *given, "--pictures"]) == 0
    assert capsys.readouterr().out.startswith("It is nine hundred thousand euros. [1]")


def test_what_asking_prints(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    text = text_of("asking.md")
    (inline,) = re.findall(r"`(for record in index\.extract[^`]*)`", text)
    with open_index("vidembed-index", readonly=True) as index:
        exec(inline, {"index": index, "schema": json.loads(Path("scene.json").read_text())})
        capsys.readouterr()
        for code in blocks("asking.md", "python"):
            exec(world.replaced(code), {"index": index})
    printed = capsys.readouterr().out
    assert "The budget for next year is nine hundred thousand euros." in printed
    assert "It is nine hundred thousand euros. [1]" in printed
