"""Browser tests find their helper beside them; where a browser is promised, its absence is a failure."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

if "browser" in os.environ.get("VIDEMBED_REQUIRE", "").split(","):
    missing = [name for name in ("gradio", "playwright", "axe_playwright_python") if find_spec(name) is None]
    if not missing:
        from browsing import chromium

        missing = [] if chromium() else ["Chromium"]
    if missing:
        raise RuntimeError(f"VIDEMBED_REQUIRE promises a browser, but these are missing: {', '.join(missing)}")

if find_spec("gradio") and find_spec("playwright"):
    from visiting import address, browser, demo_index, filled, first_index, page, served, visit  # noqa: F401  # fixtures
