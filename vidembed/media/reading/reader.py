"""Open a video as a `VideoReader`; read a sound file whole, for queries."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from vidembed.errors import BadQuery, ConfigError, NoSuchStream, did_you_mean
from vidembed.media.reading.audio import AudioTracks
from vidembed.media.reading.container import Limits, open_container
from vidembed.media.reading.probe import read_headers
from vidembed.protocols import VideoReader
from vidembed.types import AudioSamples, Span

Backend = Literal["pyav", "decord"]
BACKENDS: tuple[Backend, ...] = ("pyav", "decord")


def open_video(
    path: str | Path,
    *,
    backend: Backend = "pyav",
    limits: Limits | None = None,
    audio_track: int | None = None,
    threads: int = 0,
) -> VideoReader:
    """Open one local file. A context manager; the reader says in `backend` what reads its pictures.

    backend: "pyav" (default: right on every file tried and the faster one for long videos) or "decord" (fewer
    codecs: no AV1; no high dynamic range). Sound is read through PyAV by both. audio_track: number of the sound track,
    from 0; None = 0.
    threads: that decode it, 0 = one a core, at most 4; give 1 where several videos are decoded at once.
    Raises MediaNotFound, MediaUnreadable, NoSuchStream (neither picture nor sound), MissingDependency, ConfigError.
    """
    if backend == "pyav":
        from vidembed.media.reading.pyav_reader import PyavReader

        return PyavReader(path, limits, audio_track=audio_track, threads=threads)
    if backend == "decord":
        from vidembed.media.reading.decord_reader import DecordReader

        return DecordReader(path, limits, audio_track=audio_track, threads=threads)
    raise ConfigError(f"media.reader: unknown reader {backend!r}", hint=did_you_mean(str(backend), BACKENDS))


def load_audio(
    path: str | Path,
    rate_hz: int,
    *,
    limits: Limits | None = None,
    max_s: float = 600.0,
    audio_track: int | None = None,
) -> AudioSamples:
    """The sound of a file (sound or video) as mono float32, its first `max_s` seconds at most. For queries.

    Raises BadQuery when the file has no sound that can be decoded; MediaNotFound and MediaUnreadable as `open_video`.
    """
    path, limits = Path(path), limits or Limits()
    counts = {"audio_corrupt": 0, "seeks": 0}
    with open_container(path, limits) as container:
        headers = read_headers(container, path, limits)
    tracks = AudioTracks(path, limits, headers, audio_track, counts)
    try:
        return tracks.read(Span(0.0, min(max_s, headers.info.duration_s)), rate_hz=rate_hz)
    except NoSuchStream as error:
        raise BadQuery(f"{path.name}: has no sound to search with", hint="give a file with a sound track") from error
    finally:
        tracks.close()
