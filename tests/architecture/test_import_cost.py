"""`import vidembed` and `vidembed --help` stay light: nothing heavy is loaded before it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import tiny_models
from media_factory import Media

from vidembed.cli import main
from vidembed.models.encoders import _engines

HEAVY = (
    "torch", "transformers", "open_clip", "openvino", "onnxruntime", "decord", "av", "qdrant_client", "qdrant_edge",
    "gradio", "ffmpeg", "PIL",
)  # fmt: skip


def loaded_after(code: str) -> set[str]:
    """The heavy packages a fresh process has loaded after running this code."""
    probe = f"import sys\n{code}\nprint('LOADED', *[m for m in {HEAVY!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "code",
    [
        "import vidembed",
        "import vidembed; vidembed.Query.text('a dog'); vidembed.Span(0, 1)",
        "from vidembed.cli import main; assert main(['--help']) == 0",
        "from vidembed.cli import main; assert main(['models']) == 0",
        "from vidembed.cli import main; assert main(['config', 'show']) == 0",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert loaded_after(code) == set()


@pytest.mark.parametrize(("words", "own"), [(["--version"], set()), (["models", "--help"], {"models", "showing"})])
def test_a_command_imports_no_other(words: list[str], own: set[str]) -> None:
    probe = f"from vidembed.cli import main\nmain({words})\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    loaded = run.stdout.splitlines()[-1].split()
    assert {name.split(".")[2] for name in loaded if name.startswith("vidembed.cli.")} <= {
        "app", "common", "naming", "terminal", *own
    }  # fmt: skip


def test_garbage_is_looked_for_again_once_a_command_begins() -> None:
    """While modules are imported it is not; a run that decodes for hours needs it."""
    probe = """
import gc, sys
from vidembed.cli import run
from vidembed.config import load
profiles, seen = load.profiles, []
load.profiles = lambda: seen.append(gc.isenabled()) or profiles()
sys.argv = ["vidembed", "config", "profiles"]
assert run() == 0
print(seen)
"""
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[True]"


@pytest.mark.parametrize(("also", "skipped"), [("", True), ("sys.modules['torch'] = sys", False)])
def test_garbage_is_looked_for_at_the_end_where_torch_reports_what_is_left(also: str, skipped: bool) -> None:
    probe = f"""
import gc, sys
from vidembed.cli import run
{also}
sys.argv = ["vidembed", "config", "profiles"]
assert run() == 0
print(gc.get_freeze_count() > 0)
"""
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == str(skipped)


def test_every_public_name_exists() -> None:
    import vidembed

    missing = [name for name in vidembed.__all__ if not hasattr(vidembed, name)]
    assert not missing
    assert set(vidembed.__all__) <= set(dir(vidembed))


def test_public_names_are_lazy_and_complete() -> None:
    import vidembed
    from vidembed import open_index

    assert vidembed.open_index is open_index
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        vidembed.nonsense  # noqa: B018


SEARCH_MB = 230  # a quarter of what it took with torch


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own account of memory")
def test_a_search_from_the_prompt_loads_the_text_tower_alone(media: Media, tmp_path: Path) -> None:
    """With the default profile: no framework, no engine of pictures, no reader of videos; little memory."""
    index = tmp_path / "index"
    assert main(["index", str(media.path("tone.mp4")), "--index", str(index)]) == 0
    code = f"from vidembed.cli import main; assert main(['search', 'a red picture', '--index', {str(index)!r}]) == 0"
    assert loaded_after(code) == {"qdrant_edge"}
    peak = "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')])"  # in KiB
    run = subprocess.run([sys.executable, "-c", f"{code}\n{peak}"], capture_output=True, text=True, check=True)
    assert 30 < int(run.stdout.split()[-1]) / 1024 < SEARCH_MB


@pytest.mark.skipif(not _engines.available(), reason="OpenVINO is not installed")
def test_a_search_with_a_converted_open_clip_model_imports_no_torch(media: Media, tmp_path: Path) -> None:
    index = tmp_path / "index"
    model = tiny_models.open_clip_folder(tmp_path / "model")
    off = ["--set", "channels.sound.enabled=false", "--set", "channels.caption.enabled=false"]
    given = ["index", str(media.path("tone.mp4")), "--set", f"channels.vision.model={model}", *off, "--index"]
    assert main([*given, str(index)]) == 0
    code = f"from vidembed.cli import main; assert main(['search', 'a red car', '--index', {str(index)!r}]) == 0"
    loaded_after(code)  # converts, where indexing needed no text
    assert loaded_after(code) == {"qdrant_edge", "openvino"}
    again = f"from vidembed.cli import main; assert main({[*given, str(tmp_path / 'other')]!r}) == 0"
    assert not loaded_after(again) & {"torch", "open_clip", "transformers"}
