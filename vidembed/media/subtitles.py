"""Subtitles that exist already: files beside a video, read by content; a broken cue is counted, none is lost.

SubRip (no standard; what players accept), WebVTT (W3C), Advanced SubStation Alpha (its `Dialogue` lines).
"""

from __future__ import annotations

import codecs
import html
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vidembed.errors import InputError
from vidembed.files import folded
from vidembed.media.kinds import MEDIA_EXTENSIONS
from vidembed.types import Span, SubtitleKind, SubtitleTrack, TextLine

SUFFIXES = (".srt", ".vtt", ".ass", ".ssa")
FOLDERS = ("subs", "subtitles")  # beside the video, in any spelling of case
MAX_BYTES = 32 << 20  # 100,000 cues take about 8 MB
SHORTEST_S = 0.01  # a cue that ends before it begins is shown so long


def read(path: Path, video: Path) -> SubtitleTrack:
    """Read a subtitle file; its language and kind by what its name adds to the video's.

    Raises:
        InputError: It cannot be read, is too large, or holds no cue.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_BYTES:
            raise InputError(f"{path.name}: {size_bytes:,} bytes of subtitles; at most {MAX_BYTES:,} are read")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", hint="check the path") from error
    language, kind = described(_words_of(path, video))
    lines, broken = parse(decode(content, language))
    if not lines:
        raise InputError(f"{path.name}: no subtitle in it", hint=f"known are {', '.join(SUFFIXES)}")
    return SubtitleTrack(lines, path.name, language, kind, broken=broken)


def read_all(video: Path) -> list[SubtitleTrack]:
    """The subtitle files beside a video that can be read; a warning for each other one."""
    tracks = []
    for path in beside(video):
        try:
            tracks.append(read(path, video))
        except InputError as error:
            logging.getLogger(__name__).warning("subtitles left out: %s", error)
    return tracks


def beside(video: Path) -> list[Path]:
    """The subtitle files of a video, by name.

    `NAME.srt`, `NAME.en.srt`, `NAME.en.forced.vtt` beside `NAME.mp4` or in `Subs/`; all files in `Subs/NAME/`; and all
    in `Subs/` where the video's folder holds no other video. Other words after the name belong to another file.
    """
    found = [path for path in _files(video.parent) if _is_of(path, video)]
    for folder in _children(video.parent):
        if folder.name.casefold() in FOLDERS and folder.is_dir():
            inside = _files(folder)
            found += [path for path in inside if _is_of(path, video)] or (inside if _stands_alone(video) else [])
            found += [
                path for own in _children(folder) if folded(own.name) == folded(video.stem) for path in _files(own)
            ]
    return sorted(found)


def described(words: Iterable[str]) -> tuple[str | None, SubtitleKind]:
    """Language and kind by the words of a file's or track's name: ("en", "sdh") from ["eng", "SDH"]."""
    language: str | None = None
    kind: SubtitleKind = "full"
    for word in words:
        if word.casefold() in _KINDS and (language is not None or word.casefold() != "hi"):  # hi: Hindi, or this
            kind = _KINDS[word.casefold()]
        else:
            language = language or language_code(word)
    return language, kind


def language_code(word: str) -> str | None:
    """ISO 639-1 code of a tag or an English or own name of a language; None for other words."""
    import langcodes  # with its tables of names: only where a name is looked up

    try:
        found = langcodes.Language.get(word) if len(word) < 4 or "-" in word else langcodes.find(word)
    except LookupError:
        return None
    # Of three letters "new", "old", "sub" and "sdh" are languages, too; those that people mean shorten to two.
    code = found.language or ""
    return code if (len(code) == 2 or code in _LONG_CODES) and langcodes.tag_is_valid(code) else None


def decode(content: bytes, language: str | None = None) -> str:
    """The text of a file in any encoding.

    UTF-8, UTF-16 and UTF-32 show themselves. Of the 8-bit ones it is the Windows code page of the language where that
    is known, else chardet's guess.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return content.decode(name, errors="replace")
    if content[:200].count(0) > len(content[:200]) // 4:
        return content.decode("utf-16-be" if content[:1] == b"\0" else "utf-16-le", errors="replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if language in _CODE_PAGES:
        return content.decode(_CODE_PAGES[language], errors="replace")
    import chardet

    told = chardet.detect(content, encoding_era=chardet.EncodingEra.MODERN_WEB)["encoding"]
    return content.decode(told or "cp1252", errors="replace")


def parse(text: str) -> tuple[tuple[TextLine, ...], int]:
    """The cues of SubRip, WebVTT or ASS text in order of time, and how many of them end before they begin."""
    rows = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if any(row.strip().casefold() == "[events]" for row in rows):
        cues = list(_ass(rows))
    else:
        cues = list(_timed(rows, blocks=text.lstrip("\ufeff \n").startswith("WEBVTT")))
    broken = sum(end_s <= start_s for start_s, end_s, _ in cues)
    lines = [
        TextLine(Span(start_s, max(end_s, start_s + SHORTEST_S)), words)
        for start_s, end_s, marked in cues
        if (words := plain(marked))
    ]
    return tuple(sorted(lines, key=lambda line: line.span)), broken


def plain(marked: str) -> str:
    """A cue's words: tags, override codes and entities of all formats undone, white space made single."""
    if _DRAWING.search(marked):
        return ""
    text = _TAGS.sub("", _CODES.sub("", marked))
    text = html.unescape(re.sub(r"\\[Nnh]", " ", text))
    return " ".join("".join(ch for ch in text if ch.isprintable() or ch.isspace()).split())


# -- Parts -------------------------------------------------------------------------------------------------------------

_KINDS: dict[str, SubtitleKind] = {"forced": "forced", "foreign": "forced", "sdh": "sdh", "cc": "sdh", "hi": "sdh"}
_LONG_CODES = ("cmn", "fil", "yue")
_PLAIN_WORDS = ("full", "default", "subs", "subtitles")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_CODE_PAGES = {
    **dict.fromkeys(("cs", "hr", "hu", "pl", "ro", "sk", "sl"), "cp1250"),
    **dict.fromkeys(("be", "bg", "mk", "ru", "sr", "uk"), "cp1251"),
    **dict.fromkeys(("da", "de", "en", "es", "fi", "fr", "it", "nl", "no", "pt", "sv"), "cp1252"),
    **dict.fromkeys(("et", "lt", "lv"), "cp1257"),
    "ar": "cp1256", "el": "cp1253", "fa": "cp1256", "he": "cp1255", "ja": "cp932", "ko": "cp949", "th": "cp874",
    "tr": "cp1254", "vi": "cp1258", "zh": "gb18030",
}  # fmt: skip
_CLOCK = r"(?:(\d+)\s*:\s*)?(\d{1,2})\s*:\s*(\d{1,2})(?:\s*[.,:]\s*(\d{1,3}))?"
_TIMING = re.compile(rf"^\s*{_CLOCK}\s*--+>\s*{_CLOCK}(?!\d)")
_TAGS = re.compile(r"</?[A-Za-z][^<>]*>|<\d+:\d+[\d:.]*>")
_CODES = re.compile(r"\{\\[^{}]*\}")
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9]")


def _timed(rows: Sequence[str], *, blocks: bool) -> Iterator[tuple[float, float, str]]:
    """(start_s, end_s, text) of each timing line. blocks: text ends at an empty line, as in WebVTT."""
    timings = [(number, found) for number, row in enumerate(rows) if (found := _TIMING.match(row))]
    if blocks:
        notes = _notes(rows)
        timings = [(number, found) for number, found in timings if number not in notes]
    for place, (number, found) in enumerate(timings):
        following = timings[place + 1][0] if place + 1 < len(timings) else len(rows)
        text = list(rows[number + 1 : following])
        if blocks:
            text = text[: next((i for i, row in enumerate(text) if not row.strip()), len(text))]
        elif following < len(rows):
            text = _without_counter(text, _counter(rows, number))
        yield _seconds(found.groups()[:4]), _seconds(found.groups()[4:]), "\n".join(text)


def _notes(rows: Sequence[str]) -> set[int]:
    """Numbers of the lines that belong to a comment, style or region of WebVTT: up to the next empty line."""
    found: set[int] = set()
    inside, before = False, ""
    for number, row in enumerate(rows):
        if not before.strip():
            inside = re.match(r"\s*(NOTE|STYLE|REGION)\b", row) is not None
        before = row
        if inside:
            found.add(number)
    return found


def _counter(rows: Sequence[str], number: int) -> int | None:
    """The number of the cue whose timing line this is."""
    before = rows[number - 1].strip() if number else ""
    return int(before) if before.isdecimal() and len(before) < 10 else None


def _without_counter(text: list[str], own: int | None) -> list[str]:
    """A cue's lines without the next one's number, which stands after an empty line or counts on."""
    while text and not text[-1].strip():
        text.pop()
    last = text[-1].strip().lstrip("\ufeff") if text else ""
    if last.isdecimal() and len(last) < 10 and (len(text) == 1 or not text[-2].strip() or int(last) - 1 == own):
        text.pop()
    return text


def _seconds(parts: Sequence[str | None]) -> float:
    """Hours, minutes, seconds, milliseconds; ",5" is 5 ms, as players read it."""
    hours, minutes, whole, ms = (int(part or 0) for part in parts)
    return (((hours * 60 + minutes) * 60 + whole) * 1000 + ms) / 1000


def _ass(rows: Sequence[str]) -> Iterator[tuple[float, float, str]]:
    """(start_s, end_s, text) of each Dialogue line; its fields are named by the Format line."""
    names, inside = ["layer", "start", "end", "style", "name", "l", "r", "v", "effect", "text"], False
    for row in rows:
        key, _, rest = row.strip().lstrip("\ufeff").partition(":")
        if row.strip().startswith("["):
            inside = row.strip().casefold() == "[events]"
        elif inside and key.casefold() == "format":
            names = [name.strip().casefold() for name in rest.split(",")]
        elif inside and key.casefold() == "dialogue":
            fields = dict(zip(names, rest.lstrip().split(",", len(names) - 1), strict=False))
            times = [re.match(r"\s*(\d+):(\d+):(\d+(?:\.\d+)?)", fields.get(name, "")) for name in ("start", "end")]
            if times[0] and times[1]:
                start_s, end_s = (int(t[1]) * 3600 + int(t[2]) * 60 + float(t[3]) for t in times if t)
                yield start_s, end_s, fields.get("text", "")


def _is_of(path: Path, video: Path) -> bool:
    """Whether the file's name is the video's, followed by nothing but a language and kinds."""
    name, stem = folded(path.stem), folded(video.stem)
    if name in (stem, folded(video.name)):
        return True
    words = _words_of(path, video) if name.startswith((f"{stem}.", f"{stem}_", f"{stem}-")) else []
    return bool(words) and all(
        word.casefold() in _KINDS or word.casefold() in _PLAIN_WORDS or language_code(word) for word in words
    )


def _words_of(path: Path, video: Path) -> list[str]:
    """What a subtitle's name adds to the video's: "talk.en.forced" -> ["en", "forced"], "2_English" -> ["English"]."""
    name, stem = folded(path.stem), folded(video.stem)
    rest = name[len(stem) :] if name.startswith(stem) else name
    return [part for part in re.split(r"[._\s]+", rest.lstrip("-")) if part and not part.isdecimal()]


def _files(folder: Path) -> list[Path]:
    return [path for path in _children(folder) if path.suffix.casefold() in SUFFIXES and path.is_file()]


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _stands_alone(video: Path) -> bool:
    others = (path for path in _children(video.parent) if path != video)
    return not any(path.suffix.casefold() in MEDIA_EXTENSIONS for path in others)
