"""Every setting that a message names exists, so that who follows a hint is not refused for a misspelt name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from vidembed import errors
from vidembed.config.load import Config

PACKAGE = Path(__file__).parents[2] / "vidembed"
FILES = sorted(PACKAGE.rglob("*.py"))

DOTTED = re.compile(r"(?<![\w./@-])[a-z]\w*(?:\.[a-z_]\w*)+(?!\w|\()")
FILE_ENDINGS = (".json", ".jsonl", ".txt", ".csv", ".bin", ".token", ".pid", ".lock", ".mp4", ".safetensors")
NO_SETTINGS = {"a.b"}  # stands for any setting where the form of an override is explained
ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}


def is_setting(path: str, schema: Any = Config) -> bool:
    """Whether the schema has this dotted path; below free-form options and weights by channel, any name is one."""
    first, _, rest = path.partition(".")
    if not first:
        return True
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        field = schema.model_fields.get(first)
        return field is not None and is_setting(rest, field.annotation)
    if get_origin(schema) is dict:
        return is_setting(rest, get_args(schema)[1])
    return schema is Any


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of each string that is no docstring; a value put into an f-string reads as NAME."""
    bodies = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    first = (node.body[0] for node in ast.walk(tree) if isinstance(node, bodies) and node.body)
    inside = {id(line.value) for line in first if isinstance(line, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            yield node.lineno, "".join(str(p.value) if isinstance(p, ast.Constant) else "NAME" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, node.value


def messages(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of what people are told for certain: the strings of errors, hints and help."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if ast.unparse(node.func).split(".")[-1] in ERRORS | {"missing_dependency"}:
                for argument in node.args:
                    yield from texts(argument)
            for keyword in node.keywords:
                if keyword.arg in ("hint", "help", "summary"):
                    yield from texts(keyword.value)


def named(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of each name in the texts that is neither a file nor one of our modules."""
    for line, text in lines:
        for match in DOTTED.finditer(text):
            name = match.group()
            if not name.endswith(FILE_ENDINGS) and not name.startswith("vidembed.") and name not in NO_SETTINGS:
                yield line, name


def settings_of(tree: ast.AST) -> set[tuple[int, str]]:
    """(line, name) of what reads as a setting: any dotted name in a message, and SECTION.NAME in any string."""
    anywhere = {(line, name) for line, name in named(texts(tree)) if name.partition(".")[0] in Config.model_fields}
    return anywhere | set(named(messages(tree)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_settings_that_are_named_exist(path: Path) -> None:
    found = settings_of(ast.parse(path.read_text(encoding="utf-8")))
    wrong = [f"line {line}: {name}" for line, name in sorted(found) if not is_setting(name)]
    assert not wrong, f"{path.name} names settings that do not exist: " + "; ".join(wrong)


def test_settings_are_found_in_the_package() -> None:
    found = {name for path in FILES for _, name in settings_of(ast.parse(path.read_text(encoding="utf-8")))}
    assert {"store.namespace", "media.reader", "caption.rerank", "search.rrf_k", "media.limits.max_pixels"} <= found


@pytest.mark.parametrize(
    ("path", "exists"),
    [
        ("store.namespace", True),
        ("media.limits.max_pixels", True),
        ("channels.NAME.source_options.model", True),
        ("search.weights.vision", True),
        ("caption.options.base_url", True),
        ("segment.change", True),
        ("store.prefix", False),
        ("media.backend", False),
        ("channels.NAME.weight", False),
        ("search.rrf_k.more", False),
        ("lanes.vision", False),
    ],
)
def test_which_paths_the_schema_has(path: str, exists: bool) -> None:
    assert is_setting(path) is exists


def test_where_names_are_looked_for() -> None:
    code = '''
def function(store):
    """Not store.docs."""
    logger.info("try store.prefix=x")
    raise ConfigError(f"encode.batch {store} in index.json", hint="see vidembed.config.load" + " and a.b=value")
'''
    assert settings_of(ast.parse(code)) == {(4, "store.prefix"), (5, "encode.batch")}
