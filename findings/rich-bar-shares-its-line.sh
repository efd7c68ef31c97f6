#!/usr/bin/env bash
# While rich shows a bar, it puts what is printed above it: sys.stdout and sys.stderr are replaced for that. click.echo (and
# typer.echo) and a second rich Console pass by the replacement: click takes the stream below it, a Console unwraps it. Their
# lines are written behind the bar, on its line. print() and the bar's own Console are right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q rich==15.0.0 click==8.5.1
cat > bar.py <<'PY'
import sys

import click
from rich.console import Console
from rich.progress import Progress

console = Console(stderr=True)
with Progress(console=console, auto_refresh=False) as bar:
    bar.add_task("work", total=2)
    bar.refresh()
    print("by print", file=sys.stderr)
    click.echo("by click.echo", err=True)
    bar.refresh()
    Console(stderr=True).print("by another Console")
    bar.refresh()
    console.print("by its Console")
PY
cat > look.py <<'PY'
"""Run bar.py on a terminal, and print what stands on its lines."""
import importlib.metadata
import os
import pty
import re
import subprocess
import sys

ours, theirs = pty.openpty()
environment = {**os.environ, "TERM": "xterm", "COLUMNS": "60", "LC_ALL": "C.UTF-8"}
with subprocess.Popen([sys.executable, "bar.py"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment):
    os.close(theirs)
    shown = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:
            break
        if not more:
            break
        shown += more
rows = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).replace("\r\n", "\n").split("\n")
lines = [re.split(r"\r|\x1b\[2K", row)[-1] for row in rows]
print(*(f"{name} {importlib.metadata.version(name)}" for name in ("rich", "click")))
print("\n".join(f"| {line}" for line in lines if line.isprintable() and line))
for text, alone in (("by print", True), ("by click.echo", False), ("by another Console", False), ("by its Console", True)):
    (line,) = [line for line in lines if text in line]
    assert (line == text) == alone, line
PY
venv/bin/python look.py
