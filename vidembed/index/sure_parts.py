"""A title of what is surely seen and heard, "a man, outdoors, music", for videos whose captions are all uncertain."""

from __future__ import annotations

from collections import defaultdict

from vidembed.errors import BadQuery
from vidembed.index.classifying import classify
from vidembed.index.parts import IndexParts
from vidembed.search.labels import LabelGroup, label_groups

# Who or what, where, and what is heard, with the words that are asked for each.
_GROUPS = {
    "what": {
        "several": {
            "a man": "a man", "a woman": "a woman", "a child": ["a child", "a baby"], "people": ["people", "a crowd"],
            "a dog": "a dog", "a cat": "a cat", "a bird": "a bird", "a horse": "a horse", "a car": ["a car", "cars"],
            "a bicycle": "a bicycle", "a motorcycle": "a motorcycle", "a boat": "a boat", "a train": "a train",
            "food": ["food on a plate", "cooking food"], "an animation": ["a cartoon", "computer animation"],
            "a text": "text on a screen", "a drum kit": "a drum kit", "a guitar": "a guitar", "a game": "a ball game",
        }
    },
    "where": {
        "one_of": {
            "in a kitchen": "a kitchen", "in a room": ["a room", "indoors"], "in a street": "a street",
            "on a beach": "a beach", "in the snow": "snow", "by the water": ["a lake", "the sea", "a river"],
            "in a field": "a field of grass", "among trees": "a forest", "on a stage": "a stage", "at night": "night",
        }
    },
    "heard": {
        "channels": ["sound"],
        "several": {
            "music": "music", "speech": "somebody is speaking", "singing": "singing", "barking": "a dog barking",
            "crying": ["a baby crying"], "birdsong": ["birds singing"], "an engine": ["an engine running"],
            "applause": ["applause"], "rain": ["rain"], "waves": ["sea waves"],
        },
    },
}  # fmt: skip
_MOST = 2  # parts of one group


def title_of_parts(parts: IndexParts, video_id: str) -> str:
    """The surest labels of a video's clips, by group and by how sure they are; "" where none is sure."""
    groups = [group for group in label_groups(_GROUPS) if _can_look(parts, group)]
    if not groups:
        return ""
    try:
        found = classify(parts, [video_id], groups)
    except BadQuery:  # no channel takes words
        return ""
    best: dict[str, dict[str, float]] = defaultdict(dict)
    for one in found:
        best[one.group][one.label] = max(one.confidence, best[one.group].get(one.label, 0.0))
    said = []
    for group in groups:
        sure = best[group.name]
        said += sorted(sure, key=lambda label: (-sure[label], label))[: 1 if group.one else _MOST]
    return ", ".join(said)


def _can_look(parts: IndexParts, group: LabelGroup) -> bool:
    return group.channels is None or all(name in parts.specs for name in group.channels)
