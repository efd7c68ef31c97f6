"""Imports go down only, and siblings of one layer do not import each other (docs/architecture.md, section 6)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "vidembed"

# Room -> layer. A room is a module or a folder directly under vidembed/.
LAYERS = {
    "types": 0, "errors": 0,
    "protocols": 1, "vectors": 1, "batching": 1, "toy_space": 1, "files": 1, "parquet": 1, "heads": 1, "settings": 1,
    "model_spec": 1, "weights": 1, "models_image": 1, "models_av": 1, "models_text": 1, "models_caption": 1,
    "media": 2, "sources": 2, "encoders": 2, "stores": 2, "executors": 2, "catalog": 2, "config": 2, "models": 2,
    "indexing": 3, "demo": 3, "search": 3, "captions": 3, "align": 3, "evaluation": 3,
    "build": 4, "index": 4,
    "cli": 5, "__main__": 5, "app": 5,
}  # fmt: skip

# A door that is there for everybody: the lazy public names, and the registry of models, which encoders read their
# own records from.
ALLOWED_SIBLINGS = {("encoders", "models"), ("sources", "models"), ("models", "encoders")}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> list[tuple[str, int]]:
    """(room, line) of each import of our own, also those inside functions; TYPE_CHECKING blocks do not count."""
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
            parts = name.split(".")
            if parts[0] == "vidembed" and len(parts) > 1:
                found.append((parts[1], node.lineno))
    return found


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_there_are_modules_to_check() -> None:
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    room = room_of(path)
    assert room in LAYERS, f"{room} has no layer: add it to LAYERS and to docs/architecture.md"
    wrong = []
    for target, line in imports_of(path):
        if target == room or target not in LAYERS:  # a public name such as vidembed.open_index
            if target not in LAYERS and LAYERS[room] < 5:
                wrong.append(f"line {line}: takes the public name vidembed.{target} from below the top layer")
            continue
        up = LAYERS[target] > LAYERS[room]
        sideways = LAYERS[target] == LAYERS[room] == 2 and (room, target) not in ALLOWED_SIBLINGS
        if up or sideways:
            wrong.append(f"line {line}: {room} (layer {LAYERS[room]}) imports {target} (layer {LAYERS[target]})")
    assert not wrong, f"{path.name}: " + "; ".join(wrong)
