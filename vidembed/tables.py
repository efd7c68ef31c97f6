"""Tables: the rows of CSV, JSON Lines and Parquet files, and writing Parquet row by row.

Parquet goes through pyarrow (extra "parquet"), which is imported when a file is opened. What is read is data only: no
pickled objects, no code (parquet.apache.org/docs/file-format).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vidembed.errors import needs
from vidembed.files import part_of, writing

PARQUET = frozenset({".parquet", ".pq"})
EXTENSIONS = (".csv", ".jsonl", *sorted(PARQUET))
_READ_ROWS = 4096  # held at once while reading
_GROUP_ROWS = 8192  # of one row group of a written file


def rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | ValueError]]:
    """(line, its fields by name) of a file of `EXTENSIONS`; of Parquet the number of the row. Blank lines are left out.

    A line that is no JSON object has the error in its place: whoever reads says whether the others count.

    Raises:
        ValueError: The file as a whole cannot be read.
        MissingDependency: Parquet without pyarrow.
    """
    if path.suffix.lower() in PARQUET:
        yield from enumerate(read_rows(path), start=1)
        return
    try:
        if path.suffix.lower() == ".csv":
            yield from _csv_rows(path)
            return
        with path.open(encoding="utf-8-sig") as lines:
            yield from ((n, _json_row(n, line)) for n, line in enumerate(lines, start=1) if line.strip())
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text: {error}") from error


def csv_cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of a CSV file, parted by commas, or as its header is by semicolons or tabs.

    Raises ValueError for what is no UTF-8 text or no CSV.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        first = lines.readline()
        lines.seek(0)
        table = csv.reader(lines, delimiter=_mark(first))
        try:
            yield from ((table.line_num, cells) for cells in table)
        except csv.Error as error:
            raise ValueError(
                f"line {table.line_num} is not valid CSV, or a quote before it is not closed: {error}"
            ) from error


def _mark(first: str) -> str:
    """What parts the cells: spreadsheets take ";" where numbers have a decimal comma. A file's name may hold one."""
    return next((mark for mark in ";\t" if mark in first and re.fullmatch(rf'[\w "{mark}]+', first.rstrip())), ",")


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    table = csv_cells(path)
    _, header = next(table, (0, list[str]()))
    for line, cells in table:
        if cells:
            yield line, {name: cell for name, cell in zip_longest(header, cells[: len(header)]) if name}


def _json_row(number: int, line: str) -> dict[str, Any] | ValueError:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return ValueError(f"line {number} is not valid JSON: {error}")
    return row if isinstance(row, dict) else ValueError(f"line {number} is no object")


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(value: Any) -> Any:
    """A value for CSV. Spreadsheets run what begins like a formula; a quote before it makes it text (OWASP)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def unquoted(cell: Any) -> Any:
    """The value that `safe_cell` wrote."""
    return cell[1:] if isinstance(cell, str) and cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows as dicts of column -> value (None where there is none), a few thousand in memory at once.

    Raises MissingDependency without pyarrow, ValueError for what is no readable Parquet file.
    """
    arrow, parquet = _packages(f"reading {path.name}")
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_READ_ROWS):
                yield from batch.to_pylist()
    except (arrow.ArrowException, OSError) as error:
        raise ValueError(f"no readable Parquet file: {str(error).strip().splitlines()[0]}") from error


class TableWriter:
    """A Parquet file that stands under its name only when it is closed whole: before, it has no footer.

    columns: name -> type as `pyarrow.type_for_alias` takes it ("string", "float64", "bool", "int32"), or a list of
    one dict of such columns for a list of records, {"map": type} for a map of text to that type, or {"vector": D} for
    D float32. metadata: kept beside the schema.
    Raises MissingDependency, InputError when the place cannot be written.
    """

    def __init__(self, path: Path, columns: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
        self._arrow, parquet = _packages(f"writing {path.name}")
        self._path, self._rows = path, list[Mapping[str, Any]]()
        self._part = part_of(path)
        fields = [(name, _type(self._arrow, kind)) for name, kind in columns.items()]
        self._schema = self._arrow.schema(fields, metadata=metadata)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = parquet.ParquetWriter(self._part, self._schema, compression="zstd")

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows with the columns' names as keys; written once enough have come together."""
        self._rows.extend(rows)
        if len(self._rows) >= _GROUP_ROWS:
            self._flush()

    def close(self, *, keep: bool = True) -> None:
        """Finish the file and put it in its place. keep False: leave what was there before. Twice does nothing."""
        if self._writer is None:
            return
        try:
            with writing(self._path):
                if keep:
                    self._flush()
                self._writer.close()
                if keep:
                    self._part.replace(self._path)
        finally:
            self._writer = None
            self._part.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._rows:
            with writing(self._path):
                self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
            self._rows.clear()


def _type(arrow: Any, kind: Any) -> Any:
    if isinstance(kind, list):
        return arrow.list_(arrow.struct([(name, _type(arrow, inner)) for name, inner in kind[0].items()]))
    if isinstance(kind, Mapping) and "vector" in kind:
        return arrow.list_(arrow.float32())  # not of a fixed length: pyarrow 17 to 22 cannot read such with gaps
    if isinstance(kind, Mapping):
        return arrow.map_(arrow.string(), _type(arrow, kind["map"]))
    return arrow.type_for_alias(kind)


def _packages(purpose: str) -> tuple[Any, Any]:
    with needs("pyarrow", extra="parquet", purpose=purpose):
        import pyarrow
        from pyarrow import parquet
    return pyarrow, parquet
