"""Media whose headers, clocks, tracks or shapes mislead, with what is true of them (see media_factory).

Where a program would not write such a file, it is patched or joined afterwards, as recorders and editors do.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from media_factory import H264, JOIN, SHOTS, Sample, colour, ffmpeg_program, subtitles, tone, truncate

_MPEG2 = ("-c:v", "mpeg2video", "-q:v", "2")
_RED_THEN_BLUE = ("-filter_complex", "[0:v][1:v]concat=n=2:v=1:a=0[v]", "-map", "[v]")
_KEY = "76a6c65c5ea762046bd749a2e632ccbb"
_CENC = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", _KEY, "-encryption_kid", _KEY)


def _joined_with(*arguments: str) -> Callable[[Path], None]:
    """Append what this command of ffmpeg makes, as `cat` does."""

    def join(path: Path) -> None:
        other = path.with_name(f"second-{path.name}")
        subprocess.run([ffmpeg_program(), "-v", "error", "-nostdin", "-y", *arguments, f"file:{other}"], check=True)
        with path.open("ab") as file:
            file.write(other.read_bytes())
        other.unlink()

    return join


def _patched(*edits: Callable[[bytearray], None]) -> Callable[[Path], None]:
    def patch(path: Path) -> None:
        data = bytearray(path.read_bytes())
        for edit in edits:
            edit(data)
        path.write_bytes(data)

    return patch


def _flv_says(seconds: float) -> Callable[[bytearray], None]:
    """The double behind the name "duration" and its type."""
    return lambda data: struct.pack_into(">d", data, data.index(b"duration") + 9, seconds)


def _mkv_says(seconds: float) -> Callable[[bytearray], None]:
    """The Duration element: 44 89 88, then a double, in milliseconds."""
    return lambda data: struct.pack_into(">d", data, data.index(b"\x44\x89\x88") + 3, seconds * 1000)


def _avi_says(frames: int) -> Callable[[bytearray], None]:
    """dwTotalFrames of the main header, dwLength of the stream's."""

    def edit(data: bytearray) -> None:
        struct.pack_into("<I", data, data.index(b"avih") + 8 + 16, frames)
        struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, frames)

    return edit


def _later_by(ticks: int) -> Callable[[bytearray], None]:
    """All decode times of a fragmented MP4: baseMediaDecodeTime of version 1 is 64 bits long."""

    def edit(data: bytearray) -> None:
        place = data.find(b"tfdt")
        while place >= 0:
            (stamp,) = struct.unpack_from(">Q", data, place + 8)
            struct.pack_into(">Q", data, place + 8, stamp + ticks)
            place = data.find(b"tfdt", place + 4)

    return edit


def _matrix(a: float, b: float, c: float, d: float) -> Callable[[bytearray], None]:
    """The display matrix of the first track: x' = a x + c y, y' = b x + d y."""

    def edit(data: bytearray) -> None:
        place = data.index(b"tkhd") + 4 + 40
        for number, value in zip((0, 1, 3, 4), (a, b, c, d), strict=True):
            struct.pack_into(">i", data, place + 4 * number, round(value * 65536))

    return edit


def _hide_edges(left: int, top: int, right: int, bottom: int) -> Callable[[bytearray], None]:
    """Matroska: PixelCropLeft and so on in place of the Colour element, and what is left of that is void."""

    def edit(data: bytearray) -> None:
        place = data.index(b"\x55\xb0")
        length = 3 + (data[place + 2] & 0x7F)
        edges = zip((0xCC, 0xBB, 0xDD, 0xAA), (left, top, right, bottom), strict=True)
        said = b"".join(bytes([0x54, name, 0x81, pixels]) for name, pixels in edges)
        void = length - len(said) - 2
        data[place : place + length] = said + bytes([0xEC, 0x80 | void]) + bytes(void)

    return edit


def _aperture(*numbers: int) -> Callable[[bytearray], None]:
    """A clean aperture in an MP4 whose index is at its end: width, height, right, down, a denominator after each."""

    def edit(data: bytearray) -> None:
        box = struct.pack(">I4sIIIIiIiI", 40, b"clap", *numbers)
        entry = data.index(b"avc1", data.index(b"stsd")) - 4
        for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
            place = data.rindex(name, 0, entry + 8) - 4
            struct.pack_into(">I", data, place, struct.unpack_from(">I", data, place)[0] + len(box))
        data[entry + 86 : entry + 86] = box

    return edit


def _scramble(data: bytearray) -> None:
    """Say of every packet of sound and picture that it is encrypted, and garble it, as pay television does."""
    for place in range(0, len(data), 188):
        if data[place + 1] & 0x1F == 1:  # packet identifiers from 0x100 on
            data[place + 3] |= 0x80
            data[place + 4 : place + 188] = bytes(value ^ 0xA5 for value in data[place + 4 : place + 188])


def _edited(*edits: tuple[float, float | None]) -> Callable[[bytearray], None]:
    """Other edit lists of an MP4 whose index is at its end: for how long, and the time in the media; None = nothing."""

    def edit(data: bytearray) -> None:
        head, length_s = data.index(b"mvhd"), sum(seconds for seconds, _ in edits)
        (movie_hz,) = struct.unpack_from(">I", data, head + 16)
        struct.pack_into(">I", data, head + 20, round(movie_hz * length_s))
        place = data.find(b"elst")
        while place >= 0:
            (size,) = struct.unpack_from(">I", data, place - 4)
            (begins,) = struct.unpack_from(">i", data, place + 16)  # what comes before is the decoder's delay
            (ticks_hz,) = struct.unpack_from(">I", data, data.index(b"mdhd", place) + 16)
            struct.pack_into(">I", data, data.rindex(b"tkhd", 0, place) + 24, round(movie_hz * length_s))
            rows = [
                (round(movie_hz * seconds), -1 if media_s is None else begins + round(ticks_hz * media_s), 1 << 16)
                for seconds, media_s in edits
            ]
            said = struct.pack(">II", 0, len(rows)) + b"".join(struct.pack(">IiI", *row) for row in rows)
            for name in (b"moov", b"trak", b"edts", b"elst"):
                box = data.rindex(name, 0, place + 4) - 4
                (before,) = struct.unpack_from(">I", data, box)
                struct.pack_into(">I", data, box, before + 8 + len(said) - size)
            data[place + 4 : place - 4 + size] = said
            place = data.find(b"elst", place + 4)

    return edit


def _trimmed_by(seconds: float) -> Callable[[Path], None]:
    """Copied from there on, as phones trim: from the keyframe before, which an edit list hides."""

    def trim(path: Path) -> None:
        whole = path.with_name(f"whole-{path.name}")
        path.rename(whole)
        command = ["-v", "error", "-nostdin", "-y", "-ss", str(seconds), "-i", f"file:{whole}", "-c", "copy"]
        subprocess.run([ffmpeg_program(), *command, f"file:{path}"], check=True)
        whole.unlink()

    return trim


def _recorded(path: Path) -> None:
    """Bare H.264 as surveillance recorders keep it (DHAV): each picture with its date, from 2024-05-06 07:08:09 on."""
    import av

    with av.open(str(path), format="h264") as container:
        pictures = [(bytes(packet), packet.is_keyframe) for packet in container.demux(video=0) if packet.size]
    chunks = []
    for number, (data, key) in enumerate(pictures):
        second, ms = divmod(number * 100, 1000)
        date = (24 << 26) | (5 << 22) | (6 << 17) | (7 << 12) | (8 << 6) | (9 + second)
        # Its size in eighths; H.264 at 10 a second.
        extra = bytes([0x80, 0, 64 // 8, 48 // 8, 0x81, 0, 4, 10])
        size = 24 + len(extra) + len(data) + 8
        head = struct.pack(
            "<4sBBBBIIIHBB", b"DHAV", 0xFD if key else 0xFC, 0, 0, 0, number, size, date, ms, len(extra), 0
        )
        chunks.append(head + extra + data + b"dhav" + struct.pack("<I", size))
    path.write_bytes(b"".join(chunks))


def _only_headers(path: Path) -> None:
    """The index, and the first bytes of what it lists."""
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 12])


def _red(*more: str, seconds: float = 4) -> tuple[str, ...]:
    return (*colour("red", seconds), *H264, *more)


def _sounding(name: str, hz: int, *coding: str) -> tuple[str, ...]:
    return (*colour(name, 2), *tone(hz, 2, rate=48000), *coding)


_TS = (*H264, "-bf", "0", "-c:a", "aac", "-f", "mpegts")
_VOB = (*_MPEG2, "-r", "25", "-c:a", "mp2", "-f", "vob")
_QUARTERS = (
    *colour("red", 0.5, size="96x24"), *colour("blue", 0.5, size="96x24"),
    "-filter_complex", "[0:v][1:v]vstack,drawbox=c=lime:t=fill:w=48:h=24[v]", "-map", "[v]", *H264,
)  # fmt: skip
_HALF_LOUD = "aevalsrc='if(lt(t,10),0.001*sin(2*PI*200*t),0.3*(random(0)-0.5))':s=44100:d=20"

# Lengths and clocks.
CLOCKS = (
    # Two recordings of 2 s joined: red with 440 Hz, blue with 1000 Hz.
    Sample("joined.ts", _sounding("red", 440, *_TS), 4.0, audio_rate_hz=48000, decord=False,
           after=_joined_with(*_sounding("blue", 1000, *_TS))),
    Sample("joined.vob", _sounding("red", 440, *_VOB), 4.0, audio_rate_hz=48000, decord=False, encoder="mpeg2video",
           after=_joined_with(*_sounding("blue", 1000, *_VOB))),
    # The second part's clock is an hour ahead, as across a discontinuity of a live stream.
    Sample("joined_ahead.ts", _sounding("red", 440, *_TS), 4.0, audio_rate_hz=48000, decord=False,
           after=_joined_with(*_sounding("blue", 1000, "-output_ts_offset", "3600", *_TS))),
    Sample("chained.ogg", (*tone(440, 2), "-c:a", "libvorbis"), 4.0, size=(0, 0), audio_rate_hz=16000,
           encoder="libvorbis", after=_joined_with(*tone(1000, 2), "-c:a", "libvorbis")),
    Sample("says_1s.flv", _red(), 4.0, after=_patched(_flv_says(1)), decord=False),
    Sample("says_an_hour.flv", _red(), 4.0, after=_patched(_flv_says(3600)), decord=False),
    Sample("says_1s.mkv", _red(), 4.0, after=_patched(_mkv_says(1))),
    Sample("says_1s.avi", (*colour("red", 4), "-c:v", "mpeg4", "-bf", "0"), 4.0, after=_patched(_avi_says(10)),
           decord=False),
    # Recorded from a live stream that had run for an hour.
    Sample("live.mp4", _red("-bf", "0", "-video_track_timescale", "1000", "-movflags",
                            "frag_keyframe+empty_moov+default_base_moof"), 4.0, after=_patched(_later_by(3_600_000))),
    # Joined with a recording whose pictures have another number.
    Sample("renumbered.ts", (*colour("red", 2), *H264, "-bf", "0", "-f", "mpegts"), 2.0, decord=False,
           after=_joined_with(*colour("blue", 1), *H264, "-bf", "0", "-mpegts_start_pid", "500", "-f", "mpegts")),
    # Nothing is shown for 3 s, by an empty edit.
    Sample("lead_in.mp4", _red("-output_ts_offset", "3"), 4.0),
    Sample("starts_late.f4v", (*colour("red", 4), *tone(440, 4), *H264, "-c:a", "aac", "-output_ts_offset", "3", "-f",
                               "mp4"), 4.0, audio_rate_hz=16000),
    Sample("no_xing.mp3", ("-f", "lavfi", "-i", _HALF_LOUD, "-c:a", "libmp3lame", "-q:a", "2", "-write_xing", "0",
                           "-id3v2_version", "0"), 20.0, size=(0, 0), audio_rate_hz=44100, encoder="libmp3lame"),
    Sample("adts.aac", ("-f", "lavfi", "-i", _HALF_LOUD, "-c:a", "aac", "-b:a", "128k", "-f", "adts"), 20.0,
           size=(0, 0), audio_rate_hz=44100),
    Sample("bare.ac3", ("-f", "lavfi", "-i", _HALF_LOUD, "-c:a", "ac3"), 20.0, size=(0, 0), audio_rate_hz=44100),
    # Nothing but pictures, 25 a second: red for 2 s, then blue.
    *(Sample(name, (*colour("red", 2, rate=25, size="176x144"), *colour("blue", 2, rate=25, size="176x144"),
                    *_RED_THEN_BLUE, "-c:v", encoder, *coding), 4.0, size=size, encoder=encoder, decord=False)
      for name, size, encoder, *coding in (
          ("bare.m1v", (176, 144), "mpeg1video", "-q:v", "3"), ("bare_b.m1v", (176, 144), "mpeg1video", "-bf", "2"),
          ("bare.m2v", (176, 144), "mpeg2video", "-q:v", "3"), ("bare_b.m2v", (176, 144), "mpeg2video", "-bf", "2"),
          ("bare.m4v", (176, 144), "mpeg4", "-q:v", "3", "-f", "m4v"),
          ("bare.mjpeg", (176, 144), "mjpeg", "-f", "mjpeg"),
          ("bare.h263", (192, 144), "h263"), ("bare.obu", (176, 144), "libaom-av1", "-cpu-used", "8"))),
    # Where a picture repeats the one before, Theora has an empty packet.
    Sample("stands.ogv", (*colour("red", 2, rate=25), *colour("blue", 2, rate=25), *_RED_THEN_BLUE, "-c:v",
                          "libtheora"), 4.0, encoder="libtheora", decord=False),
    Sample("bare.mpg", (*colour("red", 4, rate=25), *_MPEG2), 4.0, encoder="mpeg2video", decord=False),
    Sample("bare.h264", (*colour("red", 1, rate=30), *colour("blue", 1, rate=30), *_RED_THEN_BLUE, *H264, "-f", "h264"),
           2.0, decord=False),
    Sample("bare.hevc", (*colour("red", 1, rate=30), *colour("blue", 1, rate=30), *_RED_THEN_BLUE, "-c:v", "libx265",
                         "-x265-params", "log-level=none", "-f", "hevc"), 2.0, decord=False, encoder="libx265"),
    Sample("recorder.dav", (*colour("red", 1), *colour("blue", 1), *_RED_THEN_BLUE, *H264, "-bf", "0", "-f", "h264"),
           2.0, after=_recorded, decord=False),
    # Sound from 0 to 8 s, pictures from 6 s on.
    *(Sample(f"picture_at_6s.{kind}", (*tone(440, 8, rate=48000), "-itsoffset", "6", *colour("red", 2), "-map", "0",
                                       "-map", "1", *H264, "-bf", "0", "-c:a", "aac", "-fps_mode",
                                       "passthrough"), 8.0, audio_rate_hz=48000)
      for kind in ("mp4", "mkv", "ts")),
    # 3 of 5 bytes are left; the pictures need about the same number of bytes each.
    *(Sample(f"cut_off.{kind}", _red("-crf", "0", "-vf", "noise=alls=20:allf=t"), 2.4, after=truncate(0.6))
      for kind in ("mkv", "flv")),
    Sample("cut_off.webm", (*colour("red", 4), "-vf", "noise=alls=20:allf=t", "-c:v", "libvpx", "-b:v", "1M", "-g",
                            "5"), 2.4, encoder="libvpx", after=truncate(0.6)),
    Sample("nothing_left.m4b", (*tone(440, 8), "-c:a", "aac", "-f", "mp4", "-movflags", "+faststart"), 0.0,
           after=_only_headers),
    Sample("wmv2.wmv", (*colour("red", 4), *tone(440, 4), "-c:v", "wmv2", "-c:a", "wmav2", "-output_ts_offset", "2"),
           4.0, audio_rate_hz=16000, decord=False),
    # Red, green and blue for a second each, with keyframes at 0 and 2 s; what is shown begins at 1.2 s.
    Sample("trimmed.mp4", (*SHOTS, *JOIN, *H264, "-g", "20", "-bf", "0"), 1.8, after=_trimmed_by(1.2)),
    # Red and 440 Hz for a second, 2 s of nothing, blue and 1000 Hz; the second between them is in the file.
    *(Sample(f"empty_edit_{frames}.mp4", (*SHOTS, *tone(440, 1.5), *tone(1000, 1.5), "-filter_complex",
                                          "[0:v][1:v][2:v]concat=n=3:v=1:a=0[v];[3:a][4:a]concat=n=2:v=0:a=1[a]",
                                          "-map", "[v]", "-map", "[a]", *H264, "-bf", frames, "-c:a", "aac"), 4.0,
             audio_rate_hz=16000, decord=False, after=_patched(_edited((1, 0), (2, None), (1, 2))))
      for frames in ("0", "2")),
    # Red for a second, then blue, then nothing to the end.
    Sample("ends_empty.mp4", (*SHOTS, *JOIN, *H264, "-bf", "0"), 3.0,
           after=_patched(_edited((1, 0), (1, 2), (1, None)))),
    # Red for a second before the file's zero, where Matroska's clock says nothing to FFmpeg; then blue.
    Sample("before_zero.mkv", (*colour("red", 1), *colour("blue", 2), *_RED_THEN_BLUE, *H264, "-bf", "0",
                               "-output_ts_offset", "-1", "-avoid_negative_ts", "disabled"), 2.0, decord=False),
    # The last line of its subtitles ends at 5.9 s.
    Sample("subtitles_go_on.mkv", (*colour("red", 3), "-f", "srt", "-i", subtitles("one", "", "", "", "", "end"),
                                   *H264), 3.0),
    # AVI with a clock of 600 ticks a second, 10 pictures a second.
    Sample("ticks_600.avi", (*colour("red", 4), "-c:v", "mpeg4", "-bf", "0", "-enc_time_base", "1:600", "-fps_mode",
                             "passthrough"), 4.0, decord=False),
    Sample("camera.dv", (*colour("red", 1, rate=25, size="720x576"), "-c:v", "dvvideo", "-pix_fmt", "yuv420p"), 1.0,
           size=(768, 576), encoder="dvvideo", decord=False),
)  # fmt: skip

# Shapes and tracks. Top left lime, top right red, lower half blue; then turned by the display matrix.
SHAPES = (
    *(Sample(name, _QUARTERS, 0.5, size=size, after=_patched(_matrix(*matrix)))
      for name, matrix, size in (
          ("mirrored.mp4", (-1, 0, 0, 1), (96, 48)),
          ("flipped.mp4", (1, 0, 0, -1), (96, 48)),
          ("turned_and_mirrored.mp4", (0, 1, 1, 0), (48, 96)),
          ("turned_90.mp4", (0, -1, 1, 0), (48, 96)),
          ("sheared.mp4", (1, 0.5, 0, 1), (96, 48)),
          ("no_matrix.mp4", (0, 0, 0, 0), (96, 48)))),
    # Red, with white edges that are not to be shown: 8 columns left, 12 lines above, 4 columns right, 6 lines below.
    Sample("cropped.mkv",
           (*colour("white", 1), "-vf", "drawbox=x=8:y=12:w=52:h=30:t=fill:c=red,setparams=color_primaries=bt709:"
            "color_trc=bt709:colorspace=smpte170m:range=tv", *H264), 1.0, size=(52, 30), decord=False,
           after=_patched(_hide_edges(8, 12, 4, 6))),
    # The same by a clean aperture of 52 x 30, whose middle lies 2 columns right and 3 lines below that of the picture.
    Sample("clean_aperture.mp4",
           (*colour("white", 1), "-vf", "drawbox=x=8:y=12:w=52:h=30:t=fill:c=red", *H264, "-g", "5", "-bf", "0"), 1.0,
           size=(52, 30), decord=False, after=_patched(_aperture(52, 1, 60, 2, 2, 1, 3, 1))),
    # 64 x 48, then 24 x 48 of another colour.
    Sample("size_changes.ts", (*colour("red", 1), *H264, "-bf", "0", "-f", "mpegts"), 2.0, decord=False,
           after=_joined_with(*colour("blue", 1, size="24x48"), *H264, "-bf", "0", "-output_ts_offset", "1", "-f",
                              "mpegts")),
    # Coded with the matrix of BT.709, and silent about it.
    Sample("unmarked_hd.mkv",
           (*colour("red", 0.2, size="1280x720"), "-vf", "scale=out_color_matrix=bt709,format=yuv420p", "-c:v",
            "libx264", "-preset", "ultrafast"), 0.2, size=(1280, 720)),
    Sample("preview_first.mkv", (*colour("blue", 1, size="32x24"), *colour("red", 1), "-map", "0", "-map", "1", *H264,
                                 "-disposition:v:0", "0", "-disposition:v:1", "default"), 1.0),
    Sample("unflagged.mkv", (*colour("blue", 1, size="32x24"), *colour("red", 1), "-map", "0", "-map", "1", *H264,
                             "-disposition:v", "0"), 1.0),
    Sample("cover_first.mkv", (*colour("blue", 0.1, size="96x96"), *colour("red", 1), "-map", "0", "-map", "1", *H264,
                               "-c:v:0", "png", "-disposition:v", "0"), 1.0),
    Sample("second_is_default.mkv", (*colour("red", 1), *tone(440, 1), *tone(1000, 1), "-map", "0", "-map", "1", "-map",
                                     "2", *H264, "-c:a", "pcm_s16le", "-disposition:a:0", "0", "-disposition:a:1",
                                     "default"), 1.0, audio_rate_hz=16000),
    Sample("commentary_first.mkv", (*colour("red", 1), *tone(440, 1), *tone(1000, 1), "-map", "0", "-map", "1", "-map",
                                    "2", *H264, "-c:a", "pcm_s16le", "-disposition:a:0", "comment", "-disposition:a:1",
                                    "0"), 1.0, audio_rate_hz=16000),
    # Left and right cancel each other out; 0.4 of full scale.
    *(Sample(name, ("-f", "lavfi", "-i",
                    "aevalsrc=0.4*sin(2*PI*1000*t)|-0.4*sin(2*PI*1000*t):s=16000:d=1", *coding), 1.0, size=(0, 0),
             audio_rate_hz=16000) for name, coding in (("opposite.wav", ()), ("opposite.m4a", ("-c:a", "aac")))),
    Sample("encrypted.mp4", _red(*_CENC), 4.0),
    Sample("encrypted.m4a", (*tone(440, 2), "-c:a", "aac", *_CENC), 2.0),
    Sample("scrambled.ts", (*colour("red", 2), *_MPEG2, "-f", "mpegts"), 2.0, encoder="mpeg2video",
           after=_patched(_scramble)),
    Sample("animated.avif", (*colour("red", 1), *colour("blue", 1), *_RED_THEN_BLUE, "-c:v", "libaom-av1", "-cpu-used",
                             "8"), 2.0, encoder="libaom-av1", decord=False),
)  # fmt: skip
