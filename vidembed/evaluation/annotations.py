"""Annotation files as records that know where they stand, so that a wrong one is named by file and line.

JSON is read fast first; only when a record turns out wrong is the file read again to find its line. Files are data:
nothing in them is run, pickled files are refused.
"""

from __future__ import annotations

import bisect
import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from json import decoder, scanner
from pathlib import Path
from typing import Any

from vidembed.errors import InputError
from vidembed.types import Span

Line = Callable[[], int]


class BrokenSpan(InputError):
    """A row whose span cannot be: official files have a few, which readers leave out and count."""


class Annotation:
    """One entry of an annotation file. Asking for a field that is missing or wrong raises InputError."""

    def __init__(self, fields: Mapping[str, Any], file: Path, line: Line) -> None:
        self.fields = fields
        self._file = file
        self._line = line

    def wrong(self, message: str, *, hint: str = "") -> InputError:
        """The error for this record, to be raised by the caller."""
        return InputError(f"{self._file}:{self._line()}: {message}", hint=hint)

    def broken(self, message: str) -> BrokenSpan:
        """The error for a span of this record that cannot be, to be raised by the caller."""
        return BrokenSpan(f"{self._file}:{self._line()}: {message}")

    def renamed(self, fields: Mapping[str, Any]) -> Annotation:
        """The record at the same place with other fields."""
        return Annotation(fields, self._file, self._line)

    def __contains__(self, name: str) -> bool:
        return self.fields.get(name) not in (None, "")

    def get(self, name: str) -> Any:
        """The value of a field. Raises InputError where it is missing."""
        if name not in self.fields or self.fields[name] is None:
            known = ", ".join(map(str, list(self.fields)[:12])) or "none"
            raise self.wrong(f"missing field {name!r}", hint=f"fields there: {known}")
        return self.fields[name]

    def text(self, name: str) -> str:
        """A string that is not blank."""
        value = self.get(name)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(f"field {name!r} must be text, got {value!r}")
        return " ".join(value.split())

    def key(self, name: str) -> str:
        """A name or number as text."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
            raise self.wrong(f"field {name!r} must be a name or a whole number, got {value!r}")
        return str(value).strip()

    def number(self, name: str) -> float:
        """The value of a field as a finite number. Raises InputError."""
        return self.as_number(self.get(name), name)

    def as_number(self, value: Any, name: str) -> float:
        """A value as a finite number; name: of the field, for the message."""
        try:
            number = float(value) if not isinstance(value, bool) else math.nan
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise self.wrong(f"{name!r} must be a finite number, got {value!r}")
        return number

    def list(self, name: str, *, length: int | None = None) -> list[Any]:
        """The value of a field as a list, of a length where that is given. Raises InputError."""
        value = self.get(name)
        if not isinstance(value, list) or (length is not None and len(value) != length):
            wanted = "a list" if length is None else f"a list of {length}"
            raise self.wrong(f"field {name!r} must be {wanted}, got {str(value)[:60]!r}")
        return value

    def span(self, start: Any, end: Any) -> Span:
        """The span of two values in seconds. Raises BrokenSpan when it ends before it starts, or is empty."""
        start_s, end_s = self.as_number(start, "start"), self.as_number(end, "end")
        if start_s < 0:
            raise self.broken(f"the span starts before 0: {start_s:g}")
        if end_s <= start_s:
            raise self.broken(f"the span ends at {end_s:g} s, not after its start at {start_s:g} s")
        return Span(start_s, end_s)

    def pair(self, value: Any) -> Span:
        """The span of a list of two numbers."""
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise self.wrong(f"a span is [start, end], got {str(value)[:60]!r}")
        return self.span(value[0], value[1])


def read_text(path: Path) -> str:
    """The text of a UTF-8 file (a byte order mark is dropped). Raises InputError naming the line that is not UTF-8."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(
            f"no such annotation file: {path}", hint="check the path; docs/evaluation.md has the forms"
        ) from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if raw[:1] == b"\x80" or path.suffix in (".pkl", ".pickle"):
        raise InputError(
            f"{path} is a pickle, which may run code when it is opened",
            hint="use the data set's JSON, CSV or text file",
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: not UTF-8: {error.reason}", hint="save the file as UTF-8") from error


def read_json(path: Path) -> tuple[Any, Callable[[Any, Sequence[str | int]], Annotation]]:
    """The parsed file and `record(fields, trail)`, which wraps the object that lies at `trail` in it."""
    text = read_text(path)

    def no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):  # json would keep the last one in silence
            key = next(key for i, (key, _) in enumerate(pairs) if any(key == other for other, _ in pairs[:i]))
            places = [match.start() for match in re.finditer(re.escape(json.dumps(key)) + r"\s*:", text)]
            line = text.count("\n", 0, places[1]) + 1 if len(places) > 1 else 1
            raise InputError(f"{path}:{line}: duplicate key {key!r}")
        return fields

    try:
        data = json.loads(text, object_pairs_hook=no_key_twice)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error

    def record(fields: Any, trail: Sequence[str | int]) -> Annotation:
        if not isinstance(fields, dict):
            line = _line_of(text, trail[:-1]) if trail else 1
            raise InputError(f"{path}:{line}: expected an object at {_dotted(trail)}, got {str(fields)[:60]!r}")
        return Annotation(fields, path, lambda: _line_of(text, trail))

    return data, record


def json_records(path: Path, *trail: str) -> Iterator[Annotation]:
    """The objects of the list at `trail` ("sentences") of a JSON file; no trail: the file is the list."""
    data, record = read_json(path)
    for i, name in enumerate(trail):
        data = record(data, trail[:i]).get(name)
    if not isinstance(data, list):
        raise InputError(f"{path}:1: expected a list at {_dotted(trail)}, got {type(data).__name__}")
    for i, fields in enumerate(data):
        yield record(fields, (*trail, i))


def jsonl_records(path: Path) -> Iterator[Annotation]:
    """One JSON object a line; blank lines are skipped."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}:{number}: not JSON: {error.msg}") from error
        if not isinstance(fields, dict):
            raise InputError(f"{path}:{number}: expected an object, got {str(fields)[:60]!r}")
        yield Annotation(fields, path, lambda number=number: number)  # type: ignore[misc]


def csv_records(path: Path, *, delimiter: str = ",") -> Iterator[Annotation]:
    """Rows of a CSV file with a header line; names and values without blanks around them."""
    rows = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            number = rows.line_num
            fields = {name: cell.strip() for name, cell in zip(header, row)}
            record = Annotation(fields, path, lambda number=number: number)  # type: ignore[misc]
            if len(row) > len(header):
                raise record.wrong(f"{len(row)} cells for {len(header)} columns", hint="quote texts that have commas")
            yield record
    except csv.Error as error:
        raise InputError(f"{path}:{rows.line_num}: not CSV: {error}") from error


def line_records(path: Path, split: Callable[[str], Mapping[str, Any] | None]) -> Iterator[Annotation]:
    """Lines of a text file, each split into fields; "#" comments and blank lines are skipped.

    `split` returns None for a line it cannot understand.
    """
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = split(line)
        if fields is None:
            raise InputError(f"{path}:{number}: cannot understand the line {line[:80]!r}")
        yield Annotation(fields, path, lambda number=number: number)  # type: ignore[misc]


def _dotted(trail: Sequence[str | int]) -> str:
    return ".".join(map(str, trail)) or "the top"


def _line_of(text: str, trail: Sequence[str | int]) -> int:
    """The line where the object or list element at `trail` begins; the nearest object around it for plain values."""
    value = _PlacedDecoder(text).decode(text)
    line = 1
    for step in trail:
        value = value[step]
        line = value.line if isinstance(value, _Placed) else line
    return line


class _Placed(dict[str, Any]):
    line = 1


class _PlacedDecoder(json.JSONDecoder):
    """Parses with Python's own scanner, slowly, and notes the line of each object."""

    def __init__(self, text: str) -> None:
        super().__init__()
        ends = [i for i, char in enumerate(text) if char == "\n"]

        def parse(state: tuple[str, int], *args: Any, **kwargs: Any) -> tuple[_Placed, int]:
            fields, end = decoder.JSONObject(state, *args, **kwargs)  # type: ignore[attr-defined]
            placed = _Placed(fields)
            placed.line = bisect.bisect_left(ends, state[1] - 1) + 1
            return placed, end

        self.parse_object = parse
        self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]
