"""How modules import each other: down the layers only, and never in a circle (docs/architecture.md, section 6).

Every import counts: at the top, inside a function, and for types alone.
"""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "vidembed"

# Room -> layer. A room is a module or a folder of vidembed/; the longest name that fits decides.
LAYERS = {
    "types": 0, "errors": 0, "_version": 0,
    "config": 1, "protocols": 1, "vectors": 1, "batching": 1, "files": 1, "tables": 1,
    "media": 2, "models": 2, "sources": 2,
    "index.catalog": 3, "index.stores": 3, "index.executors": 3, "search": 3, "captions": 3, "demo": 3,
    "index.pipeline": 4,
    "index": 5,
    "": 6,  # the public names, `vidembed/__init__.py`
    "align": 7, "evaluation": 7,
    "web": 8, "agents": 8,
    "cli": 9,
    "__main__": 10,
}  # fmt: skip
ALLOWED_SIDEWAYS = {("sources", "models")}  # sources read records of the models that they run
MOST_PARAMETERS = 10


def modules() -> dict[str, Path]:
    """Dotted name below vidembed ("" for its own `__init__`) -> file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def room_of(module: str) -> str | None:
    parts = module.split(".")
    names = [".".join(parts[:stop]) for stop in range(len(parts), 0, -1)]
    return next((name for name in names if name in LAYERS), None)


def imports_of(tree: ast.AST, known: Mapping[str, object]) -> Iterator[tuple[int, str]]:
    """(line, module below vidembed) of each import of our own, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name == "vidembed" or name.startswith("vidembed."):
                below = name.removeprefix("vidembed").removeprefix(".")
                yield node.lineno, below if below in known else below.rpartition(".")[0]


def graph() -> dict[str, list[tuple[int, str]]]:
    return {name: list(imports_of(ast.parse(path.read_text("utf-8")), MODULES)) for name, path in MODULES.items()}


GRAPH = graph()


def circle(graph: Mapping[str, Iterator[str] | list[str] | set[str]]) -> list[str]:
    """Modules that import each other in a circle, first one repeated at the end; [] where there is none."""
    try:
        graphlib.TopologicalSorter({name: set(targets) - {name} for name, targets in graph.items()}).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_there_are_modules_to_check() -> None:
    assert len(MODULES) > 100
    assert "index.video_index" in {target for _, target in GRAPH["index.opening"]}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str) -> None:
    room = room_of(module)
    assert room is not None, f"{module} has no layer: add it to LAYERS and to docs/architecture.md"
    wrong = []
    for line, name in GRAPH[module]:
        target = room_of(name)
        assert target is not None, f"{module}, line {line}: {name} has no layer"
        up = LAYERS[target] > LAYERS[room]
        sideways = LAYERS[target] == LAYERS[room] >= 2 and room != target and (room, target) not in ALLOWED_SIDEWAYS
        if up or sideways:
            wrong.append(f"line {line}: {room} (layer {LAYERS[room]}) imports {target} (layer {LAYERS[target]})")
    assert not wrong, f"{module}: " + "; ".join(wrong)


def test_no_modules_import_each_other_in_a_circle() -> None:
    found = circle({name: {target for _, target in targets} for name, targets in GRAPH.items()})
    assert found == [], " -> ".join(found)


def test_circles_are_found_wherever_the_import_stands() -> None:
    code = {
        "a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from vidembed.b import thing\n",
        "b": "def work():\n    import vidembed.c\n",
        "c": "from vidembed import a\n",
        "d": "import vidembed.a\n",
    }
    found = {name: {target for _, target in imports_of(ast.parse(text), code)} for name, text in code.items()}
    assert found == {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert set(circle(found)) == {"a", "b", "c"}
    assert circle({"a": {"b"}, "b": set()}) == []


def too_many_parameters(tree: ast.AST) -> Iterator[str]:
    """The functions that take more than MOST_PARAMETERS, `self` and `cls` left out; commands are exempt."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names = [one for one in given if one.arg not in ("self", "cls")]
            options = [one for one in names if re.search(r"Option\b", ast.unparse(one.annotation or one))]
            if len(names) > MOST_PARAMETERS and not options:
                yield f"line {node.lineno}: {node.name} takes {len(names)}"


@pytest.mark.parametrize("module", MODULES)
def test_functions_take_few_parameters(module: str) -> None:
    assert list(too_many_parameters(ast.parse(MODULES[module].read_text("utf-8")))) == []


def test_many_parameters_are_seen() -> None:
    names = ", ".join(f"p{i}: int" for i in range(11))
    assert list(too_many_parameters(ast.parse(f"def f({names}): ..."))) == ["line 1: f takes 11"]
    assert list(too_many_parameters(ast.parse(f"class C:\n    def f(self, *, {names}): ..."))) == ["line 2: f takes 11"]
    assert list(too_many_parameters(ast.parse(f"def f({names.removesuffix(', p10: int')}): ..."))) == []
    assert list(too_many_parameters(ast.parse(f"def f({names}, index: IndexOption): ..."))) == []
