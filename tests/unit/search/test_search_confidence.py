"""How sure an answer is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from axes_index import Index, best

from vidembed.config.schema import CalibrationSettings, MomentSettings, SearchSettings
from vidembed.protocols import Channel
from vidembed.search.answers import LaneRanking, confidence_of
from vidembed.search.fusion import FUSIONS, Fusion
from vidembed.search.query import SearchOptions

CHANNEL = Channel("", None, None, "0")  # type: ignore[arg-type]


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("query", ["a dog", "beach", "night beach", "a drum in the snow"])
def test_no_answer_is_surer_than_those_before_it(index: Index, query: str, fusion: Fusion) -> None:
    found = index.searcher().search(query, SearchOptions(k=50, fusion=fusion))
    sure = [moment.confidence for moment in found]
    assert sure == sorted(sure, reverse=True)
    page = index.searcher().search(query, SearchOptions(k=2, offset=1, fusion=fusion))
    assert [moment.confidence for moment in page] == sure[1:3]


def test_likeness_in_one_lane_counts_by_the_clips_it_holds() -> None:
    class Toy:
        def __init__(self, name: str, guesses: bool) -> None:
            self.channel, self.guesses = replace(CHANNEL, name=name), guesses

    seen, heard, said = (LaneRanking(Toy(*a), (), 1.0, 1.0) for a in (("s", True), ("h", True), ("w", False)))  # type: ignore[arg-type]
    assert confidence_of({"s": 0.0}, [seen]) == pytest.approx(1 / 2)
    assert confidence_of({"s": 0.0, "h": 0.0}, [seen, heard]) == pytest.approx(1 / 2)  # both are in doubt
    # Odds of 1 in one lane, none in the other: 1/2 in the mean, which is 1 in 3.
    assert confidence_of({"h": 0.0}, [seen, heard]) == pytest.approx(1 / 3)
    # Two clips of three are in the first lane.
    assert confidence_of({"s": 0.0}, [replace(seen, stored=2), heard]) == pytest.approx(2 / 5)
    # Words that are there are not doubted because nothing looks like them.
    assert confidence_of({"h": -9.0, "w": 0.0}, [seen, heard, said]) == pytest.approx(1 / 2)


def test_what_is_there_is_surer_than_what_is_not(index: Index) -> None:
    there, absent = best(index, "a dog"), best(index, "a boat in the snow")
    assert there.confidence > 0.5 > absent.confidence


def test_without_calibration_it_still_answers(index: Index) -> None:
    settings = SearchSettings(calibration=CalibrationSettings(enabled=False), moments=MomentSettings(smooth_s=0))
    assert index.searcher(settings).search("dog")[0].video_id == "walk"
    assert index.searcher(bank=False).search("dog")[0].video_id == "walk"
