"""Size and shape of the package: python benchmarks/structure.py [--package FOLDER]

Prints one JSON report. Counted from the source:

- files, lines, functions (methods and nested ones too), their lengths and parameters (without self and cls)
- import circles: groups of modules that reach each other by imports, those inside functions and TYPE_CHECKING blocks
  counted; that importing a module also runs the __init__ of its packages does not count

Counted while the command line works on two generated videos with the profile toy, in this process and its threads: the
files and functions of the package that `index` and `search` enter. Each command runs once before, so that what runs at
import alone does not count. Another version's package: --package OTHER/vidembed.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import inspect
import io
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from types import CodeType, FrameType
from typing import Any

import imageio_ffmpeg
import networkx

SHORT_FILE = 60  # lines
MANY, TOO_MANY = 7, 10  # parameters
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A source file; name: dotted."""

    name: str
    path: Path
    lines: int
    tree: ast.Module


@dataclass(frozen=True)
class FunctionSize:
    """lines: from `def` to its end, docstring included; command: whether typer calls it."""

    name: str
    lines: int
    parameters: int
    command: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).resolve().parents[1] / "vidembed"
    parser.add_argument("--package", type=Path, default=default, help="folder of the package; default: this checkout's")
    package = parser.parse_args().package.resolve()
    if not (package / "__init__.py").exists():
        parser.error(f"{package} is no Python package: name the folder that holds its __init__.py")
    modules = list(read_modules(package))
    report = {"python": platform.python_version(), **source_report(modules), **run_report(package)}
    print(json.dumps(report, indent=1))


def read_modules(package: Path) -> Iterator[Module]:
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        yield Module(name, path, len(text.splitlines()), ast.parse(text))


def source_report(modules: Sequence[Module]) -> dict[str, Any]:
    found = [size for module in modules for size in function_sizes(module)]
    lengths = [size.lines for size in found]
    circles = import_circles(modules)
    return {
        "files": len(modules),
        "lines": sum(module.lines for module in modules),
        f"files under {SHORT_FILE} lines": sum(module.lines < SHORT_FILE for module in modules),
        "longest file": max((module.lines, module.name) for module in modules),
        "functions": len(found),
        "function lines": {"median": median(lengths), "p90": quantiles(lengths, n=10)[8], "max": max(lengths)},
        f"functions with more than {MANY} parameters": sum(size.parameters > MANY for size in found),
        f"functions with more than {TOO_MANY} parameters": sum(size.parameters > TOO_MANY for size in found),
        f"of these, no commands: more than {MANY}": with_many(found, MANY),
        f"of these, no commands: more than {TOO_MANY}": with_many(found, TOO_MANY),
        "import circles": len(circles),
        "modules in import circles": sum(len(circle) for circle in circles),
        "circles": circles,
    }


def function_sizes(module: Module) -> Iterator[FunctionSize]:
    def walk(node: ast.AST, inside: str, method: bool) -> Iterator[FunctionSize]:
        for child in ast.iter_child_nodes(node):
            name = f"{inside}.{getattr(child, 'name', '')}"
            if isinstance(child, Function):
                length = (child.end_lineno or child.lineno) - child.lineno + 1
                given = parameters(child, method)
                yield FunctionSize(name, length, len(given), any(is_option(one) for one in given))
                yield from walk(child, name, False)
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, name, True)
            else:
                yield from walk(child, inside, method)

    return walk(module.tree, module.name, False)


def parameters(function: Function, method: bool) -> list[ast.arg]:
    """All that a caller may give; *args and **kwargs are one each."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    bound = method and positional and positional[0].arg in ("self", "cls")
    variable = [one for one in (given.vararg, given.kwarg) if one is not None]
    return [*positional[bool(bound) :], *given.kwonlyargs, *variable]


def is_option(parameter: ast.arg) -> bool:
    """Whether typer reads it from the command line."""
    said = "" if parameter.annotation is None else ast.unparse(parameter.annotation)
    return "typer." in said or re.fullmatch(r"\w+Option", said) is not None


def with_many(found: Sequence[FunctionSize], limit: int) -> dict[str, int]:
    """name -> parameters, most first, of the functions with more than the limit that are no commands."""
    over = [size for size in found if size.parameters > limit and not size.command]
    return {size.name: size.parameters for size in sorted(over, key=lambda size: (-size.parameters, size.name))}


def import_circles(modules: Sequence[Module]) -> list[list[str]]:
    """Groups of modules that reach each other, largest first; each sorted."""
    names = {module.name for module in modules}
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_edges_from((module.name, target) for module in modules for target in imports(module, names))
    groups = [sorted(group) for group in networkx.strongly_connected_components(graph) if len(group) > 1]
    return sorted(groups, key=lambda group: (-len(group), group))


def imports(module: Module, names: set[str]) -> set[str]:
    """The package's modules that this one imports, wherever the import stands, itself left out."""
    is_package = module.path.name == "__init__.py"
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = module.name.split(".")
            up = up[: len(up) - node.level + is_package] if node.level else []
            source = ".".join([*up, *([node.module] if node.module else [])])
            inside = {f"{source}.{alias.name}" for alias in node.names}
            found |= {full if full in names else source for full in inside}
    return (found & names) - {module.name}


def run_report(package: Path) -> dict[str, Any]:
    sys.path.insert(0, str(package.parent))
    import vidembed
    from vidembed.cli import main as command

    loaded = Path(str(vidembed.__file__)).resolve().parent
    if loaded != package:
        raise SystemExit(f"{loaded} was imported in place of {package}: leave the other one off PYTHONPATH")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        videos = make_videos(work / "videos")
        index = work / "index"

        def run(*arguments: str) -> None:
            if code := command(arguments):
                raise SystemExit(f"vidembed {' '.join(arguments)} ended with {code}")

        def fill(folder: Path) -> None:
            run("index", str(videos), "--index", str(folder), "--profile", "toy")

        quietly(lambda: fill(index))
        indexing = entered(package, lambda: fill(work / "again"))
        quietly(lambda: run("caption", str(videos), "--index", str(index)))
        search = partial(run, "search", "red low", "--index", str(index), "--json")
        quietly(search)
        searching = entered(package, search)
        with vidembed.open_index(index, readonly=True) as opened:
            call = entered(package, lambda: opened.search("red low"))
    return {
        "version": vidembed.__version__,
        "command search": passed(package, searching),
        "VideoIndex.search": passed(package, call),
        "command index": passed(package, indexing),
    }


def make_videos(folder: Path) -> Path:
    """red_blue.mp4: two seconds each, with a low tone; green.mp4: two seconds, silent."""
    folder.mkdir()
    colour = "color=c={}:s=64x48:r=10:d=2"
    red, blue, green = (["-f", "lavfi", "-i", colour.format(name)] for name in ("red", "blue", "lime"))
    tone = ["-f", "lavfi", "-i", "sine=frequency=200:sample_rate=16000:duration=4"]
    joined = ["-filter_complex", "[0:v][1:v]concat=n=2:v=1:a=0[v]", "-map", "[v]", "-map", "2:a"]
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin"]
    subprocess.run([*ffmpeg, *red, *blue, *tone, *joined, str(folder / "red_blue.mp4")], check=True)
    subprocess.run([*ffmpeg, *green, str(folder / "green.mp4")], check=True)
    return folder


def quietly(work: Callable[[], object]) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        work()


def entered(package: Path, work: Callable[[], object]) -> set[CodeType]:
    """The package's functions that the work enters, in this thread and in those it starts."""
    root, found = str(package) + os.sep, set[CodeType]()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code not in found and code.co_filename.startswith(root):
            found.add(code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        quietly(work)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    # Bodies of modules and classes run at import; "<lambda>" and the like are parts of the function around them.
    return {code for code in found if code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<")}


def passed(package: Path, found: set[CodeType]) -> dict[str, Any]:
    files = sorted({Path(code.co_filename).relative_to(package).as_posix() for code in found})
    return {"files": len(files), "functions": len(found), "names": files}


if __name__ == "__main__":
    main()
