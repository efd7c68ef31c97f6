"""Reading the lines of text in one picture: RapidOCR finds them, a script teller sorts them, recognisers read them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import regex

from vidembed.errors import ConfigError, ModelError, missing_dependency
from vidembed.models import registry, weights
from vidembed.sources.scripts import SCRIPTS, ScriptTeller
from vidembed.types import Floats, Image

# Detection at most at this size; PP-OCR's own setting enlarges small pictures, at three times the cost on 480p.
DETECT_SIDE_PX = 960
BUNDLED = ("latin", "cjk")  # what the recogniser in RapidOCR's wheel reads
SURE = 0.7  # so likely a script must be for a line to be given up, or given to another recogniser
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

            boxes = engine(bgr).boxes
            if boxes is None:
                return []
            corners = [np.asarray(box, np.float32) for box in boxes]
            lines = [get_rotate_crop_image(bgr, box.copy()) for box in corners]
        except Exception as error:
            raise ModelError(f"RapidOCR failed on a picture of {rgb.shape}: {error}") from error
        shares = self._teller.shares(lines)
        told = told_scripts(shares)
        read: dict[int, tuple[str, float, str]] = {}
        for script in sorted(set(told)):
            numbers = [n for n, one in enumerate(told) if one == script]
            if script in self._records or not script:
                answers = self._recognised(script, [lines[n] for n in numbers])
            else:
                answers = [("", 1.0, script)] * len(numbers)
            read.update(zip(numbers, answers, strict=True))
        for n, (text, confidence, _) in read.items():
            if not told[n] and not is_readable(text):
                read[n] = ("", confidence, _likeliest(shares[n]))
        height, width = rgb.shape[:2]
        found = []
        for n, box in enumerate(corners):
            left, top = box.min(axis=0) / (width, height)
            text, confidence, unread = read[n]
            found.append(ReadLine(text, confidence, float(top), float(left), unread))
        return found

    def _recognised(self, script: str, lines: list[Image]) -> list[tuple[str, float, str]]:
        engine = self._engine(script)
        try:
            found = engine.recognize_txt(lines)
        except Exception as error:
            raise ModelError(f"RapidOCR failed to read {len(lines)} lines: {error}") from error
        return [(text.strip(), float(score), "") for text, score in zip(found.txts, found.scores, strict=True)]

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


def told_scripts(shares: Floats) -> list[str]:
    """Of each line of one picture the script that is surely not of `BUNDLED`; else "".

    A few capitals look the same in Latin, Cyrillic and Greek: the lines of a picture are mostly of one script, so what
    the others are counts.

    Args:
        shares: (N, S) of `ScriptTeller.shares`.
    """
    if not len(shares):
        return []
    others = (shares.sum(axis=0) - shares) / max(1, len(shares) - 1)
    weighed = shares * (_ALONE + others)
    weighed /= weighed.sum(axis=1, keepdims=True)
    names = [SCRIPTS[k] for k in weighed.argmax(axis=1)]
    return [name if name not in BUNDLED and row.max() >= SURE else "" for name, row in zip(names, weighed, strict=True)]


def is_readable(text: str) -> bool:
    """Whether most letters are of scripts that the recogniser in the wheel knows: Latin, Chinese, Japanese.

    Of Greek it knows the letters without accents and leaves the others out; of any other script it knows none, and
    takes some for Greek. A sign such as "10 Ω" is read.
    """
    known = len(_KNOWN.findall(text))
    return sum(char.isalpha() for char in text) - known <= max(1, known // 2)


_KNOWN = regex.compile(r"[\p{Latin}\p{Han}\p{Hiragana}\p{Katakana}]")


def _likeliest(shares: Floats) -> str:
    """The likeliest script that the recogniser in the wheel does not read."""
    order = [SCRIPTS[k] for k in np.argsort(-shares)]
    return next(script for script in order if script not in BUNDLED)


def _arabic() -> dict[str, Any]:
    """RapidOCR puts what it reads from left to right into the order of reading if it is told the language."""
    if importlib.util.find_spec("bidi") is None:
        raise missing_dependency("python-bidi", extra="ocr", purpose="reading Arabic script")
    from rapidocr import LangRec

    return {"Rec.lang_type": LangRec.ARABIC}


def _load_rapidocr(threads: int, params: dict[str, Any]) -> Any:
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise missing_dependency("rapidocr", extra="ocr", purpose="reading on-screen text") from error
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
