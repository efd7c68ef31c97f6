"""Lines of text in many scripts, drawn as a detector of text would cut them out of a video's picture."""

from __future__ import annotations

import functools
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from vidembed.sources.scripts import HEIGHT_PX, SCRIPTS

# Families that no training line is drawn in.
HELD_OUT = (
    "DejaVu", "Lato", "PT Serif", "Carlito", "Caladea", "EB Garamond", "Comic Neue", "Hack", "Play", "Cabin",
    "Universalis", "GFS Didot", "Scheherazade", "Thabit", "KacstTitle", "Ezra", "Frank", "Miriam", "Noto Serif CJK",
    "AR PL UKai", "IPAMincho", "IPAPMincho", "NanumMyeongjo", "Baekmuk", "Lohit", "Kalimati", "Garuda", "Kinnari",
    "FreeSerif",
)  # fmt: skip
_LANGUAGES = {
    "latin": "en de fr es it pt nl pl cs sv tr vi ro hu fi is lt lv sk sl sh ca da nb id fil ms",
    "cjk": "zh ja",
    "hangul": "ko",
    "cyrillic": "ru uk bg mk",
    "greek": "el",
    "arabic": "ar fa ur",
    "hebrew": "he",
    "devanagari": "hi",
}
# Letters of scripts that are told as "other", with no word list: words are drawn from them at random.
_OTHERS = {
    "armenian": (0x531, 0x587), "georgian": (0x10D0, 0x10F1), "bengali": (0x985, 0x9B9), "tamil": (0xB85, 0xBB9),
    "telugu": (0xC05, 0xC39), "kannada": (0xC85, 0xCB9), "malayalam": (0xD05, 0xD39), "gujarati": (0xA85, 0xAB9),
    "gurmukhi": (0xA05, 0xA39), "sinhala": (0xD85, 0xDC6), "ethiopic": (0x1200, 0x1290), "khmer": (0x1780, 0x17B3),
    "myanmar": (0x1000, 0x1020),
}  # fmt: skip
_NEEDED = {  # what a font must have to be of a script
    "latin": "AZazgq059é", "cjk": "中国人日的。", "hangul": "한국어는", "cyrillic": "ЖЯбфщэ", "greek": "ΩΨθξάώ",
    "arabic": "بجسعيةلا", "hebrew": "אבגםשת", "devanagari": "कखनमािी", "thai": "กขคงาิ",
    **{name: "".join(map(chr, range(first, first + 3))) for name, (first, _) in _OTHERS.items()},
}  # fmt: skip
# Not letters, or nearly the same as another font.
_UNFIT = (
    "Initials", "Keyboard", "Drawing", "Symbols", "Awesome", "Emoji", "Quran", "Last Resort", "Upper", "CSUR", "Sample",
    "Mono CJK", "CJK HK", "CJK TC", "UMing HK", "UMing TW", "UKai HK", "UKai TW", "Hei Mono", "Hei Sharp", "YetHangul",
    "Unifont-JP", " UI", "Minus", "Shofar", "Rashi",
)  # fmt: skip
_PER_LANGUAGE, _PER_FAMILY, _LONGEST = 6000, 4, 400  # words; files; pixels


def collect_words() -> dict[str, dict[str, list[str]]]:
    """Script -> language -> common words. Needs the packages wordfreq and pythainlp."""
    from pythainlp.corpus import thai_words
    from wordfreq import top_n_list

    found: dict[str, dict[str, list[str]]] = {}
    for script, languages in _LANGUAGES.items():
        for language in languages.split():
            words = [w for w in top_n_list(language, 4 * _PER_LANGUAGE) if _of_script(w, script)]
            found.setdefault(script, {})[language] = words[:_PER_LANGUAGE]
    thai = sorted(thai_words())
    found["thai"] = {"th": thai[:: max(1, len(thai) // _PER_LANGUAGE)]}
    rng = np.random.default_rng(0)
    found["other"] = {}
    for name, (first, last) in _OTHERS.items():
        letters = [chr(c) for c in range(first, last) if chr(c).isalpha()]
        lengths = rng.integers(2, 10, 1500)
        found["other"][name] = ["".join(rng.choice(letters, n)) for n in lengths]
    return found


def _of_script(word: str, script: str) -> bool:
    import unicodedata

    names = {
        "latin": ("LATIN",), "cjk": ("CJK", "HIRAGANA", "KATAKANA"), "hangul": ("HANGUL",), "cyrillic": ("CYRILLIC",),
        "greek": ("GREEK",), "arabic": ("ARABIC",), "hebrew": ("HEBREW",), "devanagari": ("DEVANAGARI",),
    }[script]  # fmt: skip
    letters = [c for c in word if c.isalpha()]
    return bool(letters) and all(unicodedata.name(c, "").startswith(names) for c in letters)


def collect_fonts(folder: Path, used: set[str]) -> list[dict[str, Any]]:
    """Fonts below a folder: file, number in the file, family, scripts, the used letters it lacks. Needs fontTools."""
    from fontTools.ttLib import TTCollection, TTFont

    found = []
    for path in sorted(folder.rglob("*.[to]t[fc]")):
        many = TTCollection(path, lazy=True).fonts if path.suffix == ".ttc" else [TTFont(path, lazy=True)]
        for number, font in enumerate(many):
            family = str(font["name"].getDebugName(16) or font["name"].getDebugName(1) or path.stem)
            letters = set(font.getBestCmap() or ())
            scripts = [script for script, needed in _NEEDED.items() if letters.issuperset(map(ord, needed))]
            if scripts and not any(word in family for word in _UNFIT):
                held_out = any(family.startswith(name) for name in HELD_OUT)
                about = {"file": str(path.relative_to(folder)), "number": number, "family": family, "scripts": scripts}
                has = "".join(sorted(c for c in used if ord(c) in letters))
                found.append({**about, "held_out": held_out, "has": has})
    families: dict[str, list[dict[str, Any]]] = {}
    for font in found:
        families.setdefault(font["family"], []).append(font)
    return [font for some in families.values() for font in some[:: -(-len(some) // _PER_FAMILY)]]


class Drawer:
    """Draws lines of one part: of fonts and words that the other part never sees."""

    def __init__(self, data: Path, *, held_out: bool, seed: int) -> None:
        """data: has words.json, fonts.json and the folder fonts."""
        self._rng = np.random.default_rng(seed)
        self._folder = data / "fonts"
        words = json.loads((data / "words.json").read_text("utf-8"))
        # Every tenth word is held out.
        self._words = {
            script: {
                language: [w for n, w in enumerate(some) if (n % 10 == 9) == held_out] for language, some in by.items()
            }
            for script, by in words.items()
        }
        self._fonts: dict[str, dict[str, list[tuple[str, int, frozenset[str]]]]] = {}
        for font in json.loads((data / "fonts.json").read_text("utf-8")):
            if font["held_out"] == held_out:
                for script in font["scripts"]:
                    family = self._fonts.setdefault(script, {}).setdefault(font["family"], [])
                    family.append((font["file"], font["number"], frozenset(font["has"])))

    def line(self, script: str, count: int | None = None) -> tuple[NDArray[np.uint8], str]:
        """((H, W) uint8 grey, H = HEIGHT_PX, W as it comes; the text). count: of words; None = some."""
        rng = self._rng
        languages = [name for name in self._words[script] if script != "other" or name in self._fonts]
        language = str(rng.choice(languages))
        families = self._fonts[language if script == "other" else script]
        while True:
            text = self._text(script, language, count)
            family = list(families)[rng.integers(len(families))]
            file, number, has = families[family][rng.integers(len(families[family]))]
            if has.issuperset(text.replace(" ", "")):
                break
        size = int(rng.integers(12, 49))
        picture = _draw(text, _font(str(self._folder / file), size, number), rng)
        return _spoilt(picture, rng), text

    def _text(self, script: str, language: str, count: int | None) -> str:
        rng = self._rng
        words = self._words[script][language]
        if count is None and script == "latin" and rng.random() < 0.12:
            return _number(rng)
        n = int(rng.choice([1, 1, 2, 2, 3, 4, 5, 6])) if count is None else count
        chosen = [words[rng.integers(len(words))] for _ in range(n)]
        if rng.random() < 0.5:  # common words are short: half of the lines have longer ones
            chosen = [max(words[rng.integers(len(words))], word, key=len) for word in chosen]
        case = rng.random()
        chosen = (
            [w.upper() for w in chosen]
            if case < 0.35
            else [w.capitalize() for w in chosen]
            if case < 0.6
            else [chosen[0].capitalize(), *chosen[1:]]
            if case < 0.8
            else chosen
        )
        if count is None and rng.random() < 0.15:
            chosen.insert(int(rng.integers(len(chosen) + 1)), _number(rng))
        if count is None and script not in ("latin", "other") and n > 2 and rng.random() < 0.15:  # a name in Latin
            latin = self._words["latin"]["en"]
            chosen[int(rng.integers(n))] = latin[rng.integers(len(latin))].capitalize()
        text = ("" if script in ("cjk", "thai") and rng.random() < 0.7 else " ").join(chosen)
        return text + str(rng.choice(["", "", "", ".", "!", "?", ",", ":", "..."]))


def _number(rng: np.random.Generator) -> str:
    a, b = int(rng.integers(0, 3000)), int(rng.integers(10, 60))
    forms = [f"{a}", f"{a % 24}:{b}", f"{a}-{b}", f"{b}%", f"{a},{b}", f"{a % 31}.{b % 12}.{2000 + b}", f"({b})"]
    return str(rng.choice(forms))


@functools.lru_cache(400)
def _font(file: str, size: int, number: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size, index=number)


def _draw(text: str, font: ImageFont.FreeTypeFont, rng: np.random.Generator) -> Image.Image:
    """The text over some background, with margins as a detector leaves them."""
    stroke = int(rng.choice([0, 0, 0, 1, 2])) if font.size > 16 else 0
    left, top, right, bottom = font.getbbox(text, stroke_width=stroke)
    width, height = max(4, int(right - left)), max(6, int(bottom - top))
    around = [int(height * share) for share in rng.uniform(0.02, 0.4, 4)]
    size = (min(width, 2000) + around[0] + around[2], height + around[1] + around[3])
    back, fore = _two_greys(rng)
    picture = _background(size, back, rng)
    draw = ImageDraw.Draw(picture)
    at = (around[0] - left, around[1] - top)
    if rng.random() < 0.2:
        draw.text((at[0] + 2, at[1] + 2), text, font=font, fill=255 - fore)
    draw.text(at, text, font=font, fill=fore, stroke_width=stroke, stroke_fill=255 - fore)
    if rng.random() < 0.3:
        picture = picture.rotate(float(rng.normal(0, 1.2)), Image.Resampling.BILINEAR, fillcolor=back)
    if rng.random() < 0.15:
        shear = float(rng.normal(0, 0.15))
        moved = (1, shear, -shear * picture.height / 2, 0, 1, 0)
        how = {"resample": Image.Resampling.BILINEAR, "fillcolor": back}
        picture = picture.transform(picture.size, Image.Transform.AFFINE, moved, **how)
    return picture


def _two_greys(rng: np.random.Generator) -> tuple[int, int]:
    while True:
        back, fore = (int(value) for value in rng.integers(0, 256, 2))
        if abs(back - fore) > 50:
            return back, fore


def _background(size: tuple[int, int], grey: int, rng: np.random.Generator) -> Image.Image:
    kind = rng.random()
    if kind < 0.45:
        return Image.new("L", size, grey)
    cells = (int(rng.integers(2, 12)), int(rng.integers(2, 5))) if kind < 0.85 else (size[0] // 2 + 1, size[1] // 2 + 1)
    field = rng.normal(grey, rng.uniform(5, 28), cells[::-1]).clip(0, 255).astype(np.uint8)
    return Image.fromarray(field).resize(size, Image.Resampling.BICUBIC)


def _spoilt(picture: Image.Image, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blurred, noisy, compressed; then at the height that the network looks at."""
    if rng.random() < 0.35:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.03 * picture.height + 0.4))))
    if rng.random() < 0.3:
        noisy = np.asarray(picture, np.float32) + rng.normal(0, rng.uniform(2, 12), (picture.height, picture.width))
        picture = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    if rng.random() < 0.5:
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=int(rng.integers(20, 90)))
        picture = Image.open(packed)
    width = max(8, round(picture.width * HEIGHT_PX / picture.height))
    return np.asarray(picture.resize((width, HEIGHT_PX), Image.Resampling.BILINEAR))


def draw_many(data: str, held_out: bool, seed: int, count: int) -> list[tuple[NDArray[np.uint8], int]]:
    """Lines with the number of their script, most of those scripts that are hard to tell apart."""
    drawer, rng = Drawer(Path(data), held_out=held_out, seed=seed), np.random.default_rng(seed + 1)
    shares = np.array([{"latin": 3.0, "cyrillic": 3.0, "greek": 2.0}.get(script, 1.0) for script in SCRIPTS])
    made = []
    for which in rng.choice(len(SCRIPTS), count, p=shares / shares.sum()):
        picture, _ = drawer.line(SCRIPTS[which])
        if picture.shape[1] > _LONGEST:
            start = int(rng.integers(picture.shape[1] - _LONGEST + 1))
            picture = picture[:, start : start + _LONGEST]
        made.append((np.ascontiguousarray(picture), int(which)))
    return made


def letters_of(words: dict[str, dict[str, list[str]]]) -> set[str]:
    """All that a line may be made of."""
    found = set(map(chr, range(33, 127)))
    for word in (word for by in words.values() for some in by.values() for word in some):
        found.update(word, word.upper(), word.capitalize())
    return found
