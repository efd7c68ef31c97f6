"""Print the lowest versions that pyproject.toml allows, as constraints for pip (`make lowest`)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def constraints() -> list[str]:
    """One line a package, such as "transformers==5.23.*": the newest of the lowest series."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    given = [*project["dependencies"], *(one for name, inside in extras.items() if name != "dev" for one in inside)]
    found = (re.match(r"([\w.-]+)[^>;]*>=([\w.]+)", one) for one in given)
    return sorted({f"{one[1]}=={one[2]}.*" for one in found if one is not None})


if __name__ == "__main__":
    print("\n".join(constraints()))
