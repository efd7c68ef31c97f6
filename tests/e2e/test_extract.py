"""Records that fit a schema: choices by vectors, the rest by an endpoint, and nothing that does not fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from chat_server import server
from media_factory import Media

from vidembed import VideoIndex, open_index
from vidembed.cli import main
from vidembed.errors import ConfigError, InputError
from vidembed.types import Span

pytest.importorskip("jsonschema", reason="needs the extra extract")
COLOUR = {"enum": ["red", "green", "blue", "unknown"], "description": "{} frames"}
SAID = "1\n00:00:00,200 --> 00:00:00,900\nThe budget is nine hundred euros.\n"
SCHEMA: dict[str, Any] = {
    "type": "object", "required": ["colour", "start_s"],
    "properties": {"colour": COLOUR, "start_s": {"type": "number"}},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of one video: a second each of red, green and blue, in clips of half a second."""
    folder = tmp_path_factory.mktemp("extract")
    (folder / "videos").mkdir()
    shutil.copy(media.path("three_shots.mp4"), folder / "videos" / "talk.mp4")
    (folder / "videos" / "talk.en.srt").write_text(SAID)
    settings = ["channels.speech_words.source=speech", "channels.speech_words.model=words", "segment.window_s=0.5",
                "sample.rate_hz=8", "channels.vision.source=frames"]  # fmt: skip
    options = [word for setting in settings for word in ("--set", setting)]
    options += ["--channels", "vision,speech_words"]
    assert main(["index", str(folder / "videos"), "--profile", "toy", "--index", str(folder / "index"), *options]) == 0
    return folder


@pytest.fixture
def index(folder: Path) -> Any:
    with open_index(folder / "index", readonly=True) as opened:
        yield opened


def test_neighbouring_clips_with_the_same_choice_are_one_record(index: VideoIndex) -> None:
    found = [(record.values["colour"], record.span) for record in index.extract(SCHEMA)]
    assert found == [("red", Span(0, 1)), ("green", Span(1, 2)), ("blue", Span(2, 3))]
    assert [record.values["start_s"] for record in index.extract(SCHEMA)] == [0.0, 1.0, 2.0]


def test_what_is_unsure_is_unknown_and_else_left_out(index: VideoIndex) -> None:
    properties = {"tone": {"enum": ["high tone", "low tone", "unknown"]}, "colour": {"enum": ["white", "grey"]}}
    (record,) = index.extract({"type": "object", "properties": properties})
    assert (record.values, record.span) == ({"tone": "unknown"}, Span(0, 3))


def test_a_required_choice_needs_a_way_out(index: VideoIndex) -> None:
    schema = {"type": "object", "properties": {"colour": {"enum": ["red"]}}, "required": ["colour"]}
    with pytest.raises(InputError, match="'colour' is required, but its enum has no 'unknown'"):
        list(index.extract(schema))


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "object", "properties": {"a": {"type": "no"}}}, "no JSON Schema"),
        ({"type": "string"}, "object with properties"),
        (
            {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/a"}, "b": COLOUR}, "required": ["a"]},
            "a",
        ),
        (
            {"type": "object", "properties": {"b": COLOUR}, "$ref": "http://127.0.0.1:9/a"},
            "refers to what it does not hold",
        ),
    ],
)
def test_a_schema_that_is_none(index: VideoIndex, schema: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        list(index.extract(schema))


def test_other_properties_need_a_model_and_are_checked(index: VideoIndex) -> None:
    amount = {"type": "integer", "description": "euros of the budget"}
    schema = {"type": "object", "properties": {"amount": amount}, "required": ["amount"]}
    with pytest.raises(ConfigError, match="only a model can tell amount"):
        list(index.extract(schema))
    answers = [['```json\n{"amount": "nine hundred"}\n```'], ['{"amount": 900, "colour": "red"}']]
    with server(answers) as (url, seen):
        (record,) = index.extract(schema, model="m", endpoint=url)
    assert dict(record.values) == {"amount": 900}  # what was not asked for is not taken over
    assert "The budget is nine hundred euros." in seen[0]["messages"][0]["content"]
    assert "amount: 'nine hundred' is not of type 'integer'" in seen[1]["messages"][0]["content"]


def test_the_command_prints_lines_tags_videos_and_says_what_is_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema, place = folder / "s.json", ["--index", str(folder / "index")]
    schema.write_text(json.dumps(SCHEMA))
    capsys.readouterr()
    assert main(["extract", "--schema", str(schema), "--tag", *place]) == 0
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert [(line["start_s"], line["end_s"], line["values"]["colour"]) for line in lines] == [
        (0.0, 1.0, "red"), (1.0, 2.0, "green"), (2.0, 3.0, "blue")
    ]  # fmt: skip
    assert "tagged 1 video" in printed.err
    assert main(["search", "red", "--tag", "colour=red", "-k", "1", *place]) == 0
    schema.write_text(json.dumps(SCHEMA | {"properties": SCHEMA["properties"] | {"who": {"type": "string"}}}))
    with server([["nonsense"]]) as (url, _):
        assert main(["extract", "--schema", str(schema), "--model", "m", "--endpoint", url, *place]) == 3
    printed = capsys.readouterr()
    assert "no JSON object" in printed.err
    schema.write_text("{")
    assert main(["extract", "--schema", str(schema), *place]) == 2
    assert "s.json is not JSON" in capsys.readouterr().err
