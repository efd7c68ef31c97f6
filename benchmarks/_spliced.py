"""Films spliced from clips, so that every cut, dissolve and fade in them is known to the frame.

Between the shots lie hard cuts, dissolves of 0.5 to 2 s, fades through black, and short insertions after which the
shot before goes on. Inside shots there are, now and then, things that are no cut: flashes of one to three frames, a
shaking camera, a camera that turns, a picture that stands still and moves on. Each film is encoded in another way,
because encoders put keyframes at cuts or do not.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidembed.media.editing.ffmpeg import find_ffmpeg

RATE_HZ = 25
WIDTH, HEIGHT = 480, 270
Pictures = NDArray[np.uint8]  # (T, HEIGHT, WIDTH, 3)

_X264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "25"]
ENCODINGS: dict[str, tuple[str, list[str]]] = {
    "x264": ("mp4", _X264),  # keyframes at cuts, at most 250 frames apart
    "x264 no scenecut": ("mp4", [*_X264, "-sc_threshold", "0"]),  # as hardware encoders: every 250 frames
    "x264 every 2 s": ("mp4", [*_X264, "-sc_threshold", "0", "-g", "50"]),
    "x264 every 1 s, no B": ("mp4", [*_X264, "-sc_threshold", "0", "-g", "25", "-bf", "0"]),
    "mpeg4": ("avi", ["-c:v", "mpeg4", "-q:v", "4", "-bf", "2", "-g", "250"]),
    "hevc": ("mkv", ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"]),
}


@dataclass(frozen=True)
class Clip:
    """A source. own: (first, last) seconds of its own transitions, which no shot may hold."""

    path: Path
    own: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Change:
    """One shot after another. The new shot begins at start_s (kind "cut"), or somewhere in [start_s, end_s]."""

    kind: str
    start_s: float
    end_s: float


@dataclass
class Film:
    path: Path
    encoding: str
    seconds: float = 0.0
    changes: list[Change] = field(default_factory=list)
    disturbed: dict[str, int] = field(default_factory=dict)


def half_of(name: str) -> int:
    """0 = clips to tune on, 1 = clips to report on: the first byte of the SHA-256 of the file's name, modulo 2."""
    return hashlib.sha256(name.encode()).digest()[0] & 1


def read_own(file: Path | None) -> dict[str, tuple[tuple[float, float], ...]]:
    """Of a CSV with columns file,start_s,end_s: the transitions that the clips themselves hold."""
    own: dict[str, list[tuple[float, float]]] = {}
    if file is not None:
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                own.setdefault(row["file"], []).append((float(row["start_s"]), float(row["end_s"])))
    return {name: tuple(spans) for name, spans in own.items()}


def make_films(clips: Sequence[Clip], folder: Path, *, shots: int, seed: int) -> list[Film]:
    """One film an encoding, of that many shots; made once, then read from the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _film(clips, folder, encoding, shots, random.Random(f"{seed} {encoding}")) for encoding in sorted(ENCODINGS)
    ]


def _film(clips: Sequence[Clip], folder: Path, encoding: str, shots: int, chance: random.Random) -> Film:
    ending, arguments = ENCODINGS[encoding]
    name = f"{encoding.replace(' ', '_').replace(',', '')}_{shots}"
    film, truth = Film(folder / f"{name}.{ending}", encoding), folder / f"{name}.json"
    if truth.exists():
        known = json.loads(truth.read_text("utf-8"))
        film.seconds, film.disturbed = known["seconds"], known["disturbed"]
        film.changes = [Change(**change) for change in known["changes"]]
        return film
    size = ["-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE_HZ)]
    command = [find_ffmpeg(), "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", *size, "-i", "-"]
    process = subprocess.Popen([*command, *arguments, "-pix_fmt", "yuv420p", str(film.path)], stdin=subprocess.PIPE)
    assert process.stdin is not None
    frames = 0
    for pictures in _pictures(_Shots(clips, chance), shots, chance, film):
        process.stdin.write(pictures.tobytes())
        frames += len(pictures)
    process.stdin.close()
    if process.wait():
        raise SystemExit(f"ffmpeg could not encode {film.path.name}")
    film.seconds = frames / RATE_HZ
    facts: dict[str, Any] = {"seconds": film.seconds, "disturbed": film.disturbed}
    truth.write_text(json.dumps({**facts, "changes": [asdict(change) for change in film.changes]}), "utf-8")
    return film


def _pictures(source: _Shots, shots: int, chance: random.Random, film: Film) -> Iterator[Pictures]:
    """The film's pictures in order; notes in `film` what changes where."""
    shot, written, whole = source.next(), 0, True
    for _ in range(shots - 1):
        kind, following = chance.choices(("cut", "insert", "dissolve", "fade"), (10, 2, 6, 1.5))[0], source.next()
        length = min(chance.randint(RATE_HZ // 2, 2 * RATE_HZ), len(shot) - RATE_HZ // 2, len(following) - RATE_HZ)
        abrupt = kind in ("cut", "insert") or length < RATE_HZ // 2
        if abrupt and whole:
            shot = _disturbed(shot, chance, film)
        if kind == "insert":  # the shot goes on where it was left
            place, length = len(shot) // 2, chance.randint(RATE_HZ, 2 * RATE_HZ)
            for cut in (place, place + min(length, len(following))):
                film.changes.append(_change("cut", written + cut, written + cut))
            shot = np.concatenate([shot[:place], following[:length], shot[place:]])
            following = source.next()
        if abrupt:
            yield shot
            written += len(shot)
            film.changes.append(_change("cut", written, written))
            shot = following
        else:
            mixed = (_dissolve if kind == "dissolve" else _fade)(shot[-length:], following[:length])
            yield from (shot[:-length], mixed)
            written += len(shot)
            film.changes.append(_change(kind, written - length, written))
            shot = following[length:]
        whole = abrupt
    yield shot


def _change(kind: str, first: int, last: int) -> Change:
    return Change(kind, first / RATE_HZ, last / RATE_HZ)


def _dissolve(one: Pictures, other: Pictures) -> Pictures:
    """Over all their frames, from one to the other."""
    share = ((np.arange(len(one)) + 1) / (len(one) + 1)).astype(np.float32)[:, None, None, None]
    return (one * (1 - share) + other * share).round().astype(np.uint8)


def _fade(one: Pictures, other: Pictures) -> Pictures:
    """Out over the first half, to black, and in over the second."""
    half = len(one) // 2
    down = np.linspace(1, 0, half, dtype=np.float32)[:, None, None, None]
    up = np.linspace(0, 1, len(other) - half, dtype=np.float32)[:, None, None, None]
    return np.concatenate([one[:half] * down, other[half:] * up]).astype(np.uint8)


def _disturbed(shot: Pictures, chance: random.Random, film: Film) -> Pictures:
    """The shot, in four of five cases with something in it that is no cut."""
    kind = chance.choices(("none", "flash", "shake", "hold", "pan"), (2, 2, 2, 1.5, 2.5))[0]
    place = chance.randint(len(shot) // 4, len(shot) // 2)
    shot = shot.copy()
    if kind == "flash":
        for frame in range(place, min(place + chance.randint(1, 3), len(shot))):
            shot[frame] = 255 - (255 - shot[frame]) // 5
    elif kind == "shake":
        for frame in range(place, min(place + RATE_HZ, len(shot))):
            across, down = chance.randint(-WIDTH // 25, WIDTH // 25), chance.randint(-HEIGHT // 25, HEIGHT // 25)
            shot[frame] = np.roll(shot[frame], (down, across), axis=(0, 1))
    elif kind == "hold":
        shot = np.concatenate([shot[:place], np.repeat(shot[place : place + 1], RATE_HZ, axis=0), shot[place:]])
    elif kind == "pan":
        shot = _panned(shot, place, chance)
    film.disturbed[kind] = film.disturbed.get(kind, 0) + 1
    return shot


def _panned(shot: Pictures, place: int, chance: random.Random) -> Pictures:
    """Seen through a window of half the height and width, which from there on moves across within 0.3 to 1.2 s."""
    steps = np.clip((np.arange(len(shot) + 1) - place) / chance.randint(8, 30), 0, 1)
    steps = steps * steps * (3 - 2 * steps)  # a hand starts and ends slowly
    turn = chance.choice((steps, 1 - steps))
    down = chance.uniform(0, 0.5) * HEIGHT
    seen = np.empty_like(shot)
    for number, picture in enumerate(shot):
        wide = picture.repeat(2, axis=0).repeat(2, axis=1)[int(down) : int(down) + HEIGHT]
        # Blurred over the time the shutter is open: half of a frame's.
        places = np.linspace(turn[number], (turn[number] + turn[number + 1]) / 2, 5) * WIDTH
        views = [wide[:, int(left) : int(left) + WIDTH] for left in places]
        seen[number] = np.mean(views, axis=0)
    return seen


class _Shots:
    """Stretches of 1 to 4 s of the clips, in turn, none with a transition of the clip's own in it."""

    def __init__(self, clips: Sequence[Clip], chance: random.Random) -> None:
        self._chance, self._waiting, self._last = chance, list[tuple[Clip, float, float]](), clips[0]
        self._free = [(clip, *span) for clip in clips for span in _free(clip)]
        if len({clip.path for clip, _, _ in self._free}) < 2:
            raise SystemExit("films need at least two clips with a stretch of 1.5 s without a cut")

    def next(self) -> Pictures:
        if not self._waiting:
            by_clip: dict[Path, list[tuple[Clip, float, float]]] = {}
            for stretch in self._free:
                by_clip.setdefault(stretch[0].path, []).append(stretch)
            self._waiting = [self._chance.choice(stretches) for stretches in by_clip.values()]
            self._chance.shuffle(self._waiting)
            if self._waiting[-1][0] is self._last:  # never two shots of one clip in a row
                self._waiting.reverse()
        clip, start_s, end_s = self._waiting.pop()
        self._last = clip
        length_s = min(end_s - start_s, self._chance.uniform(1.0, 4.0))
        from_s = self._chance.uniform(start_s, end_s - length_s)
        return read_pictures(clip.path, from_s, round(length_s * RATE_HZ))


def _free(clip: Clip) -> Iterator[tuple[float, float]]:
    """Stretches of at least 1.5 s between the clip's own transitions, a tenth of a second away from each."""
    import av

    with av.open(str(clip.path)) as container:
        stream = container.streams.video[0]
        times_s = [float(packet.pts * packet.time_base) for packet in container.demux(stream) if packet.pts is not None]
    first_s = 0.0
    for start_s, end_s in (*clip.own, (max(times_s) - min(times_s), 0.0)):
        if start_s - 0.1 - first_s >= 1.5:
            yield first_s, start_s - 0.1
        first_s = end_s + 0.1


def read_pictures(path: Path, from_s: float, count: int) -> Pictures:
    """`count` pictures from there on at RATE_HZ, cut to fill the film's shape; fewer where the file ends."""
    import av

    shown: list[Pictures] = []
    with av.open(str(path)) as container:
        first_s, last = None, None
        for frame in container.decode(video=0):
            first_s = frame.time if first_s is None else first_s
            while len(shown) < count and last is not None and frame.time - first_s > from_s + len(shown) / RATE_HZ:
                shown.append(_filling(last) if not isinstance(last, np.ndarray) else last)
                last = shown[-1]
            if len(shown) == count:
                break
            last = frame
    return np.stack(shown)


def _filling(frame: Any) -> Pictures:
    scale = max(WIDTH / frame.width, HEIGHT / frame.height)
    width, height = -(-frame.width * scale // 2) * 2, -(-frame.height * scale // 2) * 2
    pixels = frame.reformat(width=int(width), height=int(height), format="rgb24").to_ndarray()
    top, left = (pixels.shape[0] - HEIGHT) // 2, (pixels.shape[1] - WIDTH) // 2
    return pixels[top : top + HEIGHT, left : left + WIDTH]
