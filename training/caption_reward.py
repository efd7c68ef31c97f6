"""Self-critical training of the captioner: captions it samples are rewarded by CIDEr-D.

Rennie et al., CVPR 2017; the baseline of a sample is the mean reward of the other samples of its picture (Luo 2020).
The end of a caption counts as a word in the reward: without it captions that stop in the middle ("... with a") pay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vidembed.evaluation.caption_metrics import CiderD
from vidembed.models.captioners._decoder import END, PAD, SPECIAL, START, UNKNOWN, CaptionNet, Memory

END_WORD = SPECIAL[END]


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
