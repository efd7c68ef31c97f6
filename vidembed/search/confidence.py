"""Curves that make confidence mean what it says: shipped for a profile, or fitted to a person's own questions.

A curve is a straight line over log-odds, so the order of answers stays. Each kind of query has its own, since the
evidence for a text, a picture and a sound comes about differently.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from vidembed.errors import StoreError
from vidembed.files import write_text
from vidembed.models.arrays import softmax
from vidembed.protocols import Channel
from vidembed.types import Floats, Query

Kind: TypeAlias = Literal["text", "picture", "sound"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FILE = "confidence.json"  # in an index's folder
_LEAST = 1e-6  # confidences are held between this and 1 less this


def log_odds(confidence: float) -> float:
    """Logarithm of the odds, of a confidence held within a millionth of 0 and 1."""
    held = min(max(confidence, _LEAST), 1 - _LEAST)
    return math.log(held / (1 - held))


def confidence_from(odds: float) -> float:
    """Confidence, 0..1, from log-odds."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, odds))))


@dataclass(frozen=True)
class Curve:
    """Moves log-odds along a straight line. slope: above 0."""

    slope: float = 1.0
    offset: float = 0.0

    def odds(self, odds: float) -> float:
        """Log-odds moved by the curve."""
        return self.slope * odds + self.offset

    def of(self, confidence: float) -> float:
        """A confidence, 0..1, moved by the curve."""
        return confidence_from(self.odds(log_odds(confidence))) if self != _PLAIN else confidence

    def before(self, confidence: float) -> float:
        """The confidence that the curve moved to this one."""
        return confidence_from((log_odds(confidence) - self.offset) / self.slope)


_PLAIN = Curve()


@dataclass(frozen=True, eq=False)
class Names:
    """Names of what a space knows, and how much of what two vectors are named as they share.

    rows: (K, D) unit vectors of the names. sharp: how far apart the cosines with two names are for one to be meant.
    """

    rows: Floats
    sharp: float

    def of(self, vectors: Floats) -> Floats:
        """(N, K) how much each of (N, D) unit vectors is of each name: the soft-max over the names."""
        return softmax(vectors @ self.rows.T / np.float32(self.sharp))

    def in_common(self, one: Floats, other: Floats) -> float:
        """Logarithm, -7..0, of how much of `of` two (D,) unit vectors share: the Bhattacharyya coefficient (1943)."""
        named, also = (np.sqrt(self.of(vector[None])[0]) for vector in (one, other))  # half the time of both at once
        return math.log(float(named @ also) + 1e-3)


@dataclass(frozen=True, eq=False)
class Likeness:
    """Log-odds that what is like a picture or sound that was asked is what was meant: a sum over what is known of it.

    Attributes:
        space: Name of the space that it was fitted in; vectors of another one have other cosines.
        odds: Weight of the channel's log-odds, which say how far the likeness is above that of other clips. Above 0.
        cosine: Weight of the likeness itself: speech is like other speech, but nothing is so like as the same again.
        common: Weight of `in_common`, which says whether both are named as the same: noises are alike.
        offset: Added.
        names: None: nothing is named.
    """

    space: str
    odds: float
    cosine: float
    common: float
    offset: float
    names: Names | None = None

    def in_common(self, one: Floats, other: Floats) -> float:
        """`Names.in_common` of two (D,) unit vectors; 0 without names."""
        return 0.0 if self.names is None else self.names.in_common(one, other)

    def of(self, odds: float, cosine: float, common: float) -> float:
        """Log-odds. odds: of the channel; cosine: of clip and query; common: `in_common` of both."""
        return self.odds * odds + self.cosine * cosine + self.common * common + self.offset


@dataclass(frozen=True, eq=False)
class Shown:
    """Log-odds that a clip shows what words ask for, by itself: no other clip of the index has a part in it.

    A line over the cosine's distance from what ordinary queries get from the clip (`near_level`), and from what
    ordinary pictures give these words, in deviations: both sides of a pair are normalised, as in the S-norm of speaker
    verification (Shum et al., Odyssey 2010).

    Attributes:
        space: Name of the space that it was fitted in; vectors of another one have other cosines.
        near, far: Weights of the two distances, at least 0, one of them above.
        offset: Added.
        usual: (1 + R, D) mean of ordinary pictures' vectors and R directions times the deviation along each; (0, D) =
            nothing is known of them.
        common: Weight of `in_common`: a clip that is named as other things is less sure. Clips are ranked without it.
        names: None: nothing is named.
    """

    space: str
    near: float
    far: float
    offset: float
    usual: Floats
    common: float = 0.0
    names: Names | None = None

    def level(self, vector: Floats) -> tuple[float, float]:
        """Mean and deviation of what ordinary pictures give a text; 0 and 1 where nothing is known of them."""
        if not len(self.usual):
            return 0.0, 1.0
        along = (self.usual @ vector).astype(np.float64)
        return float(along[0]), max(float(np.sqrt((along[1:] ** 2).sum())), 1e-3)

    def hubness(self, deviation: float) -> float:
        """The share of a clip's near level that comes off its score: clips are ranked by the sum of the distances."""
        return self.near / (self.near + self.far / deviation)

    def in_common(self, text: Floats, clip: Floats) -> float:
        """`Names.in_common` of two (D,) unit vectors; 0 without names."""
        return 0.0 if self.names is None else self.names.in_common(text, clip)

    def of(
        self, cosine: float, near: float, far: tuple[float, float], common: float = 0.0, *, known: float = 1.0
    ) -> float:
        """Log-odds.

        Args:
            cosine: Of clip and text.
            near: The clip's level.
            far: The text's, by `level`.
            common: `in_common` of both.
            known: 0..1, how much of the clip is known: of less of it less is expected, down to an ordinary query's.
        """
        mean, deviation = far
        above = self.near * (cosine - near) + self.far * (cosine - mean) / deviation
        return known * above + self.common * common + self.offset


@dataclass(frozen=True)
class Curves:
    """The curves of one profile.

    Attributes:
        kinds: Kind of query -> curve; the line that changes nothing where there is none.
        hearing: Of the log-odds of a channel of sound that is asked in words, before they join the other channels'.
        likeness: Modality of a channel -> that of what is like an example of this modality.
        shown: Modality of a channel -> that of what words ask for; without it, odds are those of the index's scores.
        card: What was fitted on what.
    """

    kinds: Mapping[str, Curve] = field(default_factory=dict)
    hearing: Curve = _PLAIN
    likeness: Mapping[str, Likeness] = field(default_factory=dict)
    shown: Mapping[str, Shown] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)

    def of(self, query: Query) -> Curve:
        """The curve of this query's kind."""
        return self.kinds.get(kind_of(query), _PLAIN)

    def shown_in(self, channel: Channel) -> Shown | None:
        """What was fitted for the vectors of this channel, if anything was."""
        fitted = self.shown.get(channel.source.modality)
        return fitted if fitted is not None and fitted.space == channel.encoder.space.name else None

    def likeness_in(self, channel: Channel) -> Likeness | None:
        """The same of what is like an example."""
        fitted = self.likeness.get(channel.source.modality)
        return fitted if fitted is not None and fitted.space == channel.encoder.space.name else None


def kind_of(query: Query) -> Kind:
    """Text if words are asked for; else sound if a sound is; else picture (an image, a video or a clip)."""
    asked = {term.modality for term in query.terms if term.weight > 0}
    if "text" in asked:
        return "text"
    return "sound" if "audio" in asked else "picture"


@cache
def shipped(profile: str) -> Curves:
    """The curves fitted for a profile, shipped with their card; plain ones for other profiles."""
    data = json.loads((resources.files("vidembed.search") / "confidence_curves.json").read_text(encoding="utf-8"))
    entry = data["profiles"].get(profile)
    return Curves() if entry is None else _read(entry)


def curves_of(folder: Path, profile: str) -> Curves:
    """The shipped curves, and over them those that were saved with the index.

    Raises:
        StoreError: The index's file cannot be read.
    """
    base, file = shipped(profile), folder / FILE
    try:
        own = _read(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return base
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"cannot read {file}: {error}", hint="vidembed evaluate calibrate --reset removes it"
        ) from error
    return replace(base, kinds={**base.kinds, **own.kinds}, card=own.card)


def save_curves(folder: Path, kinds: Mapping[str, Curve], card: Mapping[str, Any]) -> Path:
    """Save an index's own curves in place of those saved before; returns the file."""
    file = folder / FILE
    entry = {"card": dict(card), "kinds": {kind: asdict(curve) for kind, curve in kinds.items()}}
    write_text(file, json.dumps(entry, indent=1, ensure_ascii=False) + "\n")
    return file


def reset_curves(folder: Path) -> bool:
    """Go back to the shipped curves; whether there were own ones."""
    there = (folder / FILE).exists()
    (folder / FILE).unlink(missing_ok=True)
    return there


def _read(entry: Mapping[str, Any]) -> Curves:
    kinds: dict[str, Curve] = {kind: _curve(entry["kinds"][kind]) for kind in KINDS if kind in entry["kinds"]}
    likeness = {modality: _likeness(**values) for modality, values in entry.get("likeness", {}).items()}
    shown = {modality: _shown(**values) for modality, values in entry.get("shown", {}).items()}
    return Curves(kinds, _curve(entry.get("hearing", {})), likeness, shown, entry.get("card", {}))


def _likeness(*, common: float = 0.0, names: Mapping[str, Any] | None = None, **values: Any) -> Likeness:
    return Likeness(common=common, names=_names(names), **values)


def _shown(*, usual: str | None = None, names: Mapping[str, Any] | None = None, **values: Any) -> Shown:
    """usual: a file of the bundled assets."""
    rows = np.zeros((0, 1), dtype=np.float32) if usual is None else _asset(usual)
    return Shown(usual=rows, names=_names(names), **values)


def _names(values: Mapping[str, Any] | None) -> Names | None:
    return None if values is None else Names(_asset(values["file"]), values["sharp"])


def _asset(name: str) -> Floats:
    """Rows of a file of the bundled assets, float32."""
    with (resources.files("vidembed") / "assets" / name).open("rb") as file:
        return np.asarray(np.load(file, allow_pickle=False), dtype=np.float32)


def _curve(values: Mapping[str, Any]) -> Curve:
    curve = Curve(**{name: float(value) for name, value in values.items()})
    if not (0 < curve.slope < math.inf and math.isfinite(curve.offset)):
        raise ValueError(f"a curve needs a slope above 0 and a finite offset, got {curve.slope} and {curve.offset}")
    return curve
