"""How sure an answer is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from axes_index import AXES, AxesEncoder, Index, best, meaning

from vidembed.config.schema import CalibrationSettings, Fusion, MomentSettings, SearchSettings
from vidembed.search.confidence import Curves, Shown
from vidembed.search.fusion import FUSIONS, confidence_of
from vidembed.search.query import SearchOptions, verbatim
from vidembed.types import Filter, Query


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("query", ["a dog", "beach", "night beach", "a drum in the snow"])
def test_confidence_is_an_answers_own(index: Index, query: str, fusion: Fusion) -> None:
    found = index.searcher().search(query, SearchOptions(k=50, fusion=fusion))
    sure = {(moment.video_id, moment.span): moment.confidence for moment in found}
    page = index.searcher().search(query, SearchOptions(k=2, offset=1, fusion=fusion))
    assert [moment.confidence for moment in page] == list(sure.values())[1:3]
    first = index.searcher().search(query, SearchOptions(k=1, fusion=fusion))
    assert first[0].confidence == found[0].confidence  # nothing behind it lifts it
    for video_id in {moment.video_id for moment in found}:
        where = Filter(videos=[video_id])
        for moment in index.searcher().search(query, SearchOptions(k=50, fusion=fusion, where=where)):
            if (moment.video_id, moment.span) in sure:
                assert moment.confidence == pytest.approx(sure[moment.video_id, moment.span], abs=1e-9)


@pytest.mark.parametrize("settings", [SearchSettings(), SearchSettings(per_channel=2, rescore=1)])
def test_a_filter_changes_no_confidence_where_it_leaves_a_channel_without_clips(settings: SearchSettings) -> None:
    index = Index()
    for name in ("vision", "sound"):
        index.add_channel(name, AxesEncoder())
    for i in range(12):
        index.add("vision", f"silent{i}", [("beach", "night", "boat", "snow")[i % 4]] * 5)
        index.add("sound", f"dark{i}", [("bell", "drum", "cook", "dog")[i % 4]] * 5)
    for query in ("snow", "a drum in the snow"):
        found = index.searcher(settings).search(query, SearchOptions(k=24))
        assert {moment.video_id[:4] for moment in found} == {"sile", "dark"}
        for moment in found:
            where = Filter(videos=[moment.video_id])
            alone = index.searcher(settings).search(query, SearchOptions(k=1, where=where))[0]
            assert alone.confidence == pytest.approx(moment.confidence, abs=1e-6)


def test_captions_tell_again_what_pictures_show(index: Index) -> None:
    before = best(index, "a dog").confidence
    index.add_channel("caption", AxesEncoder())
    index.channels["caption"].source.told = True  # type: ignore[attr-defined]
    index.add("caption", "walk", ["beach"] * 15 + ["dog"] * 5)
    assert best(index, "a dog").confidence == pytest.approx(before)


class ToySearch:
    """A channel's search as `confidence_of` sees it."""

    def __init__(self, name: str, *, guesses: bool = True, heard: float = 1.0, told: bool = False) -> None:
        self.name, self.guesses, self.heard, self.told, self.weight = name, guesses, heard, told, 1.0


def sure(odds: dict[str, float], *channels: ToySearch) -> float:
    return confidence_of(odds, channels)  # type: ignore[arg-type]


def test_each_channel_may_be_the_one_that_has_it() -> None:
    seen, heard, said = ToySearch("s"), ToySearch("h"), ToySearch("w", guesses=False)
    assert sure({"s": 0.0}, seen) == pytest.approx(1 / 2)
    assert sure({"s": 0.0}, seen, heard) == pytest.approx(1 / 2)  # what is seen is not doubted because it is not heard
    assert sure({"s": 0.0, "h": 0.0}, seen, heard) == pytest.approx(3 / 4)  # 1 - 1/2 x 1/2
    # What is asked is hardly to be heard: a sure sound adds at most a tenth of what is left.
    assert sure({"s": 0.0, "h": 50.0}, seen, ToySearch("h", heard=0.1)) == pytest.approx(1 - 0.5 * 0.9)
    assert sure({"h": 0.0}, ToySearch("h", heard=0.1)) == pytest.approx(1 / 2)  # asked alone
    # Weights count against the highest.
    light, heavy = ToySearch("s"), ToySearch("h")
    light.weight, heavy.weight = 0.5, 2.0
    assert sure({"s": 0.0}, light, heavy) == pytest.approx(1 / 8)
    # Words that are there are there.
    assert sure({"h": -9.0, "w": 0.0}, seen, heard, said) == pytest.approx(1 / 2)
    # Captions count where nothing else does.
    assert sure({"s": 0.0, "c": 5.0}, seen, ToySearch("c", told=True)) == pytest.approx(1 / 2)
    assert sure({"c": 0.0}, seen, ToySearch("c", told=True)) == pytest.approx(1 / 2)


def by_cosine(*, space: str = "axes") -> Curves:
    return Curves(shown={"image": Shown(space, 4.0, 8.0, -6.0, np.zeros((0, 1), np.float32))})


def test_confidence_does_not_depend_on_the_other_videos(index: Index) -> None:
    searcher = replace(index.searcher(), curves=by_cosine())
    before = {(one.video_id, one.span): one.confidence for one in searcher.search("a dog", SearchOptions(k=50))}
    for number in range(60):
        index.add("vision", f"more{number}", [AXES[number % 8], AXES[number % 5]] * 5)
    searcher = replace(index.searcher(), curves=by_cosine())
    after = {(one.video_id, one.span): one.confidence for one in searcher.search("a dog", SearchOptions(k=500))}
    same = before.keys() & after.keys()
    assert len(same) >= 2
    for key in same:
        assert after[key] == pytest.approx(before[key], abs=1e-6)


def test_the_order_of_answers_is_that_of_confidence(index: Index) -> None:
    searcher = replace(index.searcher(), curves=by_cosine())
    for query in ("a dog", "night beach", "a drum in the snow", "a boat"):
        sure = [one.confidence for one in searcher.search(query, SearchOptions(k=20, group_by_video=True))]
        assert sure == sorted(sure, reverse=True), query


def test_what_was_fitted_for_another_space_is_left_alone(index: Index) -> None:
    plain = best(index, "a dog")
    other = replace(index.searcher(), curves=by_cosine(space="another")).search("a dog", SearchOptions(k=1))[0]
    assert (other.confidence, other.score) == (plain.confidence, plain.score)


def test_what_is_there_is_surer_than_what_is_not(index: Index) -> None:
    there, absent = best(index, "a dog"), best(index, "a boat in the snow")
    assert there.confidence > 0.5 > absent.confidence


def test_a_glimpse_is_worth_less_than_a_look(index: Index) -> None:
    index.add("vision", "glimpse", ["snow"], clip_s=0.3, hz=1 / 0.3)
    index.add("vision", "look", ["snow"], clip_s=6.0, hz=1 / 6)
    found = index.searcher().search("snow", SearchOptions(k=2))
    assert [moment.video_id for moment in found] == ["look", "glimpse"], "the same picture, seen for longer"
    assert found[0].confidence > 1.5 * found[1].confidence


def test_without_calibration_it_still_answers(index: Index) -> None:
    settings = SearchSettings(calibration=CalibrationSettings(enabled=False), moments=MomentSettings(smooth_s=0))
    assert index.searcher(settings).search("dog")[0].video_id == "walk"
    assert index.searcher(bank=False).search("dog")[0].video_id == "walk"


class HearingEncoder(AxesEncoder):
    """Pictures and sounds in one space, as models of both have them."""

    def encode_query(self, modality: str, value: Any) -> np.ndarray | None:
        return super().encode_query("image" if modality == "audio" else modality, value)


def test_a_sound_is_looked_for_by_sound() -> None:
    index = Index()
    for name in ("vision", "sound"):
        index.add_channel(name, HearingEncoder())
        for i in range(12):
            index.add(name, f"other{i}", [("beach", "night", "boat", "snow")[i % 4]] * 5)
    index.add("vision", "picture of a bell", ["bell"] * 5)
    index.add("sound", "picture of a bell", ["cook"] * 5)
    index.add("vision", "rings", ["cook"] * 5)
    index.add("sound", "rings", ["bell", "bell", "bell", "drum", "drum"])
    ring = meaning("bell")
    assert best(index, Query.audio(ring)).video_id == "rings"
    assert best(index, Query.image(ring)).video_id == "picture of a bell"
    alone = index.searcher().search(Query.audio(ring), SearchOptions(k=1, channels=["vision"]))
    assert alone[0].video_id == "picture of a bell"  # where nothing hears, pictures are asked all the same


def test_what_is_to_be_there_word_by_word() -> None:
    asked = ['"a quoted phrase"', "a.", "x", "“never do it”"]
    assert [
        text for text in [*asked, "a dog", '"a b" c', 'say "x"', "猫", "a b"] if verbatim(Query.text(text))
    ] == asked


def test_what_means_the_same_is_no_quotation(index: Index) -> None:
    index.add_channel("speech", AxesEncoder())
    index.add("speech", "talk", ["drum"] * 10)
    options = SearchOptions(k=1, channels=["speech"])
    meant, said = (index.searcher().search(text, options)[0].confidence for text in ("a drum", '"a drum"'))
    assert said < 0.05 < meant
