"""The sound track as mono float32 at any rate, on the picture's clock; all readers take it through PyAV."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from vidembed.config.schema import LimitSettings, MediaSettings
from vidembed.errors import BadQuery, ConfigError, NoSuchStream
from vidembed.media.reading.channels import cancels, left_channel, mean_of_channels, samples_of
from vidembed.media.reading.container import discard_others, open_container, packets
from vidembed.media.reading.probe import Headers, read_headers
from vidembed.media.reading.scaling import Geometry
from vidembed.media.reading.subtitle_tracks import read_picture_tracks, read_text_tracks
from vidembed.media.subtitles import read_all
from vidembed.types import AudioSamples, Floats, Span, SubtitleTrack

_PREROLL_S = 0.25  # decoders of lossy sound need some packets before they give the right samples
_MP3_PREROLL_S = 0.75  # its packets borrow bits from packets before
_AHEAD_S = 5.0  # a span further ahead than this is reached by seeking
_BEGINNING = -(1 << 62)  # before any sample
_GAP_S = 0.05  # times that differ more than this from a steady clock are a gap; less is rounding of timestamps


class OpenFile:
    """An opened file: its headers and its sound. The readers add the pictures.

    Keeps one position in the sound per rate, so that consecutive spans cost one pass in all.
    """

    def __init__(self, path: str | Path, settings: MediaSettings | None = None) -> None:
        settings = settings or MediaSettings()
        self._path, self._limits = Path(path), settings.limits
        with open_container(self._path, self._limits) as container:
            self._headers = read_headers(container, self._path, self._limits)
        self.info = self._headers.info
        self._counts = dict.fromkeys(("decoded", "skipped", "corrupt", "missing", "seeks", "audio_corrupt"), 0)
        self._counts["missing"] = self._headers.missing
        self._tracks: dict[int, _Track] = {}
        track, indices = settings.audio_track, self._headers.audio_indices
        if track is not None and indices and not 0 <= track < len(indices):
            raise ConfigError(f"{self._path.name}: no audio track {track}; it has {len(indices)}, counted from 0")
        self._audio_index = self._headers.audio_index if track is None or not indices else indices[track]

    @property
    def counts(self) -> Mapping[str, int]:
        return dict(self._counts)

    def audio(self, span: Span, *, rate_hz: int) -> AudioSamples:
        """See `protocols.VideoReader.audio`. Gives round(end * rate) - round(start * rate) samples."""
        if rate_hz < 1:
            raise ValueError(f"rate_hz must be at least 1, got {rate_hz}")
        if self._audio_index is None:
            raise NoSuchStream(f"{self._path.name}: has no sound track")
        if rate_hz not in self._tracks:
            self._tracks[rate_hz] = _Track(
                self._path, self._limits, self._headers, self._audio_index, rate_hz, self._counts
            )
        first, end = round(span.start_s * rate_hz), round(span.end_s * rate_hz)
        samples = self._tracks[rate_hz].read(first, max(end, first + 1))
        if samples is None:
            raise NoSuchStream(f"{self._path.name}: no sound between {span}")
        return AudioSamples(samples, rate_hz, first / rate_hz)

    def subtitles(self, *, pictures: bool = False) -> list[SubtitleTrack]:
        """See `protocols.VideoReader.subtitles`."""
        if pictures:
            return read_picture_tracks(self._path, self._limits, clock=self._headers.clock)
        return read_all(self._path) + read_text_tracks(self._path, self._limits, clock=self._headers.clock)

    def close(self) -> None:
        """Free its memory."""
        for track in self._tracks.values():
            track.close()
        self._tracks.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _geometry(self) -> Geometry:
        if self._headers.geometry is None:
            raise NoSuchStream(f"{self._path.name}: has no picture", hint="it is sound only; use audio channels")
        return self._headers.geometry


def load_audio(
    path: str | Path, rate_hz: int, *, limits: LimitSettings | None = None, max_s: float = 600.0
) -> AudioSamples:
    """Read the first `max_s` seconds of a file's first sound track, for queries.

    Returns:
        Mono float32 at `rate_hz`.

    Raises:
        BadQuery: The file has no sound that can be decoded.
        MediaNotFound: There is no such file.
        MediaUnreadable: It is damaged, or not a media file.
    """
    with OpenFile(path, MediaSettings(limits=limits or LimitSettings())) as file:
        try:
            return file.audio(Span(0.0, min(max_s, file.info.duration_s)), rate_hz=rate_hz)
        except NoSuchStream as error:
            name = file.info.path.name
            raise BadQuery(f"{name}: has no sound to search with", hint="give a file with a sound track") from error


class _Track:
    """One sound stream at one rate. Positions are sample numbers at that rate from t = 0."""

    def __init__(
        self, path: Path, limits: LimitSettings, headers: Headers, index: int, rate_hz: int, counts: dict[str, int]
    ) -> None:
        self._path, self._limits, self._index = path, limits, index
        self._rate_hz, self._counts, self._clock = rate_hz, counts, headers.clock
        self._hidden = headers.hidden.get(index, ())
        self._container: Any = None
        self._blocks: list[tuple[int, Floats]] = []  # decoded, not yet outlived: (position, samples as they came out)
        self._kept_from = _BEGINNING  # what lies before is gone
        self._rewind()

    def close(self) -> None:
        self._container.close()

    def read(self, first: int, end: int) -> Floats | None:
        """Samples first..end, zeros where there are none; None when there is none at all."""
        beyond = first > self._reached + _AHEAD_S * self._rate_hz and not self._ended
        if first < self._kept_from or beyond:
            self._seek(first)
        while self._reached < end and self._step():
            pass
        samples = np.zeros(end - first, dtype=np.float32)
        any_sample = False
        for position, block in self._blocks:
            low, high = max(first, position), min(end, position + len(block))
            if low < high:
                samples[low - first : high - first] = block[low - position : high - position]
                any_sample = True
        np.nan_to_num(np.clip(samples, -1.0, 1.0, out=samples), copy=False)
        # Later spans may overlap this one but begin no earlier; anything else seeks.
        self._blocks = [entry for entry in self._blocks if entry[0] + len(entry[1]) > first]
        self._kept_from = max(self._kept_from, first)
        return samples if any_sample else None

    def _rewind(self) -> None:
        """Open again: the one way back to the first sample that every format knows."""
        if self._container is not None:
            self._container.close()
        self._container = open_container(self._path, self._limits)
        self._stream = self._container.streams[self._index]
        self._tick = self._stream.time_base.as_integer_ratio()
        discard_others(self._container, self._stream)
        self._restart(_BEGINNING)

    def _restart(self, kept_from: int) -> None:
        self._blocks = []
        self._kept_from = kept_from
        self._reached = max(0, kept_from)  # what lies before has been decoded
        found = packets(self._container, self._stream, self._counts, "audio_corrupt")
        self._packets = iter(self._clock.carried_on(found))
        self._resampler: Any = None
        self._one_side = False  # left and right cancel each other out
        self._segment_start = 0  # position of the gapless stretch in hand, and how much of it came out
        self._segment_out = 0
        self._expected_s = 0.0  # when its next frame is due
        self._ended = False
        self._from_s = -math.inf  # what comes before is passed over

    def _seek(self, first: int) -> None:
        """Go to a position; where an index overshoots, from further back."""
        import av

        preroll_s = _MP3_PREROLL_S if self._stream.codec_context.codec.canonical_name == "mp3" else _PREROLL_S
        if self._clock.edges:  # the file's own stamps name more than one place
            self._rewind()
            self._restart(first)
            self._from_s = first / self._rate_hz - preroll_s
            return
        for back_s in (preroll_s, 5.0, 60.0):
            goal_s = first / self._rate_hz - back_s
            if goal_s <= 0:
                break
            try:
                self._container.seek(
                    round((goal_s + self._clock.start_s) / self._stream.time_base), stream=self._stream
                )
            except av.error.FFmpegError:
                break
            self._counts["seeks"] += 1
            self._restart(first)
            while not self._blocks and self._step():
                pass
            if not self._blocks or self._blocks[0][0] <= first:
                return
        self._rewind()

    def _step(self) -> bool:
        """Decode one packet; False at the end of the track."""
        import av

        packet = next(self._packets, None)
        if packet is not None and self._is_before(packet):
            return True
        try:
            frames = [] if packet is None else packet.decode()
        except av.error.EOFError:
            frames = []
        except av.error.FFmpegError:
            self._counts["audio_corrupt"] += 1
            return True
        for frame in frames:
            self._push(frame)
        if packet is None and not self._ended:
            self._end_segment()
            self._ended = True
        return packet is not None

    def _is_before(self, packet: Any) -> bool:
        return bool(self._from_s > -math.inf and packet.pts is not None and self._seconds(packet.pts) < self._from_s)

    def _seconds(self, stamp: int) -> float:
        ticks, per_s = self._tick  # integers: as exact as fractions, and ten times as fast
        return stamp * ticks / per_s - self._clock.start_s

    def _push(self, frame: Any) -> None:
        import av

        if frame.samples == 0:
            return
        time_s = self._expected_s if frame.pts is None else self._seconds(frame.pts)
        if self._hidden and any(span.contains(time_s) for span in self._hidden):
            return
        if self._resampler is None or abs(time_s - self._expected_s) > _GAP_S:
            self._begin_segment(time_s)
        self._expected_s += frame.samples / frame.sample_rate
        try:
            mixed = samples_of(self._resampler.resample(left_channel(frame) if self._one_side else frame))
            if not self._one_side and cancels(frame, mixed):
                self._one_side = True
                self._begin_segment(time_s)
                self._expected_s += frame.samples / frame.sample_rate
                mixed = samples_of(self._resampler.resample(left_channel(frame)))
        except (ValueError, av.error.FFmpegError):
            # The format changed on the way, or the channels have no known places: start again from this frame.
            self._begin_segment(time_s)
            self._expected_s = time_s + frame.samples / frame.sample_rate
            try:
                mixed = samples_of(self._resampler.resample(mean_of_channels(frame)))
            except (ValueError, av.error.FFmpegError):
                self._counts["audio_corrupt"] += 1
                self._resampler = None
                return
        self._keep(mixed)

    def _begin_segment(self, time_s: float) -> None:
        from av import AudioResampler

        self._end_segment()
        # rematrix_maxval: the mix to mono is scaled so that it cannot exceed full scale; with floats FFmpeg would
        # otherwise add stereo up to 1.41. The weights are those of ITU-R BS.775: centre and surrounds at -3 dB.
        self._resampler = AudioResampler(
            format="flt", layout="mono", rate=self._rate_hz, options={"rematrix_maxval": "1.0"}
        )
        self._segment_start, self._segment_out, self._expected_s = round(time_s * self._rate_hz), 0, time_s

    def _end_segment(self) -> None:
        import av

        if self._resampler is not None:
            try:
                self._keep(samples_of(self._resampler.resample(None)))
            except (ValueError, av.error.FFmpegError):
                self._counts["audio_corrupt"] += 1
            self._resampler = None

    def _keep(self, blocks: list[Floats]) -> None:
        for block in blocks:
            position = self._segment_start + self._segment_out
            self._blocks.append((position, block))
            self._segment_out += len(block)
            self._reached = max(self._reached, position + len(block))
