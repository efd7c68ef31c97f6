"""Labels of one's own: read, scored, told apart by examples, kept as tags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy_index import filled
from toy_videos import make
from typer.testing import CliRunner

import vidembed
from vidembed.cli.app import command_tree
from vidembed.errors import InputError
from vidembed.index.classifying import LabelExample
from vidembed.search.calibration import Listeners, hearable, sounds_of_bank
from vidembed.search.classify import confidences, shift_of_examples
from vidembed.search.labels import Label, LabelGroup, label_groups
from vidembed.types import Filter


def test_labels_are_read_from_text_and_yaml(tmp_path: Path) -> None:
    text = tmp_path / "labels.txt"
    text.write_text("# mine\ndog\n\n  big   cat\ndog\n", "utf-8")
    assert label_groups(text, one=True) == [
        LabelGroup("label", (Label("dog", ("dog",)), Label("big cat", ("big cat",))), one=True)
    ]
    yaml = tmp_path / "labels.yaml"
    yaml.write_text(
        "animal: [dog, cat]\n"
        "place: {one_of: [street, beach]}\n"
        "sound: {several: {bark: [a dog barking, a dog howling], horn: a car horn}, channels: [sound]}\n",
        "utf-8",
    )
    animal, place, sound = label_groups(yaml)
    assert (animal.one, place.one, sound.one) == (False, True, False)
    assert sound.channels == ("sound",)
    assert sound.labels == (Label("bark", ("a dog barking", "a dog howling")), Label("horn", ("a car horn",)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("animal: {one_of: [a], several: [b]}", "has one of `one_of` and `several`"),
        ("animal: {some: [a]}", "not some"),
        ("animal: {one_of: [a], channels: sound}", "channels is a list, got 'sound'"),
        ("animal: [dog, dog]", "a label is there twice"),
        ("animal: {several: {dog: [3]}}", "dog: a label's texts are sentences"),
        ("animal: []", "expected a list of labels"),
        ("animal: [a=b]", "invalid tag name 'a=b'"),
        ("{}", "no labels in it"),
        ("3", "expected groups of labels"),
    ],
)
def test_wrong_labels_are_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "l.yaml"
    file.write_text(content, "utf-8")
    with pytest.raises(InputError) as error:
        label_groups(file)
    assert message in str(error.value)
    assert "l.yaml" in str(error.value)


def test_one_of_a_group_shares_with_none_of_them() -> None:
    odds = np.log(np.array([[3.0], [1.0], [1.0]]))
    x, y, z = (Label(name, (name,)) for name in "xyz")
    groups = [LabelGroup("a", (x, y), one=True), LabelGroup("b", (z,))]
    # x : y : none = 3 : 1 : 1, and only the best of the group is given; z by itself is even.
    assert confidences(odds, groups)[:, 0].tolist() == pytest.approx([3 / 5, 0, 1 / 2])
    assert confidences(np.full((3, 1), -np.inf), groups)[:, 0].tolist() == pytest.approx([0, 0, 0])


def test_examples_move_the_border_no_more_than_needed() -> None:
    assert shift_of_examples([], []) == 0
    assert shift_of_examples([2.0], [-1.0]) == 0  # right as it is
    assert shift_of_examples([-1.0, -0.5], []) == pytest.approx(1.5)  # half a step below the lowest
    assert shift_of_examples([2.0], [1.0]) == pytest.approx(-1.5)  # half-way between
    assert shift_of_examples([-1.0, 3.0], [-2.0, 0.5]) in (1.5, 0.0, -1.75)  # one is wrong wherever it lies


def test_what_can_be_heard_is_told_by_the_bank() -> None:
    rng = np.random.default_rng(0)
    axis = np.zeros(16)
    axis[0] = 1.0
    noise = rng.normal(0, 0.1, (60, 16))
    sounds = np.arange(60) < 20
    bank = noise + np.where(sounds[:, None], axis, -axis)
    heard = hearable(np.stack([axis, -axis]), bank.astype(np.float32), sounds)
    assert heard[0] > 0.9
    assert heard[1] < 0.1
    assert hearable(np.stack([-axis]), bank, np.zeros(60, dtype=bool)).tolist() == [1.0]  # nothing is told


def test_what_tells_what_can_be_heard_is_made_once_for_a_bank() -> None:
    bank, sounds, listeners = np.eye(20, dtype=np.float32), np.arange(20) < 8, Listeners()
    told = listeners.of(bank, sounds)
    assert listeners.of(bank, sounds) is told
    assert listeners.of(bank.copy(), sounds) is not told  # other vectors
    assert told(bank[:1]).tolist() == hearable(bank[:1], bank, sounds).tolist()
    assert "a dog barking" in sounds_of_bank() or len(sounds_of_bank()) >= 20
    assert not any("waves rolling" in line for line in sounds_of_bank())


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classify")
    make(folder / "red.mp4", "red", hz=None, second_each=2.0)
    make(folder / "both.mp4", "red", "blue", hz=None, second_each=2.0)
    make(folder / "grey.mp4", "gray", hz=None, second_each=2.0)
    return folder


COLOURS = {"colour": ["red", "blue"]}


def test_videos_are_tagged_and_found_by_their_tags(videos: Path, tmp_path: Path) -> None:
    with filled(tmp_path / "index", videos) as index:
        found = index.classify(COLOURS, save=True)
        shown = [(one.path.name, one.label, round(one.span.start_s), round(one.span.end_s)) for one in found]
        assert ("red.mp4", "red", 0, 2) in shown
        assert ("both.mp4", "red", 0, 2) in shown
        assert ("both.mp4", "blue", 2, 4) in shown
        assert not any(name == "grey.mp4" for name, *_ in shown)  # none of them
        assert all(0.5 <= one.confidence <= 1 for one in found)
        assert index.info().tags == {"colour": {"red": 2, "blue": 1}}
        assert "tag colour: red 2, blue 1" in str(index.info())
        hits = index.search("red", where=Filter(tags=["colour=blue"]))
        assert {moment.path.name for moment in hits} == {"both.mp4"}
        index.classify({"colour": ["green"]}, save=True)  # none now: the tag goes
        assert index.info().tags == {}


def test_a_rejected_example_moves_the_threshold(videos: Path, tmp_path: Path) -> None:
    with filled(tmp_path / "index", videos) as index:
        before = index.classify(COLOURS, [videos / "red.mp4"])
        clip_id = index.clip_at(videos / "red.mp4", 1.0).clip_id
        assert [one.label for one in before] == ["red"]
        after = index.classify(COLOURS, [videos / "red.mp4"], examples=[LabelExample("red", clip_id, accepted=False)])
        assert not after
        with pytest.raises(InputError, match="unknown label 'rad'"):
            index.classify(COLOURS, examples=[LabelExample("rad", clip_id)])


def test_on_the_command_line(videos: Path, tmp_path: Path) -> None:
    with vidembed.open_index(tmp_path / "index", profile="toy", create=True) as index:
        index.add(videos)
    labels = tmp_path / "labels.txt"
    labels.write_text("red\nblue\n", "utf-8")
    command = ["classify", "--labels", str(labels), "-i", str(tmp_path / "index")]
    shown = CliRunner().invoke(command_tree(), [*command, "--reject", f"blue={videos / 'both.mp4'}@0:03"])
    assert shown.exit_code == 0, shown.output
    assert "label=red" in shown.output
    assert "label=blue" not in shown.output
    with vidembed.open_index(tmp_path / "index", readonly=True) as index:
        assert index.info().tags == {"label": {"red": 2}}
    wrong = CliRunner().invoke(command_tree(), [*command, "--accept", "blue"])
    assert "LABEL=FILE@TIME" in str(wrong.exception)
