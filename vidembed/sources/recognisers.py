"""Reading the lines of text in one picture: RapidOCR finds them, a script teller sorts them, recognisers read them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import regex

from vidembed.errors import ConfigError, ModelError, missing_dependency, needs
from vidembed.models import registry, weights
from vidembed.sources.scripts import SCRIPTS, ScriptTeller
from vidembed.types import Floats, Image

# Detection at most at this size; PP-OCR's own setting enlarges small pictures, at three times the cost on 480p.
DETECT_SIDE_PX = 960
BUNDLED = ("latin", "cjk")  # what the recogniser in RapidOCR's wheel reads
LIKELY = 0.5  # the least share of a script for which a line is not taken as words unless they are proven
SURE = 0.9  # and for which it is told as not read
DETECTED = 0.7  # how sure the detector must be of a line that is told as not read
_LONG = 1.5  # how many times as long as high it must be
PROVEN = 0.94  # and so sure is the wheel's recogniser of what it can read
_PROOF = 0.15  # share of letters that no look-alike explains
_ONLY_LATIN = frozenset("DFGJLQRSUVWZdfgjlqrsvwz")  # neither Cyrillic nor Greek has letters that look like these
_ALONE = 0.1  # the weight of a script that no other line of the picture has, against 1.1 where all have it


@dataclass(frozen=True)
class ReadLine:
    """One line in one frame. top, left: of its box, as shares of the picture. unread: its script, if it is not read."""

    text: str
    confidence: float
    top: float = 0.0
    left: float = 0.0
    unread: str = ""


class LineReader:
    """Reads the lines of pictures. Not safe for several threads at once."""

    def __init__(
        self, scripts: Sequence[str], *, threads: int, weights_dir: str | Path | None = None, offline: bool = False
    ) -> None:
        """Load nothing yet.

        Args:
            scripts: To read besides `BUNDLED`, each by a recogniser that is fetched when it is needed first.
            threads: Of onnxruntime; -1 = all cores.
            weights_dir: A folder with recognisers by name.
            offline: Fetch nothing.

        Raises:
            ConfigError: There is no recogniser for one of the scripts.
        """
        records = {spec.name.removeprefix("ocr-"): spec for spec in registry.specs("ocr")}
        if unknown := sorted(set(scripts) - set(records) - set(BUNDLED)):
            raise ConfigError(
                f"ocr has no recogniser for {', '.join(map(repr, unknown))}", hint=f"scripts: {', '.join(records)}"
            )
        self._records = {script: records[script] for script in scripts if script not in BUNDLED}
        self._threads, self._offline = threads, offline
        self._weights_dir = Path(weights_dir).expanduser() if weights_dir is not None else None
        self._teller = ScriptTeller()
        self._engines: dict[str, Any] = {}

    def read(self, rgb: Image) -> list[ReadLine]:
        """The lines of one picture as they come, those that are no text with a low confidence.

        rgb: (H, W, 3) uint8.

        Raises:
            ModelError: RapidOCR failed.
            MissingDependency: It is not installed.
            WeightsMissing: A recogniser is not here and cannot be fetched.
        """
        bgr = np.ascontiguousarray(rgb[:, :, ::-1])  # arrays are taken for BGR
        engine = self._engine("")
        try:
            from rapidocr.utils.process_img import get_rotate_crop_image

            boxes = engine(bgr)
            if boxes.boxes is None:
                return []
            corners = [np.asarray(box, np.float32) for box in boxes.boxes]
            lines = [get_rotate_crop_image(bgr, box.copy()) for box in corners]
        except Exception as error:
            raise ModelError(f"RapidOCR failed on a picture of {rgb.shape}: {error}") from error
        read = self.read_lines(lines)
        height, width = rgb.shape[:2]
        found = []
        for n, box in enumerate(corners):
            left, top = box.min(axis=0) / (width, height)
            text, confidence, unread = read[n]
            if unread and boxes.scores[n] < DETECTED:  # texture more often than text
                continue
            found.append(ReadLine(text, confidence, float(top), float(left), unread))
        return found

    def read_lines(self, lines: Sequence[Image]) -> list[tuple[str, float, str]]:
        """Text, confidence and, of what is not read, the script, for each line of one picture.

        A line that is neither read for sure nor surely of another script has no text and a confidence of 0.

        lines: (H, W, 3) uint8 BGR, cut out. Raises as `read`.
        """
        told = likely_scripts(self._teller.shares(lines))
        read: dict[int, tuple[str, float, str]] = {}
        for script in sorted({script if script in self._records else "" for script, _, _ in told}):
            numbers = [n for n, (one, _, _) in enumerate(told) if (one if one in self._records else "") == script]
            answers = self._recognised(script, [lines[n] for n in numbers])
            for n, (text, confidence) in zip(numbers, answers, strict=True):
                unread = "" if script else settled(*told[n][:2], text, confidence)
                surely = told[n][2] >= SURE and lines[n].shape[1] >= _LONG * lines[n].shape[0]
                read[n] = (text, confidence, "") if not unread else ("", float(surely), unread if surely else "")
        return [read[n] for n in range(len(lines))]

    def _recognised(self, script: str, lines: list[Image]) -> list[tuple[str, float]]:
        engine = self._engine(script)
        try:
            found = engine.recognize_txt(lines)
        except Exception as error:
            raise ModelError(f"RapidOCR failed to read {len(lines)} lines: {error}") from error
        return [(text.strip(), float(score)) for text, score in zip(found.txts, found.scores, strict=True)]

    def _engine(self, script: str) -> Any:
        """Of a script that is fetched; "" = the one in the wheel, which finds lines as well."""
        if script not in self._engines:
            params: dict[str, Any] = {}
            if script:
                spec = self._records[script]
                (name,) = spec.files
                folder = weights.folder(spec, weights_dir=self._weights_dir, offline=self._offline)
                params = {"Rec.model_path": str(folder / name)}
                if script == "arabic":
                    params |= _arabic()
            self._engines[script] = _load_rapidocr(self._threads, params)
        return self._engines[script]


def likely_scripts(shares: Floats) -> list[tuple[str, str, float]]:
    """Of each line of one picture what it may be in that is not of `BUNDLED`.

    That is the script if it is likely, else ""; the likeliest one; and its share.

    A few capitals look the same in Latin, Cyrillic and Greek: the lines of a picture are mostly of one script, so what
    the others are counts.

    Args:
        shares: (N, S) of `ScriptTeller.shares`.
    """
    others = (shares.sum(axis=0) - shares) / max(1, len(shares) - 1)
    weighed = shares * (_ALONE + others)
    weighed /= weighed.sum(axis=1, keepdims=True)
    found = []
    for row in weighed:
        order = [SCRIPTS[k] for k in np.argsort(-row)]
        other = next(script for script in order if script not in BUNDLED)
        share = float(row[SCRIPTS.index(other)])
        found.append((other if share >= LIKELY else "", other, share))
    return found


def settled(script: str, other: str, text: str, confidence: float) -> str:
    """The script that a line is told to be in without being read; "" where what the wheel's recogniser read holds.

    That one is sure of Latin and Chinese, and seldom of anything else but capitals that look the same.

    Args:
        script: As told by the look of the line; "" = of `BUNDLED`, or unsure.
        other: The likeliest one that is not of `BUNDLED`.
        text: What the recogniser read.
        confidence: Its own.
    """
    if not is_readable(text):
        return other
    letters = [char for char in text if char.isalpha()]
    if script in ("cyrillic", "greek"):
        proof = sum(char in _ONLY_LATIN or ord(char) > 0x7F for char in letters) >= _PROOF * max(1, len(letters))
    else:
        proof = len(letters) >= 2 or sum(map(str.isdigit, text)) >= 2
    return "" if not script or (proof and confidence >= PROVEN) else script


def is_readable(text: str) -> bool:
    """Whether most letters are of scripts that the recogniser in the wheel knows: Latin, Chinese, Japanese.

    Of Greek it knows the letters without accents and leaves the others out; of any other script it knows none, and
    takes some for Greek. A sign such as "10 Ω" is read.
    """
    known = len(_KNOWN.findall(text))
    return sum(char.isalpha() for char in text) - known <= max(1, known // 2)


_KNOWN = regex.compile(r"[\p{Latin}\p{Han}\p{Hiragana}\p{Katakana}]")


def _arabic() -> dict[str, Any]:
    """RapidOCR puts what it reads from left to right into the order of reading if it is told the language."""
    if importlib.util.find_spec("bidi") is None:
        raise missing_dependency("python-bidi", extra="ocr", purpose="reading Arabic script")
    from rapidocr import LangRec

    return {"Rec.lang_type": LangRec.ARABIC}


def _load_rapidocr(threads: int, params: dict[str, Any]) -> Any:
    with needs("rapidocr", extra="ocr", purpose="reading on-screen text"):
        from rapidocr import RapidOCR
    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,  # for turned pages, not for pictures of a video
            "Global.use_rec": False,  # found lines are sorted by script before they are read
            "Det.limit_type": "max",
            "Det.limit_side_len": DETECT_SIDE_PX,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            **params,
        }
    )
