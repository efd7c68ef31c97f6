"""The examples of the documents: what stands in fenced blocks, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
# Pages whose blocks another test runs, or that hold no examples.
ELSEWHERE = {
    "first-change.md": "step by step in a copy of the repository, by tests/e2e/test_first_change.py",
    "architecture.md": "trees, layers and signatures, which tests/architecture/test_documents.py looks up",
    "cli.md": "written from the commands, whose own examples tests/unit/test_cli_reference.py runs",
}
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """One command line, without its comment, or one block of Python; kind: "command" or "python"."""

    page: str
    kind: str
    text: str


def pages() -> list[str]:
    """Those whose examples are run by page."""
    return [path.name for path in sorted(DOCS.glob("*.md")) if path.name not in ELSEWHERE]


def text_of(page: str) -> str:
    """The page as it is written."""
    return (DOCS / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks in a language; "" are those without one."""
    return [text for found, text in _BLOCK.findall(text_of(page)) if found == language]


def examples(page: str) -> list[Example]:
    """All command lines and blocks of Python of a page, in order."""
    found = []
    for language, text in _BLOCK.findall(text_of(page)):
        if language == "python":
            found.append(Example(page, "python", text))
        elif language in ("", "sh", "bash", "console"):
            found += [Example(page, "command", line) for line in _commands(text)]
    return found


def inline_commands(page: str) -> list[str]:
    """What stands between backticks in a sentence or a table and begins as a command of ours."""
    return re.findall(r"`(vidembed [a-z][^`\n]*)`", _BLOCK.sub("", text_of(page)))


def _commands(block: str) -> list[str]:
    """The lines that are typed: those after "$ " where there are any, else all of a block in which ours is called."""
    lines = [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
    typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    if not typed and any(re.match(r"\w*=?\S* ?vidembed |docker |pip ", line) for line in lines):
        typed = lines
    return [re.split(r"\s+#\s", line)[0].strip() for line in typed]
