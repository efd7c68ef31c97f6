"""The composition root: which parts come out of which settings, and what a fingerprint depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidembed.config.load import load_config
from vidembed.config.schema import ChannelSettings, Config
from vidembed.errors import BadQuery, ConfigError, UnknownModel
from vidembed.index.channels import ChannelFactory, LazyChannels, channel_spec, fingerprint, folder_mark
from vidembed.index.searching import QueryLoader
from vidembed.index.stores import open_store
from vidembed.index.stores.memory import MemoryStore
from vidembed.media.segmenting import make_segmenter
from vidembed.media.segmenting.segment import FixedWindows, Shots, WholeVideo
from vidembed.models import registry
from vidembed.models.encoders.pooled import PooledEncoder, WholeClipEncoder
from vidembed.models.encoders.words import WordClipEncoder
from vidembed.models.registry import ModelSpec
from vidembed.types import AudioSamples, Term


@pytest.fixture(autouse=True, scope="module")
def _words() -> None:
    registry.register(
        ModelSpec("test-words", "words", "vidembed.models.encoders.words:load", modalities=frozenset({"text"}))
    )


def config(*overrides: str) -> Config:
    return load_config("toy", overrides=list(overrides), environ={})


def given(**changes: Any) -> ChannelSettings:
    return ChannelSettings(**{"source": "frames", "model": "toy", **changes})


def mark(**changes: Any) -> str:
    settings = given(**changes)
    return fingerprint(settings, registry.find(settings.model))


def test_a_fingerprint_is_eight_hex_digits_and_stays_the_same() -> None:
    assert mark() == mark()
    assert len(mark()) == 8
    int(mark(), 16)


@pytest.mark.parametrize(
    "changes",
    [{"pool": "max"}, {"keep_segments": False}, {"short_side_px": 64}, {"options": {"x": 1}}, {"source": "av"},
     {"source_options": {"model": "small"}}],
)  # fmt: skip
def test_what_changes_vectors_changes_the_fingerprint(changes: dict[str, Any]) -> None:
    assert mark(**changes) != mark()


@pytest.mark.parametrize(
    "changes",
    [{"templates": ("a {}",)}, {"device": "cpu"}, {"dtype": "bfloat16"}, {"batch_size": 3}, {"engine": "openvino"},
     {"window_s": 3.0}],
)  # fmt: skip
def test_what_does_not_change_vectors_of_frames_does_not(changes: dict[str, Any]) -> None:
    assert mark(**changes) == mark()


def test_windows_count_for_sound_and_pooling_not_for_words() -> None:
    assert mark(source="audio", window_s=3.0) != mark(source="audio")
    assert mark(source="speech", model="test-words", pool="max") == mark(source="speech", model="test-words")


def test_new_weights_or_a_new_revision_change_the_fingerprint() -> None:
    plain = ModelSpec("m", "encoder", "a:b", revision="1", files={"w": "aa"})
    assert fingerprint(given(), plain) != fingerprint(given(), ModelSpec("m", "encoder", "a:b", revision="2"))
    other = ModelSpec("m", "encoder", "a:b", revision="1", files={"w": "bb"})
    assert fingerprint(given(), plain) != fingerprint(given(), other)


def test_a_local_model_is_marked_by_content_not_by_place(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_bytes(bytes(300_000))
    assert folder_mark(tmp_path / "one") == folder_mark(tmp_path / "two")
    weights = bytearray(300_000)
    weights[-1] = 1
    (tmp_path / "two" / "model.safetensors").write_bytes(weights)
    assert folder_mark(tmp_path / "one") != folder_mark(tmp_path / "two")


def channel_of(**changes: Any) -> Any:
    factory = ChannelFactory(config(), caption_of=lambda clip_id: None)
    return factory.load(channel_spec("x", given(**changes)))


def test_source_and_model_decide_the_clip_encoder() -> None:
    assert isinstance(channel_of(source="frames").encoder, PooledEncoder)
    assert isinstance(channel_of(source="audio").encoder, PooledEncoder)
    text = channel_of(source="captions").encoder
    assert isinstance(text, PooledEncoder)
    assert (text.source_modality, text.templates) == ("text", ("{}",))
    assert isinstance(channel_of(source="av").encoder, WholeClipEncoder)
    assert isinstance(channel_of(source="captions", model="test-words").encoder, WordClipEncoder)
    assert channel_of(source="frames").source.short_side_px == 256  # 224 x 8 / 7
    assert channel_of(source="frames", short_side_px=100).source.short_side_px == 100


def test_a_model_that_does_not_fit_its_source_is_said() -> None:
    with pytest.raises(ConfigError, match=r"channels.x: the source 'frames' gives image, the model 'test-words' un"):
        channel_of(model="test-words")
    with pytest.raises(UnknownModel, match="is called 'toyy'"):
        channel_of(model="toyy")


def test_channels_share_models_and_text_sources() -> None:
    factory = ChannelFactory(config(), caption_of=lambda clip_id: None)
    vision = factory.load(channel_spec("vision", given()))
    sound = factory.load(channel_spec("sound", given(source="audio")))
    assert vision.encoder.encoder is sound.encoder.encoder  # type: ignore[attr-defined]
    dense = factory.load(channel_spec("speech", given(source="speech")))
    exact = factory.load(channel_spec("speech_words", given(source="speech", model="test-words")))
    assert dense.source is exact.source
    assert dense.source.producer.startswith("speech:")  # type: ignore[attr-defined]


def test_wrong_source_options_are_a_config_error() -> None:
    with pytest.raises(ConfigError, match="channels.x.source_options"):
        channel_of(source="ocr", source_options={"colour": 1})


def test_lazy_channels_load_only_what_is_asked_for() -> None:
    loaded: list[str] = []
    factory = ChannelFactory(config(), caption_of=lambda clip_id: None)
    specs = {name: channel_spec(name, given()) for name in ("a", "b")}

    def load(wanted: Any) -> Any:
        loaded.append(wanted.name)
        return factory.load(wanted)

    channels = LazyChannels(specs, load)
    assert (list(channels), len(channels), "a" in channels, "c" in channels) == (["a", "b"], 2, True, False)
    assert loaded == []
    assert channels["b"] is channels["b"]
    assert set(loaded) == {"b"}
    with pytest.raises(KeyError):
        channels["c"]


@pytest.mark.parametrize(("kind", "made"), [("windows", FixedWindows), ("shots", Shots), ("whole", WholeVideo)])
def test_every_segmenter_can_be_had(kind: str, made: type) -> None:
    assert isinstance(make_segmenter(config(f"segment.kind={kind}").segment), made)


def test_stores_by_kind() -> None:
    assert isinstance(open_store(config("store.kind=memory").store), MemoryStore)
    with_key = config("store.kind=server", "store.url=http://localhost:1", "store.api_key_env=NO_SUCH_KEY").store
    with pytest.raises(ConfigError, match="names NO_SUCH_KEY, which is not set"):
        open_store(with_key)


class TestQueries:
    load = QueryLoader(load_config("toy", environ={}))

    def test_pictures_may_be_arrays_or_pil_images_or_files(self, tmp_path: Path) -> None:
        import PIL.Image

        red = np.zeros((4, 6, 3), np.uint8)
        red[..., 0] = 255
        PIL.Image.fromarray(red).save(tmp_path / "red.png")
        for value in (red, PIL.Image.fromarray(red), tmp_path / "red.png", str(tmp_path / "red.png")):
            assert np.array_equal(self.load(Term("image", value)), red)

    @pytest.mark.parametrize("value", [3, None, np.zeros((4, 6), np.uint8), np.zeros((0, 6, 3), np.uint8)])
    def test_what_is_no_picture_is_a_bad_query(self, value: Any) -> None:
        with pytest.raises(BadQuery):
            self.load(Term("image", value))

    def test_sounds_and_videos_are_opened(self, media: Any) -> None:
        sound = self.load(Term("audio", media.path("tone.mp4")))
        assert isinstance(sound, AudioSamples)
        assert sound.duration_s == pytest.approx(3.0, abs=0.05)
        video: Any = self.load(Term("video", media.path("tone.mp4")))
        assert video.frames.times_s.tolist() == [0.0, 1.0, 2.0], "one frame a colour: the others repeat it"
        assert video.audio.duration_s == pytest.approx(3.0, abs=0.05)
        assert self.load(Term("video", media.path("audio_only.m4a"))).frames is None  # type: ignore[union-attr]
        with pytest.raises(BadQuery, match="has no sound to search with"):
            self.load(Term("audio", media.path("three_shots.mp4")))
