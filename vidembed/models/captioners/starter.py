"""The starter captioner: a small decoder trained by this project, working offline on a CPU.

It looks at up to four frames of a clip through the starter's frozen picture tower and writes short sentences in the
manner of its training captions (people, dogs, sports, streets: see the model card beside the weights). It proposes
its beams, best first, then what sampling finds: among beams choosing by embeddings gains, among samples it loses
(benchmarks/caption_choice.py). Choosing among them is done elsewhere, by embeddings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidembed.errors import ConfigError, NoSuchStream, WeightsMissing
from vidembed.models.spec import ModelSpec
from vidembed.protocols import ClipMedia
from vidembed.types import Floats, Image
from vidembed.vectors import evenly_spaced

if TYPE_CHECKING:
    from vidembed.models.captioners._decoder import CaptionNet, Writing

FILE = "captioner.safetensors"
Look = Callable[[Sequence[Image]], Floats]


class StarterCaptioner:
    """Candidates from a next-word network over picture tokens. Implements `protocols.Captioner`.

    look: pictures -> (N, tokens, features) float32. frames: how many of a clip's frames are looked at, evenly spread.
    A clip's candidates depend on its frames, its id and the seed, not on the other clips of the call.
    """

    name = "starter-captioner"

    def __init__(
        self, net: CaptionNet, words: Sequence[str], look: Look, *, frames: int = 4, writing: Writing | None = None
    ) -> None:
        from vidembed.models.captioners._decoder import Writing

        if len(words) != net.shape.vocabulary:
            raise ConfigError(f"the captioner has {len(words)} words for {net.shape.vocabulary} outputs")
        if frames < 1:
            raise ConfigError(f"caption.options.frames must be at least 1, got {frames}")
        self.net, self.words, self.look, self.frames = net, tuple(words), look, frames
        self.writing = writing or Writing()

    def candidates(
        self, clips: Sequence[ClipMedia], *, n: int, prompt: str | None = None, seed: int = 0
    ) -> list[list[str]]:
        """Up to n different sentences a clip, the best beam first. Raises NoSuchStream for a clip without frames."""
        if prompt:
            raise ConfigError(
                "the starter captioner takes no prompt: it only describes",
                hint="leave caption.prompt empty, or choose a vision-language model as caption.model",
            )
        if not clips:
            return []
        chosen = [self._frames(media) for media in clips]
        tokens = self.look([frame for frames in chosen for frame in frames])
        ends = np.cumsum([len(frames) for frames in chosen])
        seeds = [int(media.clip.clip_id.replace("-", ""), 16) for media in clips]
        return self.describe(np.split(tokens, ends[:-1]), n=n, seeds=[[seed % 2**32, s] for s in seeds])

    def describe(self, pictures: Sequence[Floats], *, n: int, seeds: Sequence[Sequence[int]]) -> list[list[str]]:
        """As `candidates`, from (P, tokens, features) per clip, P >= 1, and one seed per clip."""
        from vidembed.models.captioners._decoder import beam_search, sample

        rows = [self.net.look(np.asarray(p, np.float32)) for p in pictures]
        seen = np.zeros((len(rows), max(map(len, rows)), self.net.shape.width), np.float32)
        mask = np.zeros(seen.shape[:2], bool)
        for place, row in enumerate(rows):
            seen[place, : len(row)], mask[place, : len(row)] = row, True
        beams = beam_search(self.net, seen, mask, self.writing)
        if n > self.writing.beams:
            size = (2 * n, self.writing.max_words + 1)  # twice as many as asked for: some come out alike
            draws: list[NDArray[np.float64]] = [np.random.default_rng(list(s)).random(size) for s in seeds]
            sampled = sample(self.net, seen, mask, draws, self.writing)
        else:
            sampled = [[] for _ in rows]
        return [
            self._distinct([*(text for text, _ in best[: self.writing.beams]), *others], n)
            for best, others in zip(beams, sampled, strict=True)
        ]

    def _distinct(self, texts: Sequence[Sequence[int]], n: int) -> list[str]:
        kept = dict.fromkeys(" ".join(self.words[i] for i in text) for text in texts if text)
        return [text[:1].upper() + text[1:] for text in list(kept)[:n]]

    def _frames(self, media: ClipMedia) -> list[Image]:
        if media.frames is None:
            raise NoSuchStream("a clip without pictures cannot be captioned by the starter captioner")
        rgb = media.frames.rgb
        places = evenly_spaced(len(rgb), min(self.frames, len(rgb)) + 2)[1:-1]
        return [rgb[i] for i in dict.fromkeys(places)]


def load(
    spec: ModelSpec,
    *,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: Path | None = None,
    offline: bool = False,
    frames: int = 4,
    **writing: Any,
) -> StarterCaptioner:
    """The captioner whose weights come with the package; spec.path names another folder with the same files.

    frames and the fields of `Writing` are options. device: where pictures are looked at; the words, which come one by
    one in small steps, are written on the CPU.
    """
    from vidembed.models.arrays import floats, mapped, metadata
    from vidembed.models.captioners._decoder import CaptionNet, DecoderShape, Writing
    from vidembed.models.encoders._engines import checked_device
    from vidembed.models.encoders.starter import FOLDER, StarterEncoder, checked, read_manifest

    known = list(Writing.__annotations__)
    if unknown := sorted(set(writing) - set(known)):
        raise ConfigError(
            f"caption.options: the starter captioner knows no {', '.join(unknown)}",
            hint=f"known: frames, {', '.join(known)}; other words need a language model as caption.model",
        )
    manner = Writing(**writing)
    folder = spec.path or FOLDER
    path = checked(folder, FILE, read_manifest(folder))
    try:
        meta = metadata(path)
        net = CaptionNet(floats(mapped(path)), DecoderShape(**json.loads(meta["shape"])))
        words = json.loads(meta["words"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsMissing(f"{path} is no captioner of this version: {error}", hint="reinstall vidembed") from error
    eyes = StarterEncoder(folder, device=checked_device(device))
    return StarterCaptioner(net, words, lambda images: eyes.features("image", images), frames=frames, writing=manner)
