"""Keep the starter's vectors of the bundled query bank beside its weights: with a new index they need not be made.

    python training/keep_bank.py

Run it when `vidembed/search/query_bank.txt` or a text tower has changed; until then the vectors that do not fit are
made anew for each index.
"""

from __future__ import annotations

import numpy as np

from vidembed.files import replacing
from vidembed.models.encoders.starter import (
    BANK_FILE,
    FOLDER,
    FREE_SPACE,
    SPACE,
    TEXT_FILE,
    StarterEncoder,
    add_to_manifest,
    digest,
    read_manifest,
)
from vidembed.search.calibration import read_bank


def main() -> None:
    bank = read_bank()
    for folder, space in ((FOLDER, SPACE), (FOLDER.with_name("starter-free"), FREE_SPACE)):
        rows = StarterEncoder(folder, space=space).encode("text", bank)
        with replacing(folder / BANK_FILE) as part:
            np.save(part, rows.astype(np.float16), allow_pickle=False)
        tower = read_manifest(folder, space)[TEXT_FILE]["sha256"]
        add_to_manifest(folder, BANK_FILE, space, texts=digest(bank), tower=tower)


if __name__ == "__main__":
    main()
