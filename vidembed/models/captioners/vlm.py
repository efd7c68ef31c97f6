"""Vision-language models of transformers through one adapter: SmolVLM2, Qwen3-VL, Gemma 3n and 4, BLIP and others.

Any model that AutoModelForImageTextToText and AutoProcessor load is taken: by record, as "hf:org/name" or as a folder.
Code from a repository is never run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from vidembed.errors import ConfigError, MissingDependency, WeightsMissing
from vidembed.models import weights
from vidembed.models.captioners._inputs import ChatShowing, PictureShowing, Seen, Showing, Wording, look
from vidembed.models.captioners._sampling import NucleusDraws, luck
from vidembed.models.encoders._torch import VOCABULARIES, load_transformers, pick_device, pick_dtype, running, settle
from vidembed.protocols import ClipMedia
from vidembed.types import Floats

if TYPE_CHECKING:
    from vidembed.models.spec import ModelSpec

SENTENCE_ENDS = ".!?。！？।"
WRITTEN_TOKENS = 400  # of a summary
YES, NO = ("Yes", "yes", " Yes", " yes"), ("No", "no", " No", " no")  # tokenizers tell these apart


@dataclass(frozen=True)
class Generation:
    """How texts are made. max_tokens: of one answer; beams: 0 samples, else beam search of at least so many beams.

    When sampling, the first candidate is the greedy one and the others are drawn at `temperature` from the likeliest
    words that together reach `top_p`.
    """

    max_tokens: int = 64
    temperature: float = 0.8
    top_p: float = 0.9
    beams: int = 0

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.beams < 0:
            raise ConfigError(f"caption.options: max_tokens >= 1 and beams >= 0, got {self.max_tokens}, {self.beams}")
        if not (self.temperature > 0 and 0 < self.top_p <= 1):
            raise ConfigError(
                f"caption.options: temperature > 0 and 0 < top_p <= 1, got {self.temperature}, {self.top_p}"
            )


class VlmCaptioner:
    """Candidates from a vision-language model. Implements `protocols.Captioner`.

    A clip's texts depend on its media, its id and the seed; other clips of the batch only round its numbers otherwise.
    frames: at most so many a clip, evenly spread.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        processor: Any,
        showing: Showing,
        *,
        device: torch.device,
        frames: int = 8,
        wording: Wording | None = None,
        generation: Generation | None = None,
    ) -> None:
        if frames < 1:
            raise ConfigError(f"caption.options.frames must be at least 1, got {frames}")
        self.name, self.frames = name, frames
        self._model, self._processor, self._showing, self._device = model, processor, showing, device
        self._wording, self._generation = wording or Wording(), generation or Generation()
        self._dtype = next(model.parameters()).dtype

    def candidates(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str]]:
        """Up to n different texts a clip, the likeliest first.

        Raises NoSuchStream for a clip it can neither see nor hear, MemoryError when the batch does not fit the device.
        """
        seen = [look(media, frames=self.frames, rate_hz=self._showing.rate_hz) for media in clips]
        seeds = [[seed % 2**32, int(media.clip.clip_id.replace("-", ""), 16)] for media in clips]
        # Rows of one batch have the same kinds of media: processors take flat lists of sounds, one for every row.
        groups: dict[tuple[bool, bool], list[int]] = {}
        for i, one in enumerate(seen):
            groups.setdefault((one.frames is not None, one.sound is not None), []).append(i)
        answers: dict[int, list[str]] = {}
        for places in groups.values():
            texts = self._describe([seen[i] for i in places], [seeds[i] for i in places], n, prompt)
            answers.update(zip(places, texts, strict=True))
        return [answers[i] for i in range(len(clips))]

    @property
    def can_write(self) -> bool:
        """Whether it answers words alone: models with a chat template do."""
        return isinstance(self._showing, ChatShowing)

    def write(self, request: str, *, seed: int = 0) -> str:
        """The greedy answer to words alone; the seed changes nothing. Raises ConfigError where it cannot write."""
        if not isinstance(self._showing, ChatShowing):
            raise ConfigError(f"{self.name} only goes on from a picture: it cannot write a summary")
        shot = self._showing.words(self._wording.written(request))
        with running(self._device):
            inputs = shot.inputs.to(self._device, self._dtype)
            tokens = self._model.generate(**inputs, max_new_tokens=WRITTEN_TOKENS, do_sample=False, num_beams=1)
        text: str = self._processor.tokenizer.decode(tokens[0, shot.cut :].cpu(), skip_special_tokens=True)
        return text.rpartition("</think>")[2].strip()

    def agreement(self, clips: Sequence[ClipMedia], claim: str) -> Floats:
        """(N,) float32 in 0..1: how far it says yes when asked whether each clip shows the claim.

        P(yes) / (P(yes) + P(no)) of its first word. Source: the generative rerankers of Qwen3-VL-Reranker (2026).
        Raises ConfigError where it answers no questions, NoSuchStream for a clip that it can neither see nor hear.
        """
        if not isinstance(self._showing, ChatShowing):
            raise ConfigError(f"{self.name} answers no questions", hint="choose a model with a chat template")
        tokenizer = self._processor.tokenizer
        yes, no = (
            sorted({tokenizer.encode(word, add_special_tokens=False)[0] for word in words}) for words in (YES, NO)
        )
        question = f"Does this show the following: {claim}? Answer with one word, yes or no."
        found = []
        for media in clips:
            seen = look(media, frames=self.frames, rate_hz=self._showing.rate_hz)
            shot = self._showing.batch([seen], question, Wording())
            with running(self._device):
                made = self._model.generate(
                    **shot.inputs.to(self._device, self._dtype), max_new_tokens=1, do_sample=False, num_beams=1,
                    return_dict_in_generate=True, output_logits=True,
                )  # fmt: skip
            logits = made.logits[0][0].float()
            found.append(float(torch.sigmoid(logits[yes].logsumexp(0) - logits[no].logsumexp(0))))
        return np.array(found, dtype=np.float32)

    def _describe(
        self, seen: Sequence[Seen], seeds: Sequence[Sequence[int]], n: int, prompt: str | None
    ) -> list[list[str]]:
        shot = self._showing.batch(seen, prompt, self._wording)
        rows_of = [[row for row, owner in enumerate(shot.owners) if owner == clip] for clip in range(len(seen))]
        per_row = max(-(-n // len(rows)) for rows in rows_of)
        row_seeds = [[*seeds[owner], row - rows_of[owner][0]] for row, owner in enumerate(shot.owners)]
        with running(self._device):
            tokens = self._generate(shot.inputs.to(self._device, self._dtype), row_seeds, per_row)[:, shot.cut :]
        texts = [self._answer(row) for row in tokens.cpu()]
        found = []
        for rows in rows_of:
            # The first text of every row before the second of any: a favourite per picture, then what chance found.
            order = [texts[row * per_row + place] for place in range(per_row) for row in rows]
            found.append([text for text in dict.fromkeys(order) if text][:n])
        return found

    def _generate(self, inputs: Any, seeds: Sequence[Sequence[int]], per_row: int) -> Tensor:
        """(rows * per_row, tokens), texts of a row one after the other."""
        how = self._generation
        settings: dict[str, Any] = {"max_new_tokens": how.max_tokens, "num_return_sequences": per_row}
        if how.beams:
            settings |= {"do_sample": False, "num_beams": max(how.beams, per_row)}
            return self._model.generate(**inputs, **settings)
        draws = NucleusDraws(luck(seeds, per_row, how.max_tokens), temperature=how.temperature, top_p=how.top_p)
        # The draws leave one word to choose, so transformers' own sampling decides nothing; but it would advance
        # torch's global generator, which is not ours.
        settings |= {"do_sample": True, "num_beams": 1, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            return self._model.generate(**inputs, **settings, logits_processor=[draws])

    def _answer(self, tokens: Tensor) -> str:
        """The words of one row; an answer that ran into the token limit ends with its last whole sentence, if any."""
        tokenizer = self._processor.tokenizer
        text = tokenizer.decode(tokens, skip_special_tokens=True).strip()
        text = text.rpartition("</think>")[2].strip()
        ends = _ids(self._model.generation_config.eos_token_id) | _ids(tokenizer.eos_token_id)
        ends |= _ids(tokenizer.sep_token_id) | _ids(tokenizer.pad_token_id)
        if len(tokens) >= self._generation.max_tokens and int(tokens[-1]) not in ends:
            last = max(text.rfind(end) for end in SENTENCE_ENDS)
            text = text[: last + 1] if last > 0 else text
        return text


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
    frames: int = 8,
    sound: bool = True,
    max_tokens: int = 64,
    temperature: float = 0.8,
    top_p: float = 0.9,
    beams: int = 0,
    language: str | None = None,
    style: str | None = None,
    max_words: int | None = None,
) -> VlmCaptioner:
    """From a local folder or the hub. Options: see `Generation` and `Wording`; sound: let it hear where it can.

    Raises WeightsMissing, also where a weight, the tokenizer or the picture processor is not in the files.
    """
    import transformers

    auto: Any = transformers  # its Auto classes have no types
    wording = Wording(language, style, max_words)
    generation = Generation(max_tokens, temperature, top_p, beams)
    where = pick_device(device)
    kind = pick_dtype(dtype, where)
    at = weights.folder(spec, weights_dir=weights_dir, offline=offline)
    model_type = str(weights.read_json(at / "config.json", spec).get("model_type"))
    weights.find_file(at, VOCABULARIES, spec)
    try:
        with weights.loading(spec, at):
            processor = auto.AutoProcessor.from_pretrained(at, local_files_only=True)
            model = settle(load_transformers(auto.AutoModelForImageTextToText, at, dtype=kind), where, kind)
    except ImportError as error:  # transformers says in words which package a processor needs
        raise MissingDependency(
            f"{spec.name}: {str(error).strip().splitlines()[0]}", hint="pip install 'vidembed[caption]'"
        ) from error
    if getattr(processor, "image_processor", None) is None:
        raise WeightsMissing(f"the folder {at} of {spec.name!r} lacks its picture processor (preprocessor_config.json)")
    chats = bool(getattr(processor, "chat_template", None) or processor.tokenizer.chat_template)
    showing: Showing = ChatShowing(processor, sound=sound) if chats else PictureShowing(processor, model_type)
    return VlmCaptioner(
        spec.name, model, processor, showing, device=where, frames=frames, wording=wording, generation=generation
    )
