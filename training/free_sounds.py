"""Collect the sounds of Debian packages that are free for any use: CC0, CC BY, public domain, MIT and the like.

    python training/free_sounds.py --packages DIR --out free/

DIR has a folder for each package, unpacked by `dpkg -x PACKAGE.deb DIR/PACKAGE` (and zip archives in it unpacked in
place). What each file's licence is, its package's copyright file says
(https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/: of the paragraphs whose patterns fit, the last
counts). Files that no paragraph names stay out, and all under licences that ask for the same licence (GPL, CC BY-SA).
Writes OUT/PACKAGE/NAME and OUT/licences.csv (file, licence).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
import shutil
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

from sound_bank import SUFFIXES

FREE = re.compile(r"(CC0|CC-BY|public.domain|PD|Expat|MIT|zlib|BSD-[23]-clause)(-[\d.]+)?", re.IGNORECASE)


def paragraphs(text: str) -> list[tuple[list[str], str]]:
    """(patterns of files, licence) in the order of a copyright file."""
    found = []
    for part in re.split(r"\n\s*\n", text):
        files = re.search(r"^Files:(.*?)(?=^\S|\Z)", part, re.DOTALL | re.MULTILINE)
        licence = re.search(r"^License:[ \t]*(\S.*)", part, re.MULTILINE)
        if files and licence:
            found.append((files[1].split(), licence[1].strip()))
    return found


def fits(pattern: str, path: str) -> bool:
    """Whether an installed path is one of a pattern's, which is counted from the top of the source; "*" says nothing
    of sounds."""
    parts = pattern.replace(".h2drumkit", "/*").split("/")
    least = 3 if parts[-1] == "*" else 2
    tails = ["/".join(parts[k:]) for k in range(max(len(parts) - least, 0) + 1)]
    return pattern != "*" and any(fnmatchcase(path, f"*/{tail}") for tail in tails)


def licence_of(path: str, known: list[tuple[list[str], str]]) -> str:
    """The licence of an installed file; "" where none is stated."""
    return next((licence for files, licence in reversed(known) if any(fits(one, path) for one in files)), "")


def is_free(licence: str) -> bool:
    """Whether each of the licences named is one of those wanted."""
    return all(FREE.fullmatch(one.strip()) for one in re.split(r" and | or |,", licence))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rows: list[tuple[str, str]] = []
    for package in sorted(path for path in args.packages.iterdir() if path.is_dir()):
        known = []
        for file in sorted(package.glob("usr/share/doc/*/copyright*")):
            known += paragraphs(
                (gzip.decompress if file.suffix == ".gz" else bytes)(file.read_bytes()).decode("utf-8", "replace")
            )
        for path in sorted(package.rglob("*")):
            if path.suffix.lower() not in SUFFIXES or path.is_symlink() or not path.is_file():
                continue
            inside = path.relative_to(package)
            licence = licence_of(f"/{inside}", known)
            if is_free(licence):
                name = f"{package.name}/{'_'.join(inside.parts[-3:])}"
                (args.out / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, args.out / name)
                rows.append((name, licence))
    with (args.out / "licences.csv").open("w", newline="") as table:
        csv.writer(table).writerows([("file", "licence"), *rows])
    print(Counter((name.partition("/")[0], licence) for name, licence in rows))


if __name__ == "__main__":
    main()
