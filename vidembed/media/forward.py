"""One pass over a stream, forwards: the frame of each interval (see `gops`), groups of pictures side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any

import numpy as np

from vidembed.media.gops import Gop, Plan, everything, group, plan, served, slot_of
from vidembed.media.helpers import Helpers, Part
from vidembed.media.picture_stream import PictureStream
from vidembed.media.scaling import Scaler
from vidembed.protocols import Frame, StreamMode

_MAX_PART_BYTES = 16 << 20  # scaled pictures of one group: more of them are decoded here, and handed on one by one


@dataclass(frozen=True)
class Asked:
    """As in `protocols.VideoReader.stream`; until_s may be infinite."""

    rate_hz: float
    short_side_px: int
    mode: StreamMode
    from_s: float
    until_s: float


class ForwardPass:
    """From where the stream stands. helpers: decode groups that need no other; None: all is decoded here."""

    def __init__(
        self, stream: PictureStream, scaler: Scaler, helpers: Helpers | None, asked: Asked, *, plannable: bool
    ) -> None:
        """plannable: packets may be left out (see `gops.PLANNABLE`)."""
        self._stream, self._scaler, self._helpers, self._asked = stream, scaler, helpers, asked
        self._plannable = plannable
        self._picture_bytes = scaler.bytes_of(asked.short_side_px)
        # When the chosen frame of a slot is due; where it fails to decode, the next frame of the slot stands in.
        self._due: dict[int, float] = {}
        self._last_slot = slot_of(asked.from_s, asked.rate_hz) - 1

    def frames(self) -> Iterator[Frame]:
        asked = self._asked
        inside = ((found, time_s) for found, time_s in self._decoded() if asked.from_s <= time_s < asked.until_s)
        for found, time_s, slot in served(inside, asked.rate_hz, self._due, after=self._last_slot):
            self._due.pop(slot, None)
            yield Frame(
                time_s, found if isinstance(found, np.ndarray) else self._scaler.rgb(found, asked.short_side_px)
            )

    def _decoded(self) -> Iterator[tuple[Any, float]]:
        """Frames, or scaled pictures, in order, and when they are shown."""
        units = self._planned()
        first = list(islice(units, 2))
        helpers = self._helpers if len(first) > 1 else None  # of one group several threads decode a part each
        turns: deque[Callable[[], Iterator[tuple[Any, float]]]] = deque()
        given: list[Future[Part]] = []
        here = False
        try:
            for gop, chosen in chain(first, units):
                if helpers is not None and self._is_apart(chosen):
                    if here:
                        turns.append(self._stream.drain)
                    part = helpers.submit(gop, chosen, self._asked.rate_hz, self._asked.short_side_px)
                    given = [*(other for other in given if not other.done()), part]
                    turns.append(partial(self._elsewhere, part, chosen))
                    here = False
                else:
                    turns.append(partial(self._here, gop, chosen))
                    here = True
                while len(turns) > (helpers.count if helpers else 0):
                    yield from turns.popleft()()
            while turns:
                yield from turns.popleft()()
            yield from self._stream.drain()
        finally:
            for part in given:
                part.cancel()

    def _planned(self) -> Iterator[tuple[Gop, Plan]]:
        """The groups that hold something wanted, and what of them to decode."""
        asked, stream = self._asked, self._stream
        last = self._last_slot
        read, end_s = stream.counts["read"], 0.0
        for gop in group(stream.packets(), stream.packet_s):
            known_s = [time_s for time_s in gop.times_s if time_s is not None]
            if min(known_s, default=asked.from_s) >= asked.until_s:
                return
            end_s = max(end_s, *known_s, end_s)
            if gop.planned and self._plannable:
                chosen = plan(
                    gop,
                    rate_hz=asked.rate_hz,
                    mode=asked.mode,
                    last_slot=last,
                    from_s=asked.from_s,
                    until_s=asked.until_s,
                )
                last = max([last, *chosen.wanted_s])
            else:
                chosen = everything(gop)
            if chosen.feed:
                yield gop, chosen
        if asked.from_s <= 0:
            stream.note_end(stream.counts["read"] - read, end_s)

    def _is_apart(self, chosen: Plan) -> bool:
        return chosen.apart and len(chosen.wanted) * self._picture_bytes <= _MAX_PART_BYTES

    def _here(self, gop: Gop, chosen: Plan) -> Iterator[tuple[Any, float]]:
        self._due.update(chosen.wanted_s)
        yield from self._stream.decode_gop(gop, chosen)
        if len(chosen.feed) < len(gop.packets):
            # The next keyframe may tell the decoder to drop what it still holds (H.264, HEVC).
            yield from self._stream.drain()

    def _elsewhere(self, part: Future[Part], chosen: Plan) -> Iterator[tuple[Any, float]]:
        self._due.update(chosen.wanted_s)
        answer = part.result()
        for name, count in answer.counts.items():
            self._stream.counts[name] += count
        yield from answer.pictures
