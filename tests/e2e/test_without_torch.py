"""The default profile works where torch cannot be imported: index, search by text, picture and sound, captions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from media_factory import Media

BLOCKED = """
import sys
for name in ("torch", "transformers", "open_clip"):
    sys.modules[name] = None  # importing it raises ImportError
import numpy as np
import vidembed
from vidembed.types import AudioSamples

with vidembed.open_index(sys.argv[1], profile="starter", create=True) as index:
    report = index.add(sys.argv[2:])
    assert not report.failed, report
    assert index.search("a red picture")
    assert index.search(vidembed.Query.image(np.full((40, 60, 3), 200, np.uint8)))
    tone = np.sin(np.arange(32_000) / 20).astype(np.float32)
    assert index.search(vidembed.Query.audio(AudioSamples(tone, 16_000)))
    (written,) = index.caption()
    assert not written.failures
    texts = {caption.text: caption.confident for caption in index.captions()}
    assert texts and all(text.split() for text in texts)
    assert {moment.caption for moment in index.search("a picture")} <= {None, *(t for t, sure in texts.items() if sure)}
print("TORCH", "torch" in sys.modules and sys.modules["torch"] is not None)
"""


def test_index_search_and_captions(media: Media, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", BLOCKED, str(tmp_path / "index"), str(media.path("tone.mp4"))],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.split()[-2:] == ["TORCH", "False"]
