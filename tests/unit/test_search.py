"""The searcher on a hand-made index: eight axes of meaning, clips whose frames one can read off."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidembed.errors import BadQuery, ConfigError, StoreError
from vidembed.protocols import Channel
from vidembed.search import FUSIONS, Fusion, MomentSettings, Searcher, SearchSettings, VideoFacts, resolve
from vidembed.search.answers import LaneRanking, confidence_of
from vidembed.search.calibration import CalibrationSettings
from vidembed.stores.memory import MemoryStore
from vidembed.types import Clip, Filter, Moment, Query, Row, Space, Span, SparseVector, TextLine, TimedText, Where
from vidembed.vectors import pool, unit_rows

AXES = ("dog", "beach", "bell", "cook", "night", "boat", "snow", "drum")
DIM = len(AXES)
SPACE = Space("axes", DIM)
CHANNEL = Channel("", None, None, "0")  # type: ignore[arg-type]
VOCABULARY = ["thanks", "for", "watching", "boil", "the", "rice", "dog", "ring", "bell", "welcome", "back"]


def meaning(text: str) -> np.ndarray:
    """The unit row of the axes a text names; a text that names none lies evenly between all."""
    named = np.array([float(axis in text.lower()) for axis in AXES], dtype=np.float32)
    return unit_rows((named if named.any() else np.ones(DIM))[None])[0]


class AxesEncoder:
    space = SPACE

    def encode_clips(self, items: object, clips: object) -> list[None]:
        raise NotImplementedError

    def encode_query(self, modality: str, value: Any) -> np.ndarray | None:
        if modality == "text":
            return meaning(value)
        return np.asarray(value, dtype=np.float32) if modality == "image" else None


class WordsEncoder:
    space = Space("words", 0, "sparse")

    def encode_clips(self, items: object, clips: object) -> list[None]:
        raise NotImplementedError

    def encode_query(self, modality: str, value: Any) -> SparseVector | None:
        if modality != "text":
            return None
        found = sorted({VOCABULARY.index(w) for w in value.lower().split() if w in VOCABULARY})
        return SparseVector(np.array(found, np.uint32), np.ones(len(found), np.float32)) if found else None


@dataclass
class Index:
    """Channels, store and catalog of a test."""

    store: MemoryStore = field(default_factory=MemoryStore)
    channels: dict[str, Channel] = field(default_factory=dict)
    all_clips: dict[str, Clip] = field(default_factory=dict)
    lines: dict[str, dict[str, TimedText]] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)

    def add_channel(self, name: str, encoder: Any) -> None:
        self.channels[name] = Channel(name, None, encoder, "0")  # type: ignore[arg-type]
        self.store.create(self.channels[name].collection, encoder.space)

    def add(self, channel: str, video: str, frames: Sequence[str], *, clip_s: float = 5.0, hz: float = 1.0) -> None:
        """A video whose frame i shows what frames[i] names, cut into clips of clip_s seconds."""
        times = (np.arange(len(frames)) + 0.5) / hz
        duration = len(frames) / hz
        rows = []
        for i, start in enumerate(np.arange(0, duration, clip_s)):
            clip = Clip.make(video, i, Span(float(start), float(min(start + clip_s, duration))))
            self.all_clips[clip.clip_id] = clip
            inside = [j for j, t in enumerate(times) if clip.span.contains(t)]
            units = np.stack([meaning(frames[j]) for j in inside])
            rows.append(Row(clip, pool(units), units.astype(np.float16), times[inside]))
        self.store.put(self.channels[channel].collection, rows)

    def say(self, channel: str, video: str, text: TimedText) -> None:
        """Text of the one clip of `video` that holds its first line."""
        clip = next(c for c in self.clips_of([video])[video] if c.span.contains(text.lines[0].span.start_s))
        vector = self.channels[channel].encoder.encode_query("text", text.text)
        assert isinstance(vector, SparseVector)
        self.store.put(self.channels[channel].collection, [Row(clip, vector)])
        self.lines.setdefault(clip.clip_id, {})[channel] = text

    def searcher(self, settings: SearchSettings | None = None, *, bank: bool = True) -> Searcher:
        texts = [f"{a} {b}" for a in AXES for b in AXES]

        def vectors(channel: Channel) -> np.ndarray | None:
            return np.stack([meaning(t) for t in texts]) if channel.encoder.space == SPACE else None

        plain = SearchSettings(moments=MomentSettings(smooth_s=0, context_s=10))
        return Searcher(
            self.store,
            self.channels,
            self,
            load=lambda term: term.value,
            bank=vectors if bank else None,
            settings=settings or plain,
        )

    # what the catalog answers
    def resolve(self, wanted: Filter | None) -> Where:
        facts = [
            VideoFacts(v, (f"/videos/{v}.mp4",), max(c.span.end_s for c in self.clips_of([v])[v]), (0.0,))
            for v in sorted({c.video_id for c in self.all_clips.values()})
        ]
        return resolve(wanted, facts)

    def clips(self, clip_ids: Sequence[str]) -> Mapping[str, Clip]:
        return {i: self.all_clips[i] for i in clip_ids if i in self.all_clips}

    def clips_of(self, video_ids: Sequence[str]) -> Mapping[str, Sequence[Clip]]:
        return {v: [clip for clip in self.all_clips.values() if clip.video_id == v] for v in video_ids}

    def paths_of(self, video_ids: Sequence[str]) -> Mapping[str, Path]:
        return {video_id: Path(f"/videos/{video_id}.mp4") for video_id in video_ids}

    def texts(self, clip_ids: Sequence[str]) -> Mapping[str, Mapping[str, TimedText]]:
        return {i: self.lines[i] for i in clip_ids if i in self.lines}

    def captions(self, clip_ids: Sequence[str]) -> Mapping[str, str]:
        return {i: self.told[i] for i in clip_ids if i in self.told}


@pytest.fixture
def index() -> Index:
    made = Index()
    made.add_channel("vision", AxesEncoder())
    made.add("vision", "walk", ["beach"] * 12 + ["dog beach"] * 3 + ["dog"] * 7 + ["beach"] * 8)
    made.add("vision", "kitchen", ["cook"] * 20)
    made.add("vision", "evening", ["night"] * 10 + ["night beach"] * 5 + ["night"] * 5)
    made.add("vision", "short", ["bell"], clip_s=5, hz=1)
    return made


def best(index: Index, query: str | Query, **options: Any) -> Moment:
    return index.searcher().search(query, **options)[0]


def test_the_moment_is_found_with_its_borders(index: Index) -> None:
    found = best(index, "a dog")
    assert found.video_id == "walk"
    assert found.path == Path("/videos/walk.mp4")
    # Frames 15 to 21 show the dog alone, 12 to 14 the dog on the beach.
    assert found.span.iou(Span(12, 22)) > 0.65
    assert 15 <= found.best_s < 22
    assert found.span.contains(found.best_s)
    assert index.all_clips[found.clip_id].span.overlap_s(found.span) > 0
    (hit,) = found.hits
    assert (hit.channel, hit.rank) == ("vision", 1)
    assert hit.score == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("query", ["a dog", "beach", "night beach", "a drum in the snow"])
def test_no_answer_is_surer_than_those_before_it(index: Index, query: str, fusion: Fusion) -> None:
    found = index.searcher().search(query, k=50, fusion=fusion)
    sure = [moment.confidence for moment in found]
    assert sure == sorted(sure, reverse=True)
    page = index.searcher().search(query, k=2, offset=1, fusion=fusion)
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


def test_a_video_of_one_frame_is_found(index: Index) -> None:
    found = best(index, "a bell")
    assert (found.video_id, found.span, found.best_s) == ("short", Span(0, 1), 0.5)


def test_a_video_that_matches_all_through_is_one_answer(index: Index) -> None:
    found = index.searcher().search("someone cooks")
    assert (found[0].video_id, found[0].span) == ("kitchen", Span(0, 20))
    assert sum(m.video_id == "kitchen" for m in found) == 1


def test_answers_are_sorted_and_spans_never_empty(index: Index) -> None:
    found = index.searcher().search("beach", k=50)
    assert [m.score for m in found] == sorted((m.score for m in found), reverse=True)
    assert all(m.span.duration_s > 0 and m.span.contains(m.best_s) for m in found)
    assert found == index.searcher().search("beach", k=50)


def test_what_is_there_is_surer_than_what_is_not(index: Index) -> None:
    there, absent = best(index, "a dog"), best(index, "a boat in the snow")
    assert there.confidence > 0.5 > absent.confidence


def test_a_picture_is_a_query(index: Index) -> None:
    query = Query.image(np.eye(DIM, dtype=np.float32)[0])
    assert best(index, query).video_id == "walk"
    assert 0 <= best(index, query).confidence <= 1


def test_negatives_take_away(index: Index) -> None:
    plain = best(index, Query.text("night beach"))
    assert plain.video_id == "evening"
    assert 10 <= plain.best_s < 15
    without = best(index, Query.text("night beach") - Query.text("night"))
    assert without.video_id == "walk"
    assert index.all_clips[without.clip_id].span.end_s <= 10 or without.span.start_s >= 20


def test_more_like_this_leaves_the_example_out(index: Index) -> None:
    example = next(c for c in index.clips_of(["kitchen"])["kitchen"] if c.index == 1)
    found = index.searcher().search(Query.clip(example.clip_id), k=5)
    assert found[0].video_id == "kitchen"
    assert all(example.clip_id not in {m.clip_id, *(h.clip_id for h in m.hits)} for m in found)


def test_filters(index: Index) -> None:
    searcher = index.searcher()
    assert {m.video_id for m in searcher.search("dog", where=Filter(paths=("evening*",)))} == {"evening"}
    assert {m.video_id for m in searcher.search("dog", where=Filter(videos=("kitchen",)))} == {"kitchen"}
    assert {m.video_id for m in searcher.search("dog", where=Filter(max_duration_s=5))} == {"short"}
    assert searcher.search("dog", where=Filter(paths=("nowhere/*",))) == []
    with pytest.raises(BadQuery):
        searcher.search(" ", where=Filter(paths=("nowhere/*",)))
    within = searcher.search("dog", where=Filter(videos=("walk",), within=Span(0, 13)))
    assert within
    assert all(m.span.end_s <= 13 for m in within)
    query = Query.text("dog", where=Filter(videos=("evening",)))
    assert searcher.search(query)[0].video_id == "evening"
    assert searcher.search(query, where=Filter(videos=("walk",)))[0].video_id == "walk"


def test_pages_join_up(index: Index) -> None:
    searcher = index.searcher()
    whole = searcher.search("night beach", k=6)
    pages = [moment for offset in range(0, 6, 2) for moment in searcher.search("night beach", k=2, offset=offset)]
    assert pages == whole
    assert searcher.search("night beach", k=5, offset=500) == []


def test_pages_join_up_beyond_a_round_of_seeds() -> None:
    index = Index()
    index.add_channel("vision", AxesEncoder())
    for i in range(30):
        index.add(
            "vision", f"v{i:02d}", [AXES[i % 8], AXES[(i + 1) % 8], f"{AXES[i % 8]} {AXES[(i + 2) % 8]}"], clip_s=1
        )
    searcher = index.searcher(SearchSettings(seeds=7, moments=MomentSettings(smooth_s=0)))
    whole = searcher.search("dog", k=40)
    assert [m.score for m in whole] == sorted((m.score for m in whole), reverse=True)
    assert [m for offset in range(0, 40, 5) for m in searcher.search("dog", k=5, offset=offset)] == whole
    assert len({(m.video_id, m.span) for m in whole}) == len(whole)


def test_one_answer_per_video(index: Index) -> None:
    found = index.searcher().search("beach", k=10, group_by_video=True)
    assert sorted(m.video_id for m in found) == ["evening", "kitchen", "short", "walk"]
    assert found[0].video_id == "walk"


def test_diversity_brings_other_things_up() -> None:
    index = Index()
    index.add_channel("vision", AxesEncoder())
    for i in range(4):
        index.add("vision", f"same{i}", ["dog"] * 3)
    index.add("vision", "other", ["dog beach"] * 3)
    plain = [m.video_id for m in index.searcher().search("dog", k=5)]
    diverse = [m.video_id for m in index.searcher().search("dog", k=5, diversity=0.8)]
    assert plain.index("other") == 4
    assert diverse.index("other") == 1
    assert sorted(plain) == sorted(diverse)


@pytest.fixture
def spoken(index: Index) -> Index:
    index.add_channel("speech_words", WordsEncoder())
    line = TextLine
    index.say("speech_words", "walk", TimedText((line(Span(0.5, 2), "welcome back"),)))
    index.say(
        "speech_words",
        "kitchen",
        TimedText(
            (line(Span(5, 6.5), "boil the rice"), line(Span(7, 8.2), "thanks for"), line(Span(8.2, 9), "watching"))
        ),
    )
    index.say("speech_words", "evening", TimedText((line(Span(1, 4), "watching the dog for rice thanks"),)))
    return index


def test_an_exact_phrase_comes_first_with_its_lines(spoken: Index) -> None:
    found = spoken.searcher().search("thanks for watching")
    # It stretches over two lines; the other clip has the same words in another order.
    assert found[0].video_id == "kitchen"
    assert found[0].span.iou(Span(7, 9)) > 0.9
    assert found[0].texts["speech_words"] == "thanks for watching"
    assert {hit.channel for hit in found[0].hits} >= {"speech_words"}
    assert found[0].confidence > 0.9
    assert found[1].video_id == "evening"


def test_words_find_their_line_within_a_second(spoken: Index) -> None:
    found = spoken.searcher().search("rice", channels=["speech_words"])
    assert {m.video_id for m in found} == {"kitchen", "evening"}
    kitchen = next(m for m in found if m.video_id == "kitchen")
    assert abs(kitchen.span.start_s - 5) <= 1
    assert abs(kitchen.span.end_s - 6.5) <= 1


def test_a_quoted_phrase_must_be_there_word_for_word(spoken: Index) -> None:
    found = spoken.searcher().search('"the dog"')
    assert found[0].video_id == "evening"
    assert found[0].texts["speech_words"] == "watching the dog for rice thanks"


def test_a_lane_without_an_answer_does_not_outvote_one_that_has(spoken: Index) -> None:
    # "bell" is seen in "short" alone, and nobody says it; "dog" is seen in "walk" and said in "evening".
    assert spoken.searcher().search("bell")[0].video_id == "short"
    assert {m.video_id for m in spoken.searcher().search("dog", k=2, group_by_video=True)} == {"walk", "evening"}
    only_seen = spoken.searcher().search("dog", weights={"speech_words": 0})
    assert only_seen[0].video_id == "walk"
    assert all(hit.channel == "vision" for m in only_seen for hit in m.hits)


@pytest.mark.parametrize("fusion", ["rrf", "zscore", "dbsf", "evidence"])
def test_every_fusion_finds_them(spoken: Index, fusion: str) -> None:
    searcher = spoken.searcher()
    assert searcher.search("cook", fusion=fusion)[0].video_id == "kitchen"  # type: ignore[arg-type]
    assert searcher.search("thanks for watching", fusion=fusion)[0].video_id == "kitchen"  # type: ignore[arg-type]


def test_captions_go_along(index: Index) -> None:
    found = best(index, "cook")
    index.told[found.clip_id] = "someone cooks"
    assert best(index, "cook").caption == "someone cooks"


def test_curve_of_a_video(index: Index) -> None:
    times, scores = index.searcher().curve("a dog", "walk")
    assert times.shape == scores.shape
    assert np.all(np.diff(times) > 0)
    assert 15 <= times[int(np.argmax(scores))] < 22
    assert scores[times < 12].max() < scores[(times > 15) & (times < 22)].min()
    with pytest.raises(BadQuery, match="no video 'nothing'"):
        index.searcher().curve("a dog", "nothing")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "has no letter or digit"),
        (" \n", "has no letter or digit"),
        ("?!", "has no letter or digit"),
        (Query(()), "the query is empty"),
        (-Query.text("dog"), "only negative terms"),
        (Query.text("dog") * float("nan"), "must be finite"),
        (Query.text(3), "takes a string, got int"),  # type: ignore[arg-type]
        (Query.audio("x.wav"), "no channel of this index understands audio queries; channels: vision .axes."),
        (Query.clip("no-such-clip"), "no-such-clip is not in this index"),
        (Query.text("dog") - Query.text("dog"), "cancel each other out"),
    ],
)
def test_bad_queries_say_why(index: Index, query: str | Query, message: str) -> None:
    with pytest.raises(BadQuery, match=message):
        index.searcher().search(query)


def test_bad_options_say_why(index: Index) -> None:
    searcher = index.searcher()
    with pytest.raises(BadQuery, match="no channel 'visoin'") as error:
        searcher.search("dog", channels=["visoin"])
    assert "vision" in error.value.hint
    with pytest.raises(BadQuery, match="weight of channel 'vision'.*-1"):
        searcher.search("dog", weights={"vision": -1})
    with pytest.raises(BadQuery, match="no channel is left"):
        searcher.search("dog", weights={"vision": 0})
    for options in ({"k": 0}, {"offset": -1}, {"diversity": 2}, {"fusion": "best"}):
        with pytest.raises(ConfigError):
            searcher.search("dog", **options)


def test_an_empty_index_has_no_answers_and_store_errors_pass() -> None:
    index = Index()
    index.add_channel("vision", AxesEncoder())
    assert index.searcher().search("dog") == []
    index.add("vision", "walk", ["dog"])
    assert index.searcher().search("dog")[0].video_id == "walk"
    searcher = index.searcher()
    index.store.close()
    with pytest.raises(StoreError, match="closed"):
        searcher.search("dog")


def test_new_clips_are_seen_without_invalidating(index: Index) -> None:
    searcher = index.searcher()
    searcher.search("dog")
    index.add("vision", "puppy", ["dog"] * 4)
    assert "puppy" in {m.video_id for m in searcher.search("dog")}


def test_clips_the_catalog_lacks_are_no_answer(index: Index) -> None:
    for clip in index.clips_of(["walk"])["walk"]:
        del index.all_clips[clip.clip_id]
    assert "walk" not in {m.video_id for m in index.searcher().search("dog", k=50)}


def test_without_calibration_it_still_answers(index: Index) -> None:
    settings = SearchSettings(calibration=CalibrationSettings(enabled=False), moments=MomentSettings(smooth_s=0))
    assert index.searcher(settings).search("dog")[0].video_id == "walk"
    assert index.searcher(bank=False).search("dog")[0].video_id == "walk"


def test_one_channel_keeps_the_order_of_its_clips(index: Index) -> None:
    # Clips as far apart as videos, so that each is a moment of its own: their order is the channel's.
    index = Index()
    index.add_channel("vision", AxesEncoder())
    for i in range(8):
        frames = ["dog"] * (8 - i) + ["cook"] * i
        index.add("vision", f"v{i}", [" ".join(frames[:1]), *frames[1:]], clip_s=8)
    found = index.searcher(replace(SearchSettings(), moments=MomentSettings(smooth_s=0)), bank=False).search(
        "dog", k=8, group_by_video=True
    )
    assert [m.video_id for m in found][:7] == [f"v{i}" for i in range(7)]


def _random_index(n_videos: int, clips_each: int) -> Index:
    rng = np.random.default_rng(5)
    index = Index()
    index.add_channel("vision", AxesEncoder())
    rows = []
    for v in range(n_videos):
        for i in range(clips_each):
            clip = Clip.make(f"v{v}", i, Span(i * 5.0, i * 5.0 + 5))
            index.all_clips[clip.clip_id] = clip
            units = unit_rows(rng.normal(size=(5, DIM)))
            rows.append(Row(clip, pool(units), units.astype(np.float16), clip.span.start_s + np.arange(5) + 0.5))
    index.store.put(index.channels["vision"].collection, rows)
    return index


def test_the_work_beside_the_store_does_not_grow_with_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    index = _random_index(40, 100)
    by_video: dict[str, list[Clip]] = {}
    for clip in index.all_clips.values():
        by_video.setdefault(clip.video_id, []).append(clip)
    monkeypatch.setattr(index, "clips_of", lambda video_ids: {v: by_video.get(v, []) for v in video_ids})
    fetched = 0
    rows: Callable[..., dict[str, Row]] = index.store.rows

    def counted(collection: str, clip_ids: Sequence[str], *, units: bool = True) -> dict[str, Row]:
        nonlocal fetched
        fetched += len(clip_ids)
        return rows(collection, clip_ids, units=units)

    searcher = index.searcher()
    searcher.search("bell", k=10)  # takes the sample
    monkeypatch.setattr(index.store, "rows", counted)
    started = time.process_time()
    assert len(searcher.search("dog", k=10)) == 10
    assert time.process_time() - started < 2.0  # takes about 0.05 s
    assert fetched <= 50 + 24 * 7


def test_a_sound_track_alone_lifts_no_clip() -> None:
    """Few short clips, some with sound: being listed by a second lane must not beat showing what was asked for."""
    made = Index()
    made.add_channel("vision", AxesEncoder())
    made.add_channel("sound", AxesEncoder())
    for i, seen in enumerate(["dog", "dog", "dog", "beach", "beach", "cook", "cook", "night"]):
        made.add("vision", f"{seen}{i}", [seen], clip_s=1)
        if seen != "dog":
            made.add("sound", f"{seen}{i}", ["snow" if i % 2 else "boat"], clip_s=1)
    assert {m.video_id for m in made.searcher().search("dog", k=3)} == {"dog0", "dog1", "dog2"}
    assert {m.video_id for m in made.searcher().search("boat", k=2)} == {"beach4", "cook6"}
