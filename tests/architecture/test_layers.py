"""Imports go down only, and siblings of one layer do not import each other (docs/architecture.md, section 6)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "vidembed"

# Room -> layer. A room is a module or a folder of vidembed/; the longest name that fits decides.
LAYERS = {
    "types": 0, "errors": 0,
    "config": 1, "protocols": 1, "vectors": 1, "batching": 1, "files": 1, "parquet": 1,
    "media": 2, "models": 2, "sources": 2, "index.catalog": 2, "index.stores": 2, "index.executors": 2,
    "search": 3, "captions": 3, "index.pipeline": 3, "demo": 3,
    "index": 4, "index.pipeline.worker": 4, "evaluation": 4,
    "align": 5,
    "cli": 6, "__main__": 6, "web": 6,
}  # fmt: skip

ALLOWED_SIBLINGS = {("sources", "models")}  # sources read records of the models that they run


def room_of(module: str) -> str | None:
    """The room of a dotted name below vidembed; None for a public name such as vidembed.open_index."""
    parts = module.split(".")
    names = [".".join(parts[:stop]) for stop in range(len(parts), 0, -1)]
    return next((name for name in names if name in LAYERS), None)


def imports_of(path: Path) -> list[tuple[str, int]]:
    """(dotted name below vidembed, line) of each import of our own, inside functions too; not for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    found: list[tuple[str, int]] = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            module = node.module or ""
            names = [f"vidembed.{alias.name}" for alias in node.names] if module == "vidembed" else [module]
        for name in names:
            if name.startswith("vidembed."):
                found.append((name.removeprefix("vidembed."), node.lineno))
    return found


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_there_are_modules_to_check() -> None:
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    room = room_of(module)
    assert room is not None, f"{module} has no layer: add it to LAYERS and to docs/architecture.md"
    wrong = []
    for name, line in imports_of(path):
        target = room_of(name)
        if target is None:
            if LAYERS[room] < 5:
                wrong.append(f"line {line}: takes the public name vidembed.{name} from below the top layers")
            continue
        up = LAYERS[target] > LAYERS[room]
        sideways = LAYERS[target] == LAYERS[room] == 2 and room != target and (room, target) not in ALLOWED_SIBLINGS
        if up or sideways:
            wrong.append(f"line {line}: {room} (layer {LAYERS[room]}) imports {target} (layer {LAYERS[target]})")
    assert not wrong, f"{path.name}: " + "; ".join(wrong)
