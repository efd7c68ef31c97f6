"""`python -m vidembed` is the command line."""

import sys

from vidembed.cli import run

sys.exit(run())
