"""The web page: `python apps/gradio_app.py` is `vidembed serve`, with the same options."""

import sys

from vidembed.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
