"""How sure an answer is."""

from __future__ import annotations

import pytest
from axes_index import Index, best

from vidembed.config.schema import CalibrationSettings, Fusion, MomentSettings, SearchSettings
from vidembed.search.fusion import FUSIONS, confidence_of
from vidembed.search.query import SearchOptions


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("query", ["a dog", "beach", "night beach", "a drum in the snow"])
def test_no_answer_is_surer_than_those_before_it(index: Index, query: str, fusion: Fusion) -> None:
    found = index.searcher().search(query, SearchOptions(k=50, fusion=fusion))
    sure = [moment.confidence for moment in found]
    assert sure == sorted(sure, reverse=True)
    page = index.searcher().search(query, SearchOptions(k=2, offset=1, fusion=fusion))
    assert [moment.confidence for moment in page] == sure[1:3]


class ToySearch:
    """A channel's search as `confidence_of` sees it."""

    def __init__(self, name: str, *, guesses: bool = True, stored: int = 1) -> None:
        self.name, self.guesses, self.stored, self.weight = name, guesses, stored, 1.0


def sure(odds: dict[str, float], *channels: ToySearch) -> float:
    return confidence_of(odds, channels)  # type: ignore[arg-type]


def test_likeness_in_one_channel_counts_by_the_clips_it_holds() -> None:
    seen, heard, said = ToySearch("s"), ToySearch("h"), ToySearch("w", guesses=False)
    assert sure({"s": 0.0}, seen) == pytest.approx(1 / 2)
    assert sure({"s": 0.0, "h": 0.0}, seen, heard) == pytest.approx(1 / 2)  # both are in doubt
    # Odds of 1 in one channel, none in the other: 1/2 in the mean, which is 1 in 3.
    assert sure({"h": 0.0}, seen, heard) == pytest.approx(1 / 3)
    # Two clips of three are in the first channel.
    assert sure({"s": 0.0}, ToySearch("s", stored=2), heard) == pytest.approx(2 / 5)
    # Words that are there are not doubted because nothing looks like them.
    assert sure({"h": -9.0, "w": 0.0}, seen, heard, said) == pytest.approx(1 / 2)


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
