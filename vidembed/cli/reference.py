"""docs/cli.md, made from the commands: `python -m vidembed.cli.reference` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from vidembed.cli.app import command_tree
from vidembed.files import write_text

_HEADER = """\
# Command line

Made from the commands themselves: change their help, then run `make settings`. `vidembed COMMAND --help` shows the
same. Data goes to standard output, messages to standard error. Exit codes: 0 done; 2 wrong input; 3 done, but some
items failed; 4 a model or the store cannot work; 1 a bug; 130 interrupted. `vidembed --install-completion` makes the
shell complete commands, options, profiles, models, channels and tags.
"""


def reference() -> str:
    """The document: each command with its arguments and options."""
    command = typer.main.get_command(command_tree())
    return "\n".join([_HEADER, *_commands(command, command.make_context("vidembed", [], resilient_parsing=True))])


def _commands(group: Any, context: Any) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if not command.hidden:
            inner = command.make_context(name, [], parent=context, resilient_parsing=True)
            yield from _command(command, inner)


def _command(command: Any, context: Any) -> Iterator[str]:
    yield f"## {context.command_path}\n"
    yield f"{_text(command.help)}\n"
    inner = hasattr(command, "list_commands")
    if not inner:
        yield f"```text\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    shown = [one for one in command.params if not one.hidden]
    arguments = [one for one in shown if one.param_type_name == "argument" and one.help]
    if arguments:
        yield "| argument | meaning |\n| --- | --- |"
        yield "\n".join(f"| `{one.metavar or one.name.upper()}` | {_cell(one.help)} |" for one in arguments) + "\n"
    panels: dict[str, list[Any]] = {}
    for one in shown:
        if one.param_type_name == "option":
            panels.setdefault((one.rich_help_panel or "Options").lower(), []).append(one)
    for panel, options in panels.items():
        yield f"| {panel} | meaning | default |\n| --- | --- | --- |"
        yield "\n".join(_row(one) for one in options) + "\n"
    if inner:
        yield from _commands(command, context)


def _row(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    default = "" if option.is_flag or option.default in (None, "", ()) else f"`{option.default}`"
    return f"| {names} | {_cell(option.help)} | {default} |"


def _text(text: str | None) -> str:
    return " ".join((text or "").split())


def _cell(text: str | None) -> str:
    return _text(text).replace("|", "\\|")


if __name__ == "__main__":
    write_text(Path(__file__).parents[2] / "docs" / "cli.md", reference())
