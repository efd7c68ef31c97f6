"""Vision-language captioners on tiny random models, loaded as real ones are: video in, only the answer out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import tiny_models_vlm
import torch
from PIL import Image

from vidembed.errors import ConfigError, MissingDependency, NoSuchStream, UnknownModel, WeightsMissing
from vidembed.models import registry
from vidembed.models.captioners._inputs import AnswerStyle, ChatInputs, ClipInput, read_clip
from vidembed.models.captioners.vlm import SeededNucleus, VlmCaptioner, uniform_draws
from vidembed.protocols import ClipMedia, VideoReader
from vidembed.types import AudioSamples, Clip, FrameBatch, Span, VideoInfo

FAMILIES = list(tiny_models_vlm.BUILDERS)
N, TOKENS = 4, 12


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def of(family: str) -> Path:
        if family not in made:
            made[family] = tiny_models_vlm.BUILDERS[family](tmp_path_factory.mktemp(family))
        return made[family]

    return of


def captioner(at: Path, **options: Any) -> VlmCaptioner:
    return cast(VlmCaptioner, registry.load_captioner(str(at), device="cpu", **{"max_tokens": TOKENS, **options}))


def clip(number: int, frames: int, size: tuple[int, int] = (40, 56)) -> ClipMedia:
    rgb = np.random.default_rng(number).integers(0, 255, (frames, *size, 3)).astype(np.uint8)
    info = VideoInfo("a" * 32, Path("v.mp4"), 1, 1, 9.0, size[1], size[0], Fraction(25), None, None)
    made = Clip.make(info.video_id, number, Span(float(number), number + 2.0))
    times_s = number + np.linspace(0, 1.9, frames)
    return ClipMedia(made, info, FrameBatch(rgb, times_s), cast(VideoReader, None))


CLIPS = [clip(0, 1), clip(1, 5, (56, 40)), clip(2, 11)]


@pytest.mark.parametrize("family", FAMILIES)
def test_mixed_lengths_together_give_what_each_gives_alone(family: str, folder: Callable[[str], Path]) -> None:
    speaks = captioner(folder(family))
    state = torch.random.get_rng_state()
    together = speaks.candidates(CLIPS, n=N, seed=3)
    assert together == speaks.candidates(CLIPS, n=N, seed=3)
    assert together == [speaks.candidates([one], n=N, seed=3)[0] for one in CLIPS]
    assert together == list(reversed(speaks.candidates(CLIPS[::-1], n=N, seed=3)))
    other = speaks.candidates(CLIPS, n=N, seed=4)
    assert [texts[0] for texts in other] == [texts[0] for texts in together]  # no chance in the first
    assert all(set(a[1:]) != set(b[1:]) for a, b in zip(together, other, strict=True))
    for texts in together:
        assert 2 <= len(texts) <= N
        assert len(set(texts)) == len(texts)
    assert torch.equal(state, torch.random.get_rng_state())  # nobody else's random numbers are touched


@pytest.mark.parametrize("family", ["smolvlm", "qwen3_vl", "qwen3_5"])
def test_the_first_candidate_is_transformers_own_greedy_answer(family: str, folder: Callable[[str], Path]) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(folder(family)).eval()
    processor = AutoProcessor.from_pretrained(folder(family))
    inputs = ChatInputs(processor).batch([read_clip(CLIPS[1], frames=8, rate_hz=None)], None, AnswerStyle()).inputs
    tokens = model.generate(**inputs, do_sample=False, max_new_tokens=TOKENS)[0, inputs["input_ids"].shape[1] :]
    expected = processor.tokenizer.decode(tokens, skip_special_tokens=True).strip()
    found = captioner(folder(family)).candidates([CLIPS[1]], n=1)[0][0]
    assert expected.startswith(found)  # cut at its last sentence end where it ran into the limit
    assert found


@pytest.mark.parametrize("family", ["smolvlm", "qwen3_vl", "qwen3_5"])
def test_chat_models_write_in_words_alone(family: str, folder: Callable[[str], Path]) -> None:
    speaks = captioner(folder(family))
    assert speaks.can_write
    answer = speaks.write("Describe this video in one sentence")
    assert answer == speaks.write("Describe this video in one sentence", seed=5)  # greedy
    assert answer
    assert answer != speaks.write("Answer in German seconds")


@pytest.mark.parametrize("family", ["smolvlm", "qwen3_vl", "qwen3_5"])
def test_chat_models_answer_about_pictures_in_their_order(family: str, folder: Callable[[str], Path]) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    speaks = captioner(folder(family))
    red, noise = np.full((40, 56, 3), (255, 0, 0), np.uint8), clip(7, 1).frames.rgb[0]  # type: ignore[union-attr]
    pictures = [("Evidence [1] shows:", red), ("Evidence [2] shows:", noise)]
    answer = "".join(speaks.stream("Describe this video in one sentence", pictures=pictures))
    # As transformers has it, by hand.
    model = AutoModelForImageTextToText.from_pretrained(folder(family)).eval()
    processor = AutoProcessor.from_pretrained(folder(family))
    content: list[dict[str, Any]] = [{"type": "text", "text": "Describe this video in one sentence"}]
    for words, rgb in pictures:
        content += [{"type": "text", "text": words}, {"type": "image", "image": Image.fromarray(rgb)}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True,
        return_tensors="pt",
    )  # fmt: skip
    tokens = model.generate(**inputs, do_sample=False, max_new_tokens=400)[0, inputs["input_ids"].shape[1] :]
    assert answer == processor.tokenizer.decode(tokens, skip_special_tokens=True)
    assert answer != "".join(speaks.stream("Describe this video in one sentence", pictures=pictures[::-1]))


def test_blip_cannot_write(folder: Callable[[str], Path]) -> None:
    speaks = captioner(folder("blip"))
    assert not speaks.can_write
    with pytest.raises(ConfigError, match="only describes pictures"):
        speaks.write("Title?")


def test_blip_goes_on_from_the_prompt_and_looks_at_three_frames(folder: Callable[[str], Path]) -> None:
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    at = folder("blip")
    model = AutoModelForImageTextToText.from_pretrained(at).eval()
    processor = AutoProcessor.from_pretrained(at)
    assert CLIPS[2].frames is not None
    expected = []
    for place in (1, 5, 9):  # the middles of three equal parts of eleven frames
        inputs = processor(images=Image.fromarray(CLIPS[2].frames.rgb[place]), return_tensors="pt")
        expected.append(processor.decode(model.generate(**inputs, max_new_tokens=TOKENS)[0], skip_special_tokens=True))
    speaks = captioner(at, frames=11)
    assert speaks.candidates([CLIPS[2]], n=3)[0] == list(dict.fromkeys(expected))
    assert all(text.startswith("a photo of") for text in speaks.candidates(CLIPS, n=2, prompt="a photo of")[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_beams(family: str, folder: Callable[[str], Path]) -> None:
    speaks = captioner(folder(family), beams=4)
    assert speaks.candidates(CLIPS, n=3, seed=1) == speaks.candidates(CLIPS, n=3, seed=2)


def test_frames_go_in_as_video_with_their_own_times(
    folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames at 0, 0.475, 0.95, 1.425 and 1.9 s of the clip (which starts at 1 s): pairs, by the middle of each."""
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(folder("qwen3_vl"))
    said: list[str] = []
    tell = type(processor.tokenizer).__call__

    def spy(self: Any, text: Any, *args: Any, **settings: Any) -> Any:
        said.extend(text)
        return tell(self, text, *args, **settings)

    monkeypatch.setattr(type(processor.tokenizer), "__call__", spy)
    seen = read_clip(CLIPS[1], frames=8, rate_hz=None)
    inputs = ChatInputs(processor).batch([seen], None, AnswerStyle(language="German")).inputs
    assert "pixel_values_videos" in inputs
    assert [part.split(" seconds>")[0] for part in said[-1].split("<") if " seconds>" in part] == ["0.2", "1.2", "1.9"]
    assert "in this video clip. Answer in German." in said[-1]


def test_pads_are_on_the_left(folder: Callable[[str], Path]) -> None:
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(folder("smolvlm"))
    seen = [read_clip(one, frames=8, rate_hz=None) for one in CLIPS]
    mask = ChatInputs(processor).batch(seen, None, AnswerStyle()).inputs["attention_mask"]
    assert mask[:, -1].tolist() == [1, 1, 1]
    assert mask[0, 0] == 0


class Sounding:
    """A reader that only has a tone."""

    def audio(self, span: Span, *, rate_hz: int) -> AudioSamples:
        time_s = np.arange(round((span.end_s - span.start_s) * rate_hz)) / rate_hz
        return AudioSamples(np.sin(time_s * 2764).astype(np.float32), rate_hz, span.start_s)


def sounding(number: int, frames: int, end_s: float = 2.0) -> ClipMedia:
    one = clip(number, max(frames, 1))
    info = VideoInfo("a" * 32, Path("v.mp4"), 1, 1, 90.0, 56, 40, Fraction(25), 16_000, 1)
    made = Clip.make(info.video_id, number, Span(number, number + end_s))
    return ClipMedia(made, info, one.frames if frames else None, cast(VideoReader, Sounding()))


@pytest.mark.parametrize("family", ["gemma3n", "gemma4"])
def test_gemmas_processors_are_given_sound_beside_pictures(family: str) -> None:
    """The real processors (their models have no tiny form): Gemma 3n takes pictures, Gemma 4 video, both take sound."""
    builder = ChatInputs(tiny_models_vlm.gemma_processor(family))
    assert builder.rate_hz == 16_000
    seen = [read_clip(sounding(i, frames=2), frames=4, rate_hz=builder.rate_hz) for i in range(2)]
    inputs = builder.batch(seen, None, AnswerStyle()).inputs
    assert len(inputs["input_features"]) == 2
    assert ("pixel_values_videos" in inputs) == (family == "gemma4")
    if family == "gemma3n":
        assert len(inputs["pixel_values"]) == 4
    assert ChatInputs(tiny_models_vlm.gemma_processor(family), sound=False).rate_hz is None


def test_a_long_clip_is_heard_in_its_middle() -> None:
    sound = read_clip(sounding(0, frames=1, end_s=50.0), frames=1, rate_hz=8000).sound
    assert sound is not None
    assert (sound.start_s, sound.duration_s) == (10.0, 30.0)


def test_a_clip_with_neither_picture_nor_ear_for_its_sound_is_refused() -> None:
    with pytest.raises(NoSuchStream, match="needs pictures"):
        read_clip(sounding(0, frames=0), frames=4, rate_hz=None)
    assert read_clip(sounding(0, frames=0), frames=4, rate_hz=16_000).frames is None


def test_draws_follow_their_numbers() -> None:
    """Shares 0.6, 0.3, 0.1: a nucleus of 0.8 keeps two words, and 0.6 / 0.9 of the numbers fall on the first."""
    scores = torch.log(torch.tensor([[0.1, 0.6, 0.3]] * 4))
    numbers = np.array([[0.0], [0.66], [0.67], [0.999]], np.float32)
    left = SeededNucleus(numbers, temperature=1.0, top_p=0.8)(torch.zeros(4, 5, dtype=torch.long), scores)
    assert left.argmax(dim=1).tolist() == [1, 1, 2, 2]
    assert (left > -torch.inf).sum(dim=1).tolist() == [1, 1, 1, 1]
    cold = SeededNucleus(numbers, temperature=0.01, top_p=1.0)(torch.zeros(4, 5, dtype=torch.long), scores)
    assert cold.argmax(dim=1).tolist() == [1, 1, 1, 1]


def test_draws_are_the_clips_own() -> None:
    both = uniform_draws([[1, 7], [1, 8]], 3, 5)
    assert both.shape == (6, 5)
    np.testing.assert_array_equal(both[3:], uniform_draws([[1, 8]], 3, 5))
    assert not both[[0, 3]].any()
    assert len(np.unique(both)) == 1 + 4 * 5


def test_an_answer_cut_by_the_limit_ends_with_its_last_sentence(folder: Callable[[str], Path]) -> None:
    speaks = captioner(folder("qwen3_vl"), max_tokens=6)
    tokenizer = speaks._processor.tokenizer
    limit = torch.tensor(tokenizer("a dog runs . a car").input_ids)
    assert len(limit) == 6
    assert speaks._answer(limit) == "a dog runs ."
    ended = torch.tensor([*tokenizer("a dog runs . cat").input_ids, tokenizer.eos_token_id])
    assert speaks._answer(ended) == "a dog runs . cat"


def test_requests() -> None:
    assert AnswerStyle().request("Who is there?", shown="video", heard=False) == "Who is there?"
    text = AnswerStyle("French", "like a headline", 9).request(None, shown="pictures", heard=True)
    assert text == (
        "These are frames of one short video clip in order. Describe in one plain sentence what is seen and heard. "
        "Use at most 9 words. Style: like a headline. Answer in French."
    )
    assert "heard" in AnswerStyle().request(None, shown="nothing", heard=True)


@pytest.mark.parametrize(
    "options", [{"frames": 0}, {"max_tokens": 0}, {"temperature": 0}, {"top_p": 1.5}, {"max_words": 0}, {"colour": 1}]
)
def test_bad_options(options: dict[str, Any], folder: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        captioner(folder("blip"), **options)


@pytest.mark.parametrize(
    ("without", "message"),
    [
        ("tokenizer.json", "tokenizer.json"),
        ("model.safetensors", "do not load"),
        ("config.json", "config.json"),
    ],
)
def test_what_is_missing_is_never_made_up(
    without: str, message: str, folder: Callable[[str], Path], tmp_path: Path
) -> None:
    at = tmp_path / "model"
    shutil.copytree(folder("qwen3_vl"), at)
    (at / without).unlink()
    with pytest.raises(WeightsMissing, match=message):
        captioner(at)


def test_a_missing_weight_is_named(folder: Callable[[str], Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    at = tmp_path / "model"
    shutil.copytree(folder("blip"), at)
    state = load_file(at / "model.safetensors")
    gone = next(name for name in state if "crossattention" in name)
    state.pop(gone)
    save_file(state, at / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsMissing, match="crossattention"):
        captioner(at)


def test_a_package_that_a_processor_needs_is_named(
    folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.smolvlm import processing_smolvlm

    monkeypatch.setattr(processing_smolvlm, "num2words", None)
    with pytest.raises(MissingDependency, match="num2words") as caught:
        captioner(folder("smolvlm"))
    assert "vidembed[caption]" in caught.value.hint


def test_names_lead_to_the_adapter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert registry.find("smolvlm2-256m", "captioner").repo == "HuggingFaceTB/SmolVLM2-256M-Video-Instruct"
    assert registry.find("hf:Qwen/Qwen3-VL-2B-Instruct", "captioner").name == "qwen3-vl-2b"
    assert registry.find("hf:some/model", "captioner").factory == "vidembed.models.captioners.vlm:load"
    with pytest.raises(UnknownModel, match="no captioner is called 'smolvlm3'"):
        registry.find("smolvlm3", "captioner")
    with pytest.raises(WeightsMissing, match="smolvlm2-256m"):
        registry.load_captioner("smolvlm2-256m", device="cpu", offline=True, weights_dir=tmp_path)
    open_weights = [s for s in registry.specs("captioner") if s.factory.endswith("vlm:load")]
    assert {s.name for s in open_weights if not s.commercial} == {"gemma-3n-e2b"}


def test_models_without_chat_or_known_prompt_say_so(folder: Callable[[str], Path]) -> None:
    from vidembed.models.captioners._inputs import PictureInputs

    with pytest.raises(ConfigError, match="need a prompt"):
        PictureInputs(None, "paligemma").batch(cast("list[ClipInput]", []), None, AnswerStyle())
