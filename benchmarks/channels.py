"""What each channel costs, as a multiple of real time: seconds of work for one second of video.

    python benchmarks/channels.py [video.mp4] [--seconds 60] [--json channels.json]

One channel at a time: its source and encoder over clips of ten seconds, one frame a second, after one warm-up clip.
Reading is counted apart ("decode"). Channels whose package is missing are left out and named. `clap (random weights)`
has the size of laion/clap-htsat-unfused, built from its settings: the cost is that of the real one, the rows are not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _machine import facts, peak_memory_mb

from vidembed.demo import demo_videos
from vidembed.errors import ConfigError, MissingDependency, WeightsMissing
from vidembed.media.reading.probe import probe
from vidembed.media.reading.reader import open_video
from vidembed.protocols import ClipEncoder, ClipMedia, Source, VideoReader
from vidembed.types import Clip, FrameBatch, Span

CLIP_S = 10.0


def clips_of(video: VideoReader, seconds: float, side_px: int) -> Iterator[ClipMedia]:
    """The video's clips with their frames; a short video is gone through once."""
    frames = list(video.stream(rate_hz=1.0, short_side_px=side_px, span=Span(0, seconds))) if side_px else []
    for index, start_s in enumerate(np.arange(0, seconds, CLIP_S).tolist()):
        span = Span(start_s, min(start_s + CLIP_S, seconds))
        inside = [frame for frame in frames if span.contains(frame.time_s)]
        batch = FrameBatch(np.stack([f.rgb for f in inside]), np.array([f.time_s for f in inside])) if inside else None
        yield ClipMedia(Clip.make(video.info.video_id, index, span), video.info, batch, video)


def measure(
    name: str, make: Callable[[], tuple[Source, ClipEncoder | None]], path: Path, seconds: float
) -> dict[str, Any]:
    """Times of one channel over the video; a channel without an encoder is its source alone."""
    started = time.perf_counter()
    source, encoder = make()
    loaded_s = time.perf_counter() - started
    with open_video(path) as video:
        seconds = min(seconds, video.info.duration_s)
        started = time.perf_counter()
        media = list(clips_of(video, seconds, source.short_side_px))
        decode_s = time.perf_counter() - started
        if encoder is not None and (item := source.item(media[0])) is not None:
            encoder.encode_clips([item], [media[0].clip])
        started = time.perf_counter()
        items = [source.item(one) for one in media]
        source_s = time.perf_counter() - started
        started = time.perf_counter()
        rows = encoder.encode_clips(items, [one.clip for one in media]) if encoder is not None else items
        encode_s = time.perf_counter() - started
    work_s = source_s + encode_s
    return {
        "channel": name,
        "video_s": round(seconds, 2),
        "clips_with_something": sum(row is not None for row in rows),
        "load_s": round(loaded_s, 2),
        "decode_s": round(decode_s, 3),
        "source_s": round(source_s, 3),
        "encode_s": round(encode_s, 3),
        "work_per_second_of_video": round(work_s / seconds, 4),
        "times_real_time": round(seconds / max(work_s, 1e-9), 1),
        "peak_memory_mb": peak_memory_mb(),
    }


def vision() -> tuple[Source, ClipEncoder]:
    from vidembed.models.encoders.pooled import PooledEncoder
    from vidembed.sources.basic import FramesSource

    return FramesSource(short_side_px=292), PooledEncoder(_starter(), "image")


def sound() -> tuple[Source, ClipEncoder]:
    from vidembed.models import registry
    from vidembed.models.encoders.pooled import PooledEncoder
    from vidembed.models.encoders.segments import AudioWindows
    from vidembed.sources.basic import AudioSource

    spec = registry.find("starter").input
    source = AudioSource(rate_hz=spec.rate_hz or 16_000, silence_rms=0.0005)
    return source, PooledEncoder(
        _starter(), "audio", windows=AudioWindows(spec.window_s, spec.window_s and spec.window_s / 2)
    )


def clap() -> tuple[Source, ClipEncoder]:
    import torch
    import transformers

    from vidembed.models.encoders.dual import ClapEncoder
    from vidembed.models.encoders.pooled import PooledEncoder
    from vidembed.models.encoders.segments import AudioWindows
    from vidembed.sources.basic import AudioSource
    from vidembed.types import Space

    class NoTokenizer:
        model_max_length = 77

    torch.manual_seed(0)
    model = transformers.ClapModel(transformers.ClapConfig()).eval().requires_grad_(False)
    extractor = transformers.ClapFeatureExtractor(truncation="rand_trunc")
    encoder = ClapEncoder(Space("clap", 512), model, extractor, NoTokenizer(), torch.device("cpu"))
    return AudioSource(rate_hz=48_000, silence_rms=0.0005), PooledEncoder(
        encoder, "audio", windows=AudioWindows(10.0, 5.0)
    )


def speech() -> tuple[Source, None]:
    from vidembed.sources.speech import SpeechSource

    return SpeechSource(), None


def ocr() -> tuple[Source, None]:
    from vidembed.sources.ocr import OcrSource

    return OcrSource(), None


def words() -> tuple[Source, ClipEncoder]:
    from vidembed.models.encoders.words import Bm25Words, WordClipEncoder
    from vidembed.sources.speech import shared

    return shared(), WordClipEncoder(Bm25Words())


CHANNELS: dict[str, Callable[[], tuple[Source, ClipEncoder | None]]] = {
    "vision (starter)": vision,
    "sound (starter)": sound,
    "clap (random weights)": clap,
    "speech (Whisper tiny.en, int8)": speech,
    "words (of the speech above)": words,
    "ocr (PP-OCR small, 480 px)": ocr,
}


def _starter() -> Any:
    from vidembed.models import registry

    return registry.load_encoder("starter", device="cpu")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "video", type=Path, nargs="?", help="with speech and pictures (default: the longest of the demo)"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of the video, from its beginning")
    parser.add_argument("--channels", nargs="*", default=list(CHANNELS), choices=list(CHANNELS), metavar="CHANNEL")
    parser.add_argument("--json", type=Path, help="where to write the result; else to standard output")
    given = parser.parse_args(arguments)
    given.video = given.video or max(demo_videos(), key=lambda path: probe(path).duration_s)
    results, left_out = [], {}
    for name in given.channels:
        try:
            results.append(measure(name, CHANNELS[name], given.video, given.seconds))
            print(f"{name}: {results[-1]['times_real_time']} x real time", file=sys.stderr)
        except (ConfigError, MissingDependency, WeightsMissing) as error:
            left_out[name] = f"{error.message}; {error.hint}"
    report = {
        "video": given.video.name,
        "channels": results,
        "left_out": left_out,
        "machine": facts(("torch", "transformers", "faster-whisper", "rapidocr", "onnxruntime")),
    }
    text = json.dumps(report, indent=2)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
