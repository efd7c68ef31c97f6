"""Tiny media with known truth, made by the ffmpeg program once a session. Each has its command beside it.

Expected values are written down from the commands (colours, times, tones), not from what our code reads.
Colours: ffmpeg's "red" is (255, 0, 0), "lime" (0, 255, 0), "blue" (0, 0, 255).
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import pytest

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@dataclass(frozen=True)
class Sample:
    """What a file is. frames: (shown from, colour) of its stretches; times_s: of every frame, where it is short."""

    name: str
    arguments: tuple[str, ...]
    duration_s: float
    size: tuple[int, int] = (64, 48)
    colours: tuple[tuple[float, tuple[int, int, int]], ...] = ()
    times_s: tuple[float, ...] = ()
    audio_rate_hz: int | None = None
    encoder: str | None = None  # skipped, saying so, only when this ffmpeg has no such encoder
    decord: bool = True  # False: decord must refuse it
    after: Callable[[Path], None] | None = field(default=None, compare=False)


def colour(name: str, seconds: float, *, rate: int = 10, size: str = "64x48") -> list[str]:
    return ["-f", "lavfi", "-i", f"color=c={name}:s={size}:r={rate}:d={seconds}"]


def tone(hz: int, seconds: float, *, rate: int = 16000) -> list[str]:
    return ["-f", "lavfi", "-i", f"sine=frequency={hz}:sample_rate={rate}:duration={seconds}"]


SHOTS = [*colour("red", 1), *colour("lime", 1), *colour("blue", 1)]
LATE = [*colour("red", 1.2, rate=25), *colour("lime", 0.44, rate=25), *colour("blue", 2, rate=25)]
JOIN = ["-filter_complex", "[0:v][1:v][2:v]concat=n=3:v=1:a=0[v]", "-map", "[v]"]
H264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "5", "-bf", "2", "-preset", "ultrafast"]
THREE = ((0.0, RED), (1.0, GREEN), (2.0, BLUE))
TENTHS = tuple(number / 10 for number in range(30))


def truncate(share: float) -> Callable[[Path], None]:
    def cut_off(path: Path) -> None:
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return cut_off


def subtitles(*texts: str) -> str:
    """SubRip as an input of ffmpeg: each text from .5 to .9 s of its second."""
    cues = [f"{n + 1}\n00:00:0{n},500 --> 00:00:0{n},900\n<i>{text}</i>\n" for n, text in enumerate(texts) if text]
    return "data:application/x-subrip;base64," + base64.b64encode("\n".join(cues).encode()).decode()


def _flip_bytes(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for position in range(len(data) // 2, len(data) // 2 + 400):
        data[position] ^= 0x5A
    path.write_bytes(bytes(data))


def _rotate(degrees: int) -> Callable[[Path], None]:
    """Write the rotation that phones write: copy the packets and set the display matrix."""

    def turn(path: Path) -> None:
        import av

        plain = path.with_suffix(".plain.mp4")
        path.rename(plain)
        with av.open(str(plain)) as source, av.open(str(path), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            stream.set_display_rotation(degrees)
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
        plain.unlink()

    return turn


def _shots(name: str, *codec: str, **more: object) -> Sample:
    fields: dict = {"duration_s": 3.0, "colours": THREE, "times_s": TENTHS} | more
    return Sample(name, (*SHOTS, *JOIN, *codec), **fields)


# Frames shown from 0, 1, 1.033 and 2 s: red for a second, green for a thirtieth, blue, green again.
_VFR = (
    *colour("red", 0.1), *colour("lime", 0.1), *colour("blue", 0.1), *colour("lime", 0.1),
    "-filter_complex",
    "[0:v][1:v][2:v][3:v]concat=n=4:v=1:a=0,settb=1/1000,setpts='if(eq(N,0),0,if(eq(N,1),1000,if(eq(N,2),1033,2000)))'[v]",
    "-map", "[v]", "-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-video_track_timescale", "1000",
    "-use_editlist", "0",  # some versions of ffmpeg would write one that hides the last frame, of unknown length
)  # fmt: skip

SAMPLES = (
    _shots("three_shots.mp4", *H264),
    # The same again under names that break careless code.
    _shots("with space 'quote' \"double\".mp4", *H264),
    _shots("видео 日本語.mp4", *H264),
    _shots("-leading-dash.mp4", *H264),
    _shots("open_gop.mkv", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-x264-params",
           "keyint=8:min-keyint=8:open-gop=1:bframes=3:scenecut=0", decord=False),
    _shots("hevc.mp4", "-c:v", "libx265", "-x265-params", "log-level=none:keyint=10:open-gop=0", encoder="libx265"),
    _shots("hevc_open.mkv", "-c:v", "libx265", "-x265-params",
           "log-level=none:keyint=8:min-keyint=8:scenecut=0:open-gop=1:bframes=3", encoder="libx265", decord=False),
    _shots("vp9.webm", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", encoder="libvpx-vp9"),
    _shots("av1.mkv", "-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", encoder="libaom-av1", decord=False),
    _shots("mpeg4.avi", "-c:v", "mpeg4", "-q:v", "2", "-bf", "2", decord=False),
    _shots("mpeg2.ts", "-c:v", "mpeg2video", "-q:v", "2", "-bf", "2", "-r", "10", "-f", "mpegts", decord=False,
           encoder="mpeg2video"),
    _shots("mjpeg.mov", "-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"),
    _shots("tenbit.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p10le", "-preset", "ultrafast"),
    Sample("odd_size.mkv", (*colour("red", 1), "-vf", "scale=65:49,format=yuv444p", "-c:v", "libx264"),
           1.0, size=(65, 49), colours=((0.0, RED),)),
    Sample("vfr.mp4", (*_VFR, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "0"), 2.0,
           colours=((0.0, RED), (1.0, GREEN), (1.033, BLUE), (2.0, GREEN)), times_s=(0.0, 1.0, 1.033, 2.0)),
    # The top half red, the lower half blue; turned, red is on the left (90 counter-clockwise) or right.
    *(Sample(f"rotated{degrees}.mp4",
             (*colour("red", 0.5, size="96x24"), *colour("blue", 0.5, size="96x24"), "-filter_complex",
              "[0:v][1:v]vstack[v]", "-map", "[v]", *H264), 0.5, after=_rotate(degrees),
             size=(96, 48) if degrees == 180 else (48, 96)) for degrees in (90, 180, 270)),
    Sample("wide_pixels.mp4", (*colour("red", 0.5), "-vf", "setsar=4/3", *H264), 0.5, size=(85, 48)),
    # Two tracks of text; time stamps begin at 5 s.
    *(Sample(name, (*SHOTS, "-f", "srt", "-i", subtitles("one", "two, too"), "-f", "srt", "-i", subtitles("sign", ""),
                    *JOIN, "-map", "3:s", "-map", "4:s", *H264, "-c:s", codec, "-metadata:s:s:0", "language=ger",
                    "-disposition:s:0", "default", "-disposition:s:1", "forced", *more), 3.0)
      for name, codec, more in (("subtitled.mkv", "subrip", ("-output_ts_offset", "5")),
                                ("subtitled.mp4", "mov_text", ()), ("subtitled_ass.mkv", "ass", ()))),
    # Time stamps begin at 5 s; t = 0 must be the first picture all the same. Half a second of each colour.
    Sample("offset.mkv", (*SHOTS, *tone(440, 3), *JOIN, "-map", "3:a", *H264, "-c:a", "aac", "-output_ts_offset", "5"),
           3.0, colours=THREE, times_s=TENTHS, audio_rate_hz=16000),
    Sample("tone.mp4", (*SHOTS, *tone(440, 3), *JOIN, "-map", "3:a", *H264, "-c:a", "aac"), 3.0, colours=THREE,
           times_s=TENTHS, audio_rate_hz=16000),
    # Digital silence is a sound track all the same.
    Sample("silent_track.mp4", (*colour("red", 2), "-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono:d=2", *H264,
                                "-c:a", "aac"), 2.0, colours=((0.0, RED),), audio_rate_hz=16000),
    # The sound begins one second after the picture, and lasts one.
    Sample("late_audio.mkv", (*SHOTS, "-itsoffset", "1", *tone(440, 1), *JOIN, "-map", "3:a", *H264, "-c:a",
                              "pcm_s16le"), 3.0, colours=THREE, audio_rate_hz=16000),
    # The picture begins one second after the sound, where t = 0 is.
    Sample("late_video.mkv", (*tone(440, 3), "-itsoffset", "1", *colour("red", 2), *H264, "-c:a", "pcm_s16le"), 3.0,
           colours=((1.0, RED),), audio_rate_hz=16000),
    # Only the centre of 5.1 speaks (1 kHz); mono must hear it.
    Sample("surround.mkv", (*colour("red", 1), "-f", "lavfi", "-i",
                            "aevalsrc=0|0|0.5*sin(2*PI*1000*t)|0|0|0:s=16000:c=5.1:d=1", *H264, "-c:a", "pcm_s16le"),
           1.0, audio_rate_hz=16000),
    # Left and right at 0.9 together: their mean is 0.9, their unscaled sum would clip.
    Sample("loud_stereo.wav", ("-f", "lavfi", "-i", "aevalsrc=0.9*sin(2*PI*500*t)|0.9*sin(2*PI*500*t):s=16000:d=1"),
           1.0, size=(0, 0), audio_rate_hz=16000),
    Sample("two_tracks.mkv", (*colour("red", 1), *tone(440, 1), *tone(1000, 1), "-map", "0:v", "-map", "1:a", "-map",
                              "2:a", *H264, "-c:a", "pcm_s16le"), 1.0, audio_rate_hz=16000),
    Sample("audio_only.m4a", (*tone(440, 2), "-c:a", "aac"), 2.0, size=(0, 0), audio_rate_hz=16000),
    # Ten seconds whose pitch says the second: 200 Hz, 300 Hz ... for reading from the middle.
    Sample("ladder.mp4", ("-f", "lavfi", "-i", "aevalsrc='0.5*sin(2*PI*(200+100*floor(t))*t)':s=16000:d=10", "-c:a",
                          "aac", "-b:a", "96k"), 10.0, size=(0, 0), audio_rate_hz=16000),
    # 25 frames a second, shots of which one lies between two whole seconds: keyframes far apart, every second, all.
    *(Sample(name, (*LATE, *JOIN, *codec), 3.64, colours=((0.0, RED), (1.2, GREEN), (1.64, BLUE))) for name, codec in (
        ("late.mp4", ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-sc_threshold", "0")),
        ("late_gops.mp4", ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-sc_threshold", "0", "-g", "25", "-bf", "0")),
        ("late_intra.mov", ("-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p")))),
    Sample("late_b.avi", (*LATE, *JOIN, "-c:v", "mpeg4", "-q:v", "2", "-bf", "2", "-g", "250", "-sc_threshold",
                          "1000000000"), 3.64, colours=((0.0, RED), (1.2, GREEN), (1.64, BLUE)), decord=False),
    # The last one begins after the last whole second, in a group of pictures of its own.
    Sample("last_shot.mp4", (*colour("red", 1.2, rate=25), *colour("lime", 1.48, rate=25),
                             *colour("blue", 0.2, rate=25), *JOIN, "-c:v", "libx264", "-pix_fmt", "yuv420p",
                             "-force_key_frames", "1.2,2.68"), 2.88,
           colours=((0.0, RED), (1.2, GREEN), (2.68, BLUE))),
    # Two white frames at 1.52 s.
    Sample("flash.mp4", (*colour("red", 4, rate=25), "-vf", "drawbox=c=white:t=fill:enable='between(n,38,39)'",
                         *H264), 4.0),
    Sample("dissolve.mp4", (*colour("red", 3, rate=25), *colour("blue", 3, rate=25), "-filter_complex",
                            "[0:v][1:v]xfade=duration=1:offset=2[v]", "-map", "[v]", "-c:v", "libx264", "-pix_fmt",
                            "yuv420p"), 5.0),
    Sample("one_frame.mp4", (*colour("red", 0.1), *H264), 0.1, colours=((0.0, RED),), times_s=(0.0,)),
    # Its index is in front, so it opens, and the pictures end half way.
    Sample("truncated.mp4", (*SHOTS, *JOIN, *H264, "-crf", "0", "-vf", "noise=alls=20:allf=t", "-movflags",
                             "+faststart"), 1.8, decord=False, after=truncate(0.6)),
    # Its index is at the end, so it is gone.
    Sample("no_index.mp4", (*SHOTS, *JOIN, *H264), 3.0, after=truncate(0.5)),
    Sample("bitrot.mp4", (*colour("red", 4), *H264, "-crf", "0", "-vf", "noise=alls=20:allf=t"), 4.0,
           after=_flip_bytes),
)  # fmt: skip

TEXT_FILES = {
    "junk.mp4": "This is no video at all.\n" * 40,
    "empty.mp4": "",
    "playlist.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nthree_shots.mp4\n#EXT-X-ENDLIST\n",
    "concat.mp4": "ffconcat version 1.0\nfile three_shots.mp4\n",
    "manifest.mp4": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"></MPD>\n',
    "session.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
}


@cache
def ffmpeg_program() -> str:
    found = shutil.which("ffmpeg")
    if found:
        return found
    import imageio_ffmpeg

    return imageio_ffmpeg.get_ffmpeg_exe()


class Media:
    """The folder of samples; each is made when first asked for. Several processes may share it."""

    def __init__(self, folder: Path, more: tuple[Sample, ...] = ()) -> None:
        self.folder = folder
        self.samples = {sample.name: sample for sample in (*SAMPLES, *more)}

    def path(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            partial = path.with_name(f"making-{os.getpid()}-{name.lstrip('-')}")
            if name in TEXT_FILES:
                partial.write_text(TEXT_FILES[name], encoding="utf-8")
            else:
                self._make(self.samples[name], partial)
            with suppress(FileExistsError):  # another process was quicker: what is there stays, with its times
                os.link(partial, path)
            partial.unlink()
        return path

    def _make(self, sample: Sample, path: Path) -> None:
        if sample.encoder and sample.encoder not in self._encoders:
            pytest.skip(f"this ffmpeg has no encoder {sample.encoder}, needed to make {sample.name}")
        options = ["-v", "error", "-nostdin", "-y", *_one_video_filter(sample.arguments)]
        command = [ffmpeg_program(), *options, f"file:{path}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"making {sample.name}: {done.stderr}\n{command}"
        if sample.after is not None:
            sample.after(path)

    @cached_property
    def _encoders(self) -> frozenset[str]:
        text = subprocess.run(
            [ffmpeg_program(), "-v", "error", "-encoders"], capture_output=True, text=True, check=True
        ).stdout
        return frozenset(line.split()[1] for line in text.splitlines() if len(line.split()) > 1)


def _one_video_filter(arguments: tuple[str, ...]) -> list[str]:
    """A -vf beside a filter graph belongs at the end of the graph."""
    given = list(arguments)
    if "-filter_complex" in given and "-vf" in given:
        position = given.index("-vf")
        extra = given.pop(position + 1)
        given.pop(position)
        graph = given.index("-filter_complex") + 1
        given[graph] = given[graph].removesuffix("[v]") + f",{extra}[v]"
    return given
