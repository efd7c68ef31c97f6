"""The command line: `vidembed index`, `search`, ... Data goes to stdout, messages to stderr.

Exit codes: 0 all done; 1 a bug (traceback); 2 wrong input; 3 done, but some items failed;
4 a model or the store cannot work; 130 interrupted.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from vidembed.errors import VidembedError


def run() -> int:
    """The console script: `main`, watched over where decoders could end it."""
    from vidembed.cli import supervising

    argv = sys.argv[1:]
    if supervising.wanted(argv):
        return supervising.supervise(argv)
    supervising.die_with_parent()
    # Looking for garbage among what is imported, and once more at the end, takes a fifth of a short command.
    gc.disable()  # until the command begins (`app`); then again while it opens an index (`common.opened`)
    try:
        return main(argv)
    finally:
        if "torch" not in sys.modules:  # whose Triton would report each of its objects as leaked
            gc.freeze()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never leaves the process, so tests call it directly."""
    # Numpy's matrix library spins while its threads wait: on a busy machine two do the work of one for five times the
    # processor time. It reads this when numpy is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # or pydantic looks through every installed package first
    from vidembed.cli.app import command_tree
    from vidembed.cli.common import say_error

    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        command_tree(arguments[0] if arguments else "")(args=arguments, prog_name="vidembed")
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):  # whoever reads has enough: `| head`
            return 0
        return stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    except VidembedError as error:
        say_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0
