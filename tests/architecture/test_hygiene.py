"""Rules that hold for every file: nothing that runs code from data, no asserting away of bad input, honest sizes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "vidembed").rglob("*.py"), *(ROOT / "apps").rglob("*.py")])

FORBIDDEN_CALLS = {"eval", "exec", "pickle.load", "pickle.loads", "yaml.load", "os.system", "marshal.loads"}


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_data_is_never_run_as_code(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for name, node in calls(tree):
        where = f"{path.name}:{node.lineno}"
        assert name not in FORBIDDEN_CALLS, f"{where}: {name}"
        keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if name.endswith("torch.load"):
            assert keywords.get("weights_only") == "True", f"{where}: torch.load without weights_only=True"
        if name.endswith("np.load"):
            assert keywords.get("allow_pickle", "False") == "False", f"{where}: np.load with pickle"
        assert keywords.get("shell", "False") == "False", f"{where}: shell=True"
        assert keywords.get("trust_remote_code", "False") == "False", f"{where}: trust_remote_code"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_errors_are_not_swallowed(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"}
            silent = all(isinstance(line, ast.Pass) for line in node.body)
            assert not (broad and silent), f"{path.name}:{node.lineno}: a broad except that does nothing"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_readable(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 400, f"{path.name} has {lines} lines: split it by concept"


def test_files_of_tests_have_names_of_their_own() -> None:
    """Two of one name in different folders cannot be collected together."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names)), sorted({name for name in names if names.count(name) > 1})
