#!/usr/bin/env bash
# Deriving a class from a gradio component writes NAME.pyi beside the module when it is imported: a copy of the source with
# an import put in front of the class and gradio's own lines inside it. A program that only imports its own module changes its
# own folder, an installed package too, if it may; and type checkers read the stub instead of the module.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q gradio==6.31.0
cat > mine.py <<'PY'
from typing import TypeAlias

import gradio as gr

Names: TypeAlias = "dict[str, int]"


class Picture(gr.Image):
    is_template = True

    def preprocess(self, payload):
        return payload


def used(names: Names) -> int:
    return sum(names.values())
PY
ls mine*
echo "-- import mine"
GRADIO_ANALYTICS_ENABLED=False venv/bin/python -c "import gradio, mine; print('gradio', gradio.__version__)"
ls mine*
test -f mine.pyi
grep -n "Dependency" mine.pyi
! diff -q mine.py mine.pyi
