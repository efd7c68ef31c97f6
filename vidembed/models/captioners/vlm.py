"""Vision-language models of transformers through one adapter: SmolVLM2, Qwen3-VL, Gemma 3n and 4, BLIP and others.

Any model that AutoModelForImageTextToText and AutoProcessor load is taken: by record, as "hf:org/name" or as a folder.
Code from a repository is never run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor

from vidembed.errors import ConfigError, MissingDependency, NoSuchStream, WeightsMissing
from vidembed.models import weights
from vidembed.models.captioners import spoken
from vidembed.models.captioners._inputs import (
    AnswerStyle,
    ChatInputs,
    ClipInput,
    InputBuilder,
    PictureInputs,
    read_clip,
)
from vidembed.models.captioners._streaming import streamed
from vidembed.models.encoders._torch import VOCABULARIES, load_transformers, place, running, settle
from vidembed.models.spec import read_options
from vidembed.protocols import ClipMedia
from vidembed.types import Floats, Span

if TYPE_CHECKING:
    from vidembed.models.spec import ModelSpec

SENTENCE_ENDS = ".!?。！？।"
WRITTEN_TOKENS = 400  # of a summary
# The wording of TimeLens2's model card, which it was trained with; other models follow it as they can.
GROUNDING = (
    'Given the query: "{}", return ALL time spans (in seconds) where the query is relevant.\n'
    "Output format MUST be a JSON array of [start, end] pairs.\n"
)
GROUNDING_TOKENS = 256
_PAIR = re.compile(r"\[\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*\]")
YES, NO = ("Yes", "yes", " Yes", " yes"), ("No", "no", " No", " no")  # tokenizers tell these apart


@dataclass(frozen=True)
class VlmOptions(AnswerStyle):
    """The captioner's `caption.options`.

    When sampling, the first candidate is the greedy one and the others are drawn at `temperature` from the likeliest
    words that together reach `top_p`.

    Attributes:
        frames: At most so many of a clip, evenly spaced.
        sound: Give the model the clip's sound where it takes sound.
        max_tokens: Of one answer.
        temperature: Divides the scores before sampling.
        top_p: Share of the probability that sampling draws from.
        beams: 0 samples; else beam search of at least so many beams.
    """

    frames: int = 8
    sound: bool = True
    max_tokens: int = 64
    temperature: float = 0.8
    top_p: float = 0.9
    beams: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames < 1:
            raise ConfigError(f"caption.options.frames must be at least 1, got {self.frames}")
        if self.max_tokens < 1 or self.beams < 0:
            raise ConfigError(f"caption.options: max_tokens >= 1 and beams >= 0, got {self.max_tokens}, {self.beams}")
        if not (self.temperature > 0 and 0 < self.top_p <= 1):
            raise ConfigError(
                f"caption.options: temperature > 0 and 0 < top_p <= 1, got {self.temperature}, {self.top_p}"
            )


class VlmCaptioner:
    """Candidates from a vision-language model. Implements `protocols.Captioner`.

    A clip's texts depend on its media, its id and the seed; the rest of its batch changes only the rounding.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        processor: Any,
        inputs: InputBuilder,
        *,
        device: torch.device,
        options: VlmOptions | None = None,
    ) -> None:
        self.name, self.options = name, options or VlmOptions()
        self._model, self._processor, self._inputs, self._device = model, processor, inputs, device
        self._dtype = next(model.parameters()).dtype

    def candidates(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str]]:
        """Up to n different texts a clip, the likeliest first.

        Raises NoSuchStream for a clip without frames and sound that it takes, MemoryError when the batch does not fit.
        """
        read = [self._read(media) for media in clips]
        seeds = [[seed % 2**32, int(media.clip.clip_id.replace("-", ""), 16)] for media in clips]
        # Rows of one batch have the same kinds of media: processors take flat lists of sounds, one for every row.
        groups: dict[tuple[bool, bool], list[int]] = {}
        for i, one in enumerate(read):
            groups.setdefault((one.frames is not None, one.sound is not None), []).append(i)
        answers: dict[int, list[str]] = {}
        for places in groups.values():
            texts = self._describe([read[i] for i in places], [seeds[i] for i in places], n, prompt)
            answers.update(zip(places, texts, strict=True))
        return [answers[i] for i in range(len(clips))]

    @property
    def can_write(self) -> bool:
        """Whether it answers text alone: models with a chat template do."""
        return isinstance(self._inputs, ChatInputs)

    def write(self, request: str, *, seed: int = 0) -> str:
        """The greedy answer to text alone; the seed changes nothing. Raises ConfigError without a chat template."""
        return spoken("".join(self.stream(request, seed=seed)))

    def stream(self, request: str, *, pictures: Sequence[tuple[str, Any]] = (), seed: int = 0) -> Iterator[str]:
        """The greedy answer in pieces of whole words, with what the model thinks before it.

        Args:
            request: What is asked.
            pictures: Words and the (H, W, 3) uint8 RGB picture that they stand before.
            seed: Changes nothing.

        Raises:
            ConfigError: The model has no chat template, or takes no pictures beside words.
        """
        if not isinstance(self._inputs, ChatInputs):
            raise ConfigError(f"{self.name} only describes pictures: it cannot write")
        if pictures and not self._inputs.sees:
            raise ConfigError(f"{self.name} is shown no pictures", hint="leave the pictures out")
        batch = self._inputs.asked(self.options.written(request), pictures)
        inputs = batch.inputs.to(self._device, self._dtype)
        yield from streamed(
            self._model, self._processor.tokenizer, inputs, device=self._device, max_new_tokens=WRITTEN_TOKENS
        )

    def agreement(self, clips: Sequence[ClipMedia], claim: str) -> Floats:
        """(N,) float32 in 0..1: how far it says yes when asked whether each clip shows the claim.

        P(yes) / (P(yes) + P(no)) of its first word. Source: the generative rerankers of Qwen3-VL-Reranker (2026).
        Raises ConfigError without a chat template, NoSuchStream for a clip without frames and sound that it takes.
        """
        if not isinstance(self._inputs, ChatInputs):
            raise ConfigError(f"{self.name} answers no questions", hint="choose a model with a chat template")
        tokenizer = self._processor.tokenizer
        yes, no = (
            sorted({tokenizer.encode(word, add_special_tokens=False)[0] for word in words}) for words in (YES, NO)
        )
        question = f"Does this show the following: {claim}? Answer with one word, yes or no."
        found = []
        for media in clips:
            batch = self._inputs.batch([self._read(media)], question, AnswerStyle())
            with running(self._device):
                made = self._model.generate(
                    **batch.inputs.to(self._device, self._dtype), max_new_tokens=1, do_sample=False, num_beams=1,
                    return_dict_in_generate=True, output_logits=True,
                )  # fmt: skip
            logits = made.logits[0][0].float()
            found.append(float(torch.sigmoid(logits[yes].logsumexp(0) - logits[no].logsumexp(0))))
        return np.array(found, dtype=np.float32)

    def spans(self, media: ClipMedia, claim: str) -> list[Span]:
        """When in the clip the claim is seen, on the video's clock; what the model answers in another form is nothing.

        Raises ConfigError without a chat template, NoSuchStream for a clip without pictures.
        """
        if not isinstance(self._inputs, ChatInputs):
            raise ConfigError(f"{self.name} answers no questions", hint="choose a model with a chat template")
        if media.frames is None:
            raise NoSuchStream(f"{self.name} needs pictures, and the clip has none")
        shown = ClipInput(media.frames, None, media.clip.span)
        batch = self._inputs.batch([shown], GROUNDING.format(claim), AnswerStyle())
        with running(self._device):
            inputs = batch.inputs.to(self._device, self._dtype)
            tokens = self._model.generate(**inputs, max_new_tokens=GROUNDING_TOKENS, do_sample=False, num_beams=1)
        answer = self._processor.tokenizer.decode(tokens[0, batch.prompt_tokens :].cpu(), skip_special_tokens=True)
        return spans_of(answer, media.clip.span)

    def _read(self, media: ClipMedia) -> ClipInput:
        return read_clip(media, frames=self.options.frames, rate_hz=self._inputs.rate_hz)

    def _describe(
        self, clips: Sequence[ClipInput], seeds: Sequence[Sequence[int]], n: int, prompt: str | None
    ) -> list[list[str]]:
        batch = self._inputs.batch(clips, prompt, self.options)
        rows_of = [[row for row, owner in enumerate(batch.owners) if owner == clip] for clip in range(len(clips))]
        per_row = max(-(-n // len(rows)) for rows in rows_of)
        row_seeds = [[*seeds[owner], row - rows_of[owner][0]] for row, owner in enumerate(batch.owners)]
        with running(self._device):
            tokens = self._generate(batch.inputs.to(self._device, self._dtype), row_seeds, per_row)
        texts = [self._answer(row) for row in tokens[:, batch.prompt_tokens :].cpu()]
        found = []
        for rows in rows_of:
            # The first text of every row before the second of any: a favourite per picture, then what chance found.
            order = [texts[row * per_row + place] for place in range(per_row) for row in rows]
            found.append([text for text in dict.fromkeys(order) if text][:n])
        return found

    def _generate(self, inputs: Any, seeds: Sequence[Sequence[int]], per_row: int) -> Tensor:
        """(rows * per_row, tokens), texts of a row one after the other."""
        how = self.options
        settings: dict[str, Any] = {"max_new_tokens": how.max_tokens, "num_return_sequences": per_row}
        if how.beams:
            settings |= {"do_sample": False, "num_beams": max(how.beams, per_row)}
            return self._model.generate(**inputs, **settings)
        draws = uniform_draws(seeds, per_row, how.max_tokens)
        nucleus = SeededNucleus(draws, temperature=how.temperature, top_p=how.top_p)
        # It leaves one word to choose, so transformers' own sampling decides nothing; but it would advance
        # torch's global generator, which is not ours.
        settings |= {"do_sample": True, "num_beams": 1, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            return self._model.generate(**inputs, **settings, logits_processor=[nucleus])

    def _answer(self, tokens: Tensor) -> str:
        """The words of one row; an answer that ran into the token limit ends with its last whole sentence, if any."""
        tokenizer = self._processor.tokenizer
        text = spoken(tokenizer.decode(tokens, skip_special_tokens=True))
        ends = _ids(self._model.generation_config.eos_token_id) | _ids(tokenizer.eos_token_id)
        ends |= _ids(tokenizer.sep_token_id) | _ids(tokenizer.pad_token_id)
        if len(tokens) >= self.options.max_tokens and int(tokens[-1]) not in ends:
            last = max(text.rfind(end) for end in SENTENCE_ENDS)
            text = text[: last + 1] if last > 0 else text
        return text


def spans_of(answer: str, clip: Span) -> list[Span]:
    """The [start, end] pairs of an answer, in seconds of the clip, as spans of its video."""
    found = []
    for pair in _PAIR.findall(spoken(answer)):
        start_s, end_s = (min(float(number), clip.duration_s) + clip.start_s for number in pair)
        if end_s > start_s:
            found.append(Span(start_s, end_s))
    return found


def _ids(value: int | Sequence[int] | None) -> set[int]:
    if value is None:
        return set()
    return {value} if isinstance(value, int) else set(value)


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
    **options: Any,
) -> VlmCaptioner:
    """From a local folder or the hub. Options: the fields of `VlmOptions`.

    Raises WeightsMissing, also where a weight, the tokenizer or the picture processor is not in the files.
    """
    import transformers

    auto: Any = transformers  # its Auto classes have no types
    chosen: VlmOptions = read_options(VlmOptions, options, spec.name)
    where = place(spec, device=device, dtype=dtype, weights_dir=weights_dir, offline=offline)
    model_type = str(weights.read_json(where.folder / "config.json", spec).get("model_type"))
    weights.find_file(where.folder, VOCABULARIES, spec)
    try:
        with weights.loading(spec, where.folder):
            processor = auto.AutoProcessor.from_pretrained(where.folder, local_files_only=True)
            model = load_transformers(auto.AutoModelForImageTextToText, where.folder, dtype=where.dtype)
            model = settle(model, where.device, where.dtype)
    except ImportError as error:  # transformers says in words which package a processor needs
        raise MissingDependency(
            f"{spec.name}: {str(error).strip().splitlines()[0]}", hint="pip install 'vidembed[caption]'"
        ) from error
    if getattr(processor, "image_processor", None) is None:
        raise WeightsMissing(
            f"the folder {where.folder} of {spec.name!r} lacks its picture processor (preprocessor_config.json)"
        )
    chats = bool(getattr(processor, "chat_template", None) or processor.tokenizer.chat_template)
    inputs: InputBuilder = ChatInputs(processor, sound=chosen.sound) if chats else PictureInputs(processor, model_type)
    return VlmCaptioner(spec.name, model, processor, inputs, device=where.device, options=chosen)


def uniform_draws(seeds: Sequence[Sequence[int]], per_row: int, steps: int) -> Floats:
    """(rows * per_row, steps) numbers in [0, 1), rows in turn; the first text of each row gets zeros: no chance in it.

    seeds: one per row; they depend on the clip and the run's seed, not on the clip's place in a batch.
    """
    draws = [np.random.default_rng(list(seed)).random((per_row, steps), dtype=np.float32) for seed in seeds]
    for row in draws:
        row[0] = 0.0
    return np.concatenate(draws) if draws else np.zeros((0, steps), np.float32)


class SeededNucleus(LogitsProcessor):  # type: ignore[misc]
    """Leaves one word per text: the one that its number falls on among the likeliest words, sorted.

    Nucleus sampling (Holtzman et al., ICLR 2020) by inverting the cumulative distribution: a number of 0 is the
    likeliest word, so a row of zeros decodes greedily. draws: (texts, steps), on any device.
    """

    def __init__(self, draws: Floats, *, temperature: float, top_p: float) -> None:
        self.draws, self.temperature, self.top_p = draws, temperature, top_p
        self._start: int | None = None  # tokens before the first new one

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self._start is None:
            self._start = input_ids.shape[1]
        step = input_ids.shape[1] - self._start
        number = torch.from_numpy(np.ascontiguousarray(self.draws[:, step])).to(scores.device)[:, None]
        shares, words = torch.softmax(scores.float() / self.temperature, dim=-1).sort(
            dim=-1, descending=True, stable=True
        )
        before = shares.cumsum(dim=-1) - shares
        shares = shares.masked_fill(before >= self.top_p, 0.0)  # the likeliest word has nothing before it: it stays
        reached = shares.cumsum(dim=-1)
        place = (reached <= number * reached[:, -1:]).sum(dim=-1, keepdim=True)
        last = (shares > 0).sum(dim=-1, keepdim=True) - 1
        chosen = words.gather(-1, torch.minimum(place, last))
        return torch.full_like(scores, -torch.inf).scatter(-1, chosen, 0.0)
