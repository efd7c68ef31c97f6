"""What documents point to is there (files, modules, layers), and public functions describe their arguments."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from test_layers import LAYERS

import vidembed

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = [
    path for room in ("vidembed", "benchmarks", "training", "configs") for path in sorted((ROOT / room).rglob("*"))
]
TEXTS = [*DOCUMENTS, *(path for path in SOURCES if path.suffix in (".py", ".yaml", ".md"))]

# A file of ours: a path that begins with one of our folders. "x" stands for a name of your own.
OUR_FILE = re.compile(r"(?<![\w./-])(?:vidembed|docs|tests|benchmarks|training|configs|apps)(?:/[\w-]+)+\.\w+")
OUR_MODULE = re.compile(r"`(vidembed(?:\.\w+)+)")
MADE_LATER = {"vidembed/models/encoders/colours.py", "tests/unit/test_names.py"}  # in docs/first-change.md
ROOMS = sorted(path.parent.name for path in (ROOT / "vidembed").glob("*/__init__.py"))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def missing_files(text: str) -> set[str]:
    return {name for name in OUR_FILE.findall(text) if name not in MADE_LATER and not (ROOT / name).exists()}


def exists(name: str) -> bool:
    """Whether a dotted name is a module of ours, or something inside one."""
    parts = name.split(".")
    for stop in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:stop]))
        except ModuleNotFoundError:
            continue
        for part in parts[stop:]:
            if not hasattr(found, part) and part not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, part, None)
        return True
    return False


@pytest.mark.parametrize("path", TEXTS, ids=relative)
def test_files_that_are_named_exist(path: Path) -> None:
    assert missing_files(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("path", TEXTS, ids=relative)
def test_modules_that_are_named_exist(path: Path) -> None:
    named = set(OUR_MODULE.findall(path.read_text(encoding="utf-8"))) - MADE_LATER
    assert {name for name in named if not exists(name)} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not link.startswith("http") and not (path.parent / link).exists()] == []


def test_the_architecture_names_the_layers_and_the_rooms() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = text.split("## 6. Layers")[1].split("```")[1]
    told: dict[str, int] = {}
    for line in block.strip("\n").splitlines():
        number, names = line.strip().split("  ", 1)
        told |= {name: int(number) for name in re.split(r"\s{3,}", names.strip())[0].split()}
    assert {name.replace("vidembed/__init__.py", ""): layer for name, layer in told.items()} == LAYERS
    files = text.split("## 3. Files")[1].split("```")[1]
    assert [room for room in ROOMS if not re.search(rf"^  .*\b{room}/", files, re.MULTILINE)] == []


def test_what_is_not_there_is_found() -> None:
    assert missing_files("see vidembed/nothing.py, `docs/none.md` and vidembed/errors.py") == {
        "vidembed/nothing.py", "docs/none.md"
    }  # fmt: skip
    names = ("types.Clip.span", "open_index", "nothing.Clip", "types.Nothing")
    assert [exists(f"vidembed.{name}") for name in names] == [True, True, False, False]


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Each public function, and each public method of a public class, with its name."""
    for name in vidembed.__all__:
        value = getattr(vidembed, name)
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            for inner, method in vars(value).items():
                method = getattr(method, "__func__", method)
                if not inner.startswith("_") and inspect.isfunction(method):
                    yield f"{name}.{inner}", method


@pytest.mark.parametrize("function", [pytest.param(function, id=name) for name, function in public_functions()])
def test_public_functions_describe_their_arguments(function: Callable[..., Any]) -> None:
    names = [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
    told = inspect.getdoc(function) or ""
    assert told
    if len(names) >= 3:
        assert [name for name in names if not re.search(rf"^    \*{{0,2}}{name}: \S", told, re.MULTILINE)] == []


def test_the_makefile_names_tests_that_are_there() -> None:
    named = re.findall(r"tests/[\w/.]+", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("room", ["training", "benchmarks"])
def test_what_scripts_import_of_us_is_there(room: str) -> None:
    lacking = []
    for path in sorted((ROOT / room).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "vidembed":
                lacking += [f"{path.name}: {node.module}.{one.name}" for one in node.names
                            if not exists(f"{node.module}.{one.name}")]  # fmt: skip
    assert lacking == []
