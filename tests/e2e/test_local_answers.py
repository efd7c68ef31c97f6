"""A language model of this machine answers as an endpoint does: sentence by sentence, while it still writes."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from media_factory import Media
from scripted_vlm import scripted

from vidembed import VideoIndex, open_index
from vidembed.cli import main
from vidembed.models.captioners.vlm import VlmCaptioner

SAID = "1\n00:00:00,200 --> 00:00:00,900\nThe budget is nine hundred euros.\n"
QUESTION = "What is the budget?"
# A sentence is known to be whole once the next one has begun, and a word once the next one has come.
FIRST, SECOND = ["It", "is", "900", "euros", "[1].", "Nine", "hundred"], ["in", "all", "[1]."]
WORDS = [*FIRST, *SECOND]
WHOLE = "It is 900 euros. [1]\nNine hundred in all. [1]"


@pytest.fixture(scope="module")
def folder(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("local")
    (folder / "videos").mkdir()
    shutil.copy(media.path("three_shots.mp4"), folder / "videos" / "talk.mp4")
    (folder / "videos" / "talk.en.srt").write_text(SAID)
    settings = ["channels.speech_words.source=speech", "channels.speech_words.model=words", "segment.window_s=1"]
    options = [word for setting in settings for word in ("--set", setting)]
    assert main(["index", str(folder / "videos"), "--profile", "toy", "--index", str(folder / "index"), *options]) == 0
    return folder


@pytest.fixture
def index(folder: Path) -> Iterator[VideoIndex]:
    with open_index(folder / "index", readonly=True) as opened:
        yield opened


def named(monkeypatch: pytest.MonkeyPatch, model: VlmCaptioner) -> None:
    """`model` is what any name of a captioner means."""
    monkeypatch.setattr("vidembed.models.registry.load_captioner", lambda name, **options: model)


def test_python_gets_a_sentence_before_the_next_is_written(
    index: VideoIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, script = scripted(tmp_path, WORDS, held=len(FIRST))
    named(monkeypatch, model)
    answers = index.ask_stream(QUESTION, model="local")
    assert [one.text for one in next(answers).sentences] == ["It is 900 euros."]
    assert script.chosen <= len(FIRST), "the model waits for its next word, and the first sentence is here"
    script.gate.set()
    *_, last = answers
    assert str(last) == WHOLE


def test_the_command_prints_a_sentence_before_the_next_is_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, script = scripted(tmp_path, WORDS, held=len(FIRST))
    named(monkeypatch, model)

    class Screen(io.StringIO):
        def flush(self) -> None:
            if "It is 900 euros. [1]\n" in self.getvalue():
                script.gate.set()

    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    assert main(["ask", QUESTION, "--model", "local", "--index", str(folder / "index")]) == 0
    assert screen.getvalue() == f"{WHOLE}\n  [1] 0:00.200-0:00.900  {folder / 'videos' / 'talk.mp4'}\n"


def test_the_page_shows_a_sentence_before_the_next_is_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gradio")
    from vidembed.web import AppSettings, Site
    from vidembed.web.answer_view import answered
    from vidembed.web.asking import Ask

    model, script = scripted(tmp_path, WORDS, held=len(FIRST))
    named(monkeypatch, model)
    with open_index(folder / "index", readonly=True) as index:
        site = Site(index, AppSettings(ask_model="local"))
        shown = answered(site, Ask(text=QUESTION))
        first = next(shown)
        assert "It is 900 euros." in first
        assert "Nine hundred" not in first
        script.gate.set()
        *_, last = shown
        assert "Nine hundred in all." in last
        site.close()


def test_pieces_are_whole_words_and_together_the_answer(tmp_path: Path) -> None:
    model, _ = scripted(tmp_path, WORDS)
    pieces = list(model.stream("Say."))
    assert len(pieces) >= 5
    assert "".join(pieces) == " ".join(WORDS)
    assert scripted(tmp_path / "again", WORDS)[0].write("Say.") == " ".join(WORDS)


def test_a_model_stops_when_nobody_listens_any_more(tmp_path: Path) -> None:
    model, script = scripted(tmp_path, WORDS * 20, held=len(FIRST))
    pieces = model.stream("Say.")
    assert next(pieces).strip() == "It"
    script.gate.set()
    pieces.close()  # type: ignore[attr-defined]  # a generator
    assert script.chosen < len(WORDS * 20)


def test_thoughts_that_the_template_begins_are_not_the_answer(index: VideoIndex, tmp_path: Path) -> None:
    words = ["Sky", "is", "blue", "[1].", "</think>", *WORDS]
    model, _ = scripted(tmp_path, words, begins="<think>")
    assert next(model.stream("Say.")) == "<think>"
    assert scripted(tmp_path / "again", words, begins="<think>")[0].write("Say.") == " ".join(WORDS)


def test_what_goes_wrong_inside_the_model_reaches_the_caller(tmp_path: Path) -> None:
    model, script = scripted(tmp_path, WORDS, held=2)

    def full(timeout: float | None = None) -> bool:
        raise RuntimeError("out of memory")

    script.gate.wait = full  # type: ignore[method-assign]
    with pytest.raises(MemoryError, match="out of memory"):
        list(model.stream("Say."))
