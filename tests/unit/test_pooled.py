"""Clip encoders over the toy space: what is pooled, where the segments are, and that no clip suffers for another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vidembed.errors import BadQuery, ConfigError
from vidembed.models.encoders.pooled import PooledEncoder, WholeClipEncoder
from vidembed.models.encoders.segments import AudioWindows
from vidembed.models.toy_space import NAMES, ToyEncoder
from vidembed.protocols import Encoded
from vidembed.types import (
    AudioSamples,
    AudioVisual,
    Clip,
    Failure,
    Floats,
    FrameBatch,
    Item,
    Modality,
    Space,
    Span,
    TextLine,
    TimedText,
)

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)
RATE_HZ = 8000


def clips(n: int) -> list[Clip]:
    return [Clip.make("v" * 32, i, Span(i * 4.0, i * 4.0 + 4)) for i in range(n)]


def frames(*colours: tuple[int, int, int], start_s: float = 0.0) -> FrameBatch:
    rgb = np.stack([np.full((6, 8, 3), colour, np.uint8) for colour in colours])
    return FrameBatch(rgb, start_s + np.arange(len(colours), dtype=np.float64))


def tone(hz: float, seconds: float = 1.0, start_s: float = 0.0) -> AudioSamples:
    time_s = np.arange(int(RATE_HZ * seconds)) / RATE_HZ
    return AudioSamples((0.5 * np.sin(2 * np.pi * hz * time_s)).astype(np.float32), RATE_HZ, start_s)


def joined(*sounds: AudioSamples) -> AudioSamples:
    return AudioSamples(np.concatenate([s.samples for s in sounds]), RATE_HZ, sounds[0].start_s)


SILENCE = AudioSamples(np.zeros(RATE_HZ, np.float32), RATE_HZ)


def text(*lines: str) -> TimedText:
    return TimedText(tuple(TextLine(Span(i * 2.0, i * 2.0 + 1), line) for i, line in enumerate(lines)))


def named(vector: Floats) -> dict[str, float]:
    """The dimensions above zero, by name, to three digits."""
    return {name: round(float(v), 3) for name, v in zip(NAMES, vector, strict=True) if v > 0.01}


def encoded(answer: Encoded | Failure | None) -> Encoded:
    assert isinstance(answer, Encoded), answer
    return answer


class Recorder(ToyEncoder):
    """The toy encoder, with the sizes of its batches; breaks on pure green and runs out of memory above `fits`."""

    def __init__(self, fits: int = 1000) -> None:
        self.batches: list[int] = []
        self.fits = fits

    def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
        self.batches.append(len(items))
        if len(items) > self.fits:
            raise MemoryError("too many")
        if modality == "image" and any(tuple(i[0, 0]) == GREEN for i in items):  # type: ignore[index]
            raise RuntimeError("green breaks it")
        return super().encode(modality, items)


def test_mean_pools_frames_and_keeps_them_with_their_times() -> None:
    [answer] = PooledEncoder(ToyEncoder(), "image").encode_clips([frames(RED, RED, BLUE, start_s=5)], clips(1))
    # mean (2/3, 1/3) has length sqrt(5)/3
    assert named(encoded(answer).vector) == {"red": 0.894, "blue": 0.447}
    assert answer.segments.dtype == np.float16
    assert [named(u) for u in answer.segments.astype(np.float32)] == [{"red": 1}, {"red": 1}, {"blue": 1}]
    assert answer.segment_times_s.tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("max", {"red": 0.707, "blue": 0.707}),
        ("topk", {"red": 1.0}),  # the four nearest to the centre are the red ones
        ("attention", {"red": 1.0}),  # agreement .970 against .243: blue weighs exp(-7.3), 0.0001 of the sum
    ],
)
def test_each_pooling(how: str, expected: dict[str, float]) -> None:
    encoder = PooledEncoder(ToyEncoder(), "image", pool=how)  # type: ignore[arg-type]
    [answer] = encoder.encode_clips([frames(RED, RED, RED, RED, BLUE)], clips(1))
    assert named(encoded(answer).vector) == expected


def test_units_are_left_out_on_request() -> None:
    [answer] = PooledEncoder(ToyEncoder(), "image", keep_segments=False).encode_clips([frames(RED)], clips(1))
    assert encoded(answer).segments is None
    assert encoded(answer).segment_times_s is None


def test_batches_are_full_across_clips() -> None:
    encoder = Recorder()
    items = [frames(RED, BLUE, RED), None, frames(BLUE), frames(RED, BLUE, RED, BLUE)]
    answers = PooledEncoder(encoder, "image", batch_size=4).encode_clips(items, clips(4))
    assert encoder.batches == [4, 4]
    assert answers[1] is None
    assert [named(encoded(a).vector) for a in (answers[0], answers[2], answers[3])] == [
        {"red": 0.894, "blue": 0.447},
        {"blue": 1},
        {"red": 0.707, "blue": 0.707},
    ]


def test_what_equals_the_frame_before_it_is_encoded_once() -> None:
    encoder = Recorder()
    items = [frames(RED, RED, BLUE), frames(BLUE, BLUE, GREEN, GREEN), frames(RED, start_s=9.0)]
    first, broken, last = PooledEncoder(encoder, "image", batch_size=1).encode_clips(items, clips(3))
    assert encoder.batches == [1, 1, 1, 1], "red, blue, green (which fails), red"
    assert named(encoded(first).vector) == {"red": 0.894, "blue": 0.447}
    segments, times_s = encoded(first).segments, encoded(first).segment_times_s
    assert segments is not None
    assert times_s is not None
    assert [named(row) for row in segments.astype(np.float32)] == [{"red": 1}, {"red": 1}, {"blue": 1}]
    assert times_s.tolist() == [0.0, 1.0, 2.0]
    assert isinstance(broken, Failure)
    assert broken.item == clips(3)[1].clip_id
    assert named(encoded(last).vector) == {"red": 1}


def test_a_failure_names_the_clip_of_each_frame_that_shares_it() -> None:
    answers = PooledEncoder(Recorder(), "image").encode_clips([frames(GREEN), frames(GREEN)], clips(2))
    assert [answer.item for answer in answers if isinstance(answer, Failure)] == [c.clip_id for c in clips(2)]


def test_a_bad_frame_fails_its_own_clip_only() -> None:
    items = [frames(RED), frames(BLUE, GREEN), frames(BLUE)]
    good, bad, last = PooledEncoder(Recorder(), "image", stage="encode:vision").encode_clips(items, clips(3))
    assert isinstance(bad, Failure)
    assert (bad.item, bad.stage, bad.kind, bad.message) == (
        clips(3)[1].clip_id,
        "encode:vision",
        "RuntimeError",
        "green breaks it",
    )
    assert named(encoded(good).vector) == {"red": 1}
    assert named(encoded(last).vector) == {"blue": 1}


def test_out_of_memory_halves_this_batch_and_the_later_ones() -> None:
    encoder = Recorder(fits=3)
    pooled = PooledEncoder(encoder, "image", batch_size=8)
    [answer] = pooled.encode_clips([frames(*[RED, BLUE] * 4)], clips(1))
    assert named(encoded(answer).vector) == {"red": 0.707, "blue": 0.707}
    assert pooled.batch_size == 2
    encoder.batches.clear()
    pooled.encode_clips([frames(*[RED, BLUE] * 2)], clips(1))
    assert encoder.batches == [2, 2]


def test_a_row_that_is_no_unit_vector_fails_the_clip() -> None:
    class Nan(ToyEncoder):
        def encode(self, modality: Modality, items: Sequence[Item]) -> Floats:
            return super().encode(modality, items) * np.float32("nan")

    [answer] = PooledEncoder(Nan(), "image").encode_clips([frames(RED)], clips(1))
    assert isinstance(answer, Failure)
    assert answer.kind == "EncodingError"


def test_windows_of_sound_hop_and_end_with_it() -> None:
    sound = joined(tone(200, 1, start_s=10), tone(1000, 1), tone(3000, 0.5))
    encoder = PooledEncoder(ToyEncoder(), "audio", windows=AudioWindows(1.0))
    [answer] = encoder.encode_clips([sound], clips(1))
    # windows 10-11, 11-12 and, moved back to end with the sound, 11.5-12.5: half middle, half high energy
    assert encoded(answer).segment_times_s.tolist() == [10.5, 11.5, 12.0]
    assert [named(u) for u in answer.segments.astype(np.float32)] == [
        {"low": 1.0},
        {"middle": 1.0},
        {"middle": 0.707, "high": 0.707},
    ]


@pytest.mark.parametrize(
    ("seconds", "window_s", "hop_s", "middles_s"),
    [
        (4.0, 1.0, None, [0.5, 1.5, 2.5, 3.5]),
        (2.0, 1.0, 0.5, [0.5, 1.0, 1.5]),
        (0.5, 1.0, None, [0.25]),
        (3.0, None, None, [1.5]),
        (1.25, 1.0, None, [0.5, 0.75]),
    ],
)
def test_window_middles(seconds: float, window_s: float | None, hop_s: float | None, middles_s: list[float]) -> None:
    segments, times_s, _ = AudioWindows(window_s, hop_s).cut(tone(440, seconds))
    assert times_s == pytest.approx(middles_s)
    assert sum(u.duration_s for u in segments) >= seconds - 1e-9  # type: ignore[union-attr]


def test_silent_windows_are_dropped_and_a_silent_clip_is_absent() -> None:
    encoder = PooledEncoder(ToyEncoder(), "audio", windows=AudioWindows(1.0))
    loud, silent = encoder.encode_clips([joined(SILENCE, tone(200)), SILENCE], clips(2))
    assert encoded(loud).segment_times_s.tolist() == [1.5]
    assert encoded(loud).segment_spans_s.tolist() == [[1.0, 2.0]], "not the silent second before it"
    assert silent is None


def test_a_frame_stands_until_the_next_one_at_the_border_given_or_half_way() -> None:
    encoder = PooledEncoder(ToyEncoder(), "image")
    batch = frames(RED, RED, BLUE, start_s=5.0)
    given = FrameBatch(batch.rgb, batch.times_s, np.array([5.9, 7.0]))
    clip = Clip.make("v", 0, Span(4.0, 8.0))
    half_way, told = encoder.encode_clips([batch, given], [clip, clip])
    assert encoded(half_way).segment_spans_s.tolist() == [[4.0, 5.5], [5.5, 6.5], [6.5, 8.0]]
    assert encoded(told).segment_spans_s.tolist() == [[4.0, 5.9], [5.9, 7.0], [7.0, 8.0]]


def test_lines_of_text_are_segments() -> None:
    encoder = PooledEncoder(ToyEncoder(), "text")
    [answer] = encoder.encode_clips([text("a red car", " ", "blue sky")], clips(1))
    assert named(encoded(answer).vector) == {"red": 0.707, "blue": 0.707}
    assert answer.segment_times_s.tolist() == [0.5, 4.5]


def test_an_audio_visual_item_is_taken_apart() -> None:
    item = AudioVisual(frames(RED), tone(200))
    [seen] = PooledEncoder(ToyEncoder(), "image").encode_clips([item], clips(1))
    [heard] = PooledEncoder(ToyEncoder(), "audio").encode_clips([item], clips(1))
    [absent] = PooledEncoder(ToyEncoder(), "audio").encode_clips([AudioVisual(frames(RED), None)], clips(1))
    assert named(encoded(seen).vector) == {"red": 1}
    assert named(encoded(heard).vector) == {"low": 1}
    assert absent is None


def test_native_encoder_gives_one_vector_and_no_units() -> None:
    item = AudioVisual(frames(RED, RED), tone(200))
    whole, nothing, sound = WholeClipEncoder(ToyEncoder()).encode_clips([item, None, tone(3000)], clips(3))
    assert named(encoded(whole).vector) == {"red": 0.707, "low": 0.707}
    assert encoded(whole).segments is None
    assert nothing is None
    assert named(encoded(sound).vector) == {"high": 1}


def test_rows_that_an_encoder_keeps_are_not_made() -> None:
    class Keeping(ToyEncoder):
        def kept_rows(self, texts: Sequence[str]) -> Floats | None:
            return np.eye(self.space.dim, dtype=np.float32)[3:4] if list(texts) == ["a photo of red"] else None

    keeping = PooledEncoder(Keeping(), "image", templates=["a photo of {}"])
    plain = PooledEncoder(ToyEncoder(), "image", templates=["a photo of {}"])
    kept = keeping.encode_queries("text", ["red"])
    assert kept is not None
    assert kept.argmax(1).tolist() == [3]
    assert np.array_equal(keeping.encode_queries("text", ["blue"]), plain.encode_queries("text", ["blue"]))


def test_templates_are_averaged() -> None:
    encoder = PooledEncoder(ToyEncoder(), "image", templates=("{}", "{} on white", "{} on white"))
    # mean of (1, 0) and twice (1, 1)/sqrt(2): (2.414, 1.414) / 2.798
    assert named(encoder.encode_query("text", " red ")) == {"red": 0.863, "white": 0.505}  # type: ignore[arg-type]


def test_queries_of_each_modality() -> None:
    vision = PooledEncoder(ToyEncoder(), "image")
    sound = PooledEncoder(ToyEncoder(), "audio", windows=AudioWindows(1.0))
    video = AudioVisual(frames(RED, BLUE), joined(tone(200), tone(3000)))
    red = np.full((4, 4, 3), RED, np.uint8)
    assert named(vision.encode_query("image", red)) == {"red": 1}  # type: ignore[arg-type]
    assert named(vision.encode_query("video", video)) == {"red": 0.707, "blue": 0.707}  # type: ignore[arg-type]
    assert named(sound.encode_query("video", video)) == {"low": 0.707, "high": 0.707}  # type: ignore[arg-type]
    assert named(sound.encode_query("audio", tone(200))) == {"low": 1}  # type: ignore[arg-type]
    assert sound.encode_query("video", AudioVisual(frames(RED), None)) is None
    assert named(WholeClipEncoder(ToyEncoder()).encode_query("image", red)) == {"red": 1}  # type: ignore[arg-type]


class Pictures(ToyEncoder):
    """Understands pictures and text only."""

    modalities = frozenset({"text", "image"})  # type: ignore[assignment]


class Videos(ToyEncoder):
    space = Space("toy", len(NAMES))
    modalities = frozenset({"text", "video"})  # type: ignore[assignment]


def test_queries_that_are_not_understood_are_none() -> None:
    assert PooledEncoder(Pictures(), "image").encode_query("audio", tone(200)) is None
    assert PooledEncoder(ToyEncoder(), "text").encode_query("video", AudioVisual(frames(RED), None)) is None
    assert WholeClipEncoder(Videos()).encode_query("audio", tone(200)) is None


def test_a_video_tower_takes_a_picture_as_a_video_of_one_frame() -> None:
    red = np.full((4, 4, 3), RED, np.uint8)
    assert named(WholeClipEncoder(Videos()).encode_query("image", red)) == {"red": 1}  # type: ignore[arg-type]


def test_bad_queries_say_so() -> None:
    with pytest.raises(BadQuery, match="empty"):
        PooledEncoder(ToyEncoder(), "image").encode_query("text", "  ")
    with pytest.raises(BadQuery, match="query is silent"):
        PooledEncoder(ToyEncoder(), "audio").encode_query("audio", SILENCE)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="not 'audio'"):
        PooledEncoder(Pictures(), "audio")
    with pytest.raises(ConfigError, match="allowed: mean, max"):
        PooledEncoder(ToyEncoder(), "image", pool="median")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="batch_size"):
        PooledEncoder(ToyEncoder(), "image", batch_size=0)
    with pytest.raises(ConfigError, match="hop_s"):
        PooledEncoder(ToyEncoder(), "audio", windows=AudioWindows(1, 2))
    with pytest.raises(ConfigError, match="templates"):
        PooledEncoder(ToyEncoder(), "image", templates=("no place",))
    with pytest.raises(ConfigError, match="not 'video'"):
        WholeClipEncoder(Pictures())
    with pytest.raises(ValueError, match="one clip per item"):
        PooledEncoder(ToyEncoder(), "image").encode_clips([frames(RED)], [])
