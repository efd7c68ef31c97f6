"""Self-critical training of the captioner: captions it samples are rewarded by CIDEr-D.

Rennie et al., CVPR 2017; the baseline of a sample is the mean reward of the other samples of its picture (Luo 2020).
The end of a caption counts as a word in the reward: without it captions that stop in the middle ("... with a") pay.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from caption_net import CaptionNet, Memory
from torch import Tensor

from vidembed.models.captioners._decoder import END, PAD, SPECIAL, START, UNKNOWN

END_WORD = SPECIAL[END]
Words = Sequence[str]


class CiderD:
    """CIDEr-D against fixed references, 0..10: cosine of TF-IDF weighted n-grams, clipped, with a Gaussian penalty on
    the length. Vedantam et al., CVPR 2015; sigma = 6, scale 10, as in the COCO caption evaluation.

    Document frequencies come from these very references, one document per item, so a score depends on the whole set;
    with a single item it is always 0.
    """

    def __init__(self, references: Sequence[Sequence[Words]], *, n: int = 4, sigma: float = 6.0) -> None:
        self._n, self._sigma = n, sigma
        self._documents = math.log(len(references)) if references else 0.0
        self._frequency: Counter[tuple[str, ...]] = Counter()
        for others in references:
            self._frequency.update(
                {gram for other in others for order in range(1, n + 1) for gram in _ngrams(other, order)}
            )
        self._references = [[self._weighted(other) for other in others] for others in references]

    def score(self, item: int, words: Words) -> float:
        """How well a caption fits the references of that item, 0..10."""
        own, own_norms, length = self._weighted(words)
        total = 0.0
        for there, norms, other_length in self._references[item]:
            penalty = math.exp(-((length - other_length) ** 2) / (2 * self._sigma**2))
            for a, b, norm_a, norm_b in zip(own, there, own_norms, norms):
                shared = sum(min(value, b[gram]) * b[gram] for gram, value in a.items() if gram in b)
                if norm_a and norm_b:
                    total += penalty * shared / (norm_a * norm_b)
        return 10.0 * total / self._n / len(self._references[item])

    def _weighted(self, words: Words) -> tuple[list[dict[tuple[str, ...], float]], list[float], int]:
        """Per order the n-grams' weights and their norm; and the length, which the reference code counts in bigrams."""
        vectors = []
        for order in range(1, self._n + 1):
            counts = _ngrams(words, order)
            vectors.append(
                {g: c * (self._documents - math.log(max(1.0, self._frequency[g]))) for g, c in counts.items()}
            )
        norms = [math.sqrt(sum(value**2 for value in vector.values())) for vector in vectors]
        return vectors, norms, max(0, len(words) - 1)


def _ngrams(words: Words, order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + order]) for i in range(len(words) - order + 1))


class Reward:
    """CIDEr-D of sampled word ids against the captions of training pictures.

    captions: picture -> words of its captions; words: the vocabulary.
    """

    def __init__(self, captions: Mapping[int, Sequence[Sequence[str]]], words: Sequence[str]) -> None:
        self._words = words
        self._places = {picture: place for place, picture in enumerate(captions)}
        self._scorer = CiderD([[[*text, END_WORD] for text in texts] for texts in captions.values()])

    def __call__(self, pictures: Sequence[int], ids: Tensor) -> Tensor:
        """(R,) for ids (R, L) as `draw` gives them, row r about pictures[r]."""
        scores = []
        for picture, row in zip(pictures, ids.tolist(), strict=True):
            said = [self._words[i] for i in row[1:] if i != PAD]
            scores.append(self._scorer.score(self._places[picture], said))
        return torch.tensor(scores)


def _repeated(memory: Memory, times: int) -> Memory:
    return [(keys.repeat_interleave(times, 0), values.repeat_interleave(times, 0)) for keys, values in memory]


@torch.no_grad()
def draw(net: CaptionNet, memory: Memory, samples: int, longest: int, temperature: float) -> Tensor:
    """(B * samples, L) ids from the network's own distribution: start, words, end, padding. L <= longest + 2."""
    memory = _repeated(memory, samples)
    rows = torch.arange(len(memory[0][0]))  # those that have not ended
    ids = torch.full((len(rows), longest + 2), PAD)
    ids[:, 0] = START
    past = Memory()
    for at in range(longest + 1):
        raw, past = net.step(ids[rows, at], at, memory, past, None)
        raw[:, [PAD, START, UNKNOWN]] = -torch.inf
        word = torch.multinomial((raw / temperature).softmax(1), 1)[:, 0]
        ids[rows, at + 1] = word
        going = (word != END).nonzero()[:, 0]
        if not len(going):
            break
        if len(going) < len(rows):
            rows = rows[going]
            memory, past = ([(k[going], v[going]) for k, v in kept] for kept in (memory, past))
    return ids[:, : at + 2]


def self_critical_loss(
    net: CaptionNet,
    reward: Reward,
    pictures: Tensor,
    numbers: Sequence[int],
    *,
    samples: int,
    longest: int,
    temperature: float,
) -> tuple[Tensor, float]:
    """The loss whose gradient is that of the expected reward, and the mean reward. pictures (B, P, 16, 1280).

    temperature: the captions come from the distribution sharpened by it, and that one's reward is raised: below 1 they
    are near to what beam search says, which is what shall get better.
    """
    mode = net.training
    net.eval()
    with torch.no_grad():
        ids = draw(net, net.memory(net.look(pictures)), samples, longest, temperature)
    net.train(mode)
    found = reward([n for n in numbers for _ in range(samples)], ids).reshape(-1, samples)
    others = (found.sum(1, keepdim=True) - found) / (samples - 1)
    gain = (found - others).reshape(-1)
    memory = _repeated(net.memory(net.look(pictures)), samples)
    goal = ids[:, 1:]
    said = goal != PAD
    scores = net.scores(net.states(ids[:, :-1], memory)[said]) / temperature
    scores[:, [PAD, START, UNKNOWN]] = -torch.inf
    logs = torch.log_softmax(scores, 1).gather(1, goal[said][:, None])[:, 0]
    weights = gain[:, None].expand_as(goal)[said]
    return -(weights * logs).sum() / said.sum(), float(found.mean())
