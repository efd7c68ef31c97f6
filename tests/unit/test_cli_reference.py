"""docs/cli.md says what the commands take."""

from __future__ import annotations

from pathlib import Path

from vidembed.cli.reference import reference

ROOT = Path(__file__).parents[2]


def test_the_reference_is_up_to_date() -> None:
    written = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written == reference(), "run `make settings`, or python -m vidembed.cli.reference"


def test_it_has_every_command_and_the_panels_of_search() -> None:
    text = reference()
    for command in ("index", "search", "shell", "config show", "models download", "store move"):
        assert f"\n## vidembed {command}\n" in text
    search = text.partition("\n## vidembed search\n")[2].partition("\n## ")[0]
    for panel in ("what to look for", "where", "how many", "output"):
        assert f"| {panel} | meaning | default |" in search
