"""One pass over a stream, forwards: the frame of each interval (see `gops`), groups of pictures side by side.

The threads of one decoder wait for one another at every picture; groups of pictures have nothing to do with each other.
So threads decode one group each, with a decoder of one thread: on two cores a film sampled once a second is decoded in
three quarters of the time.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from queue import SimpleQueue
from typing import Any

import numpy as np

from vidembed.media.reading.gops import (
    EPSILON_S,
    Gop,
    GopPlan,
    StreamRequest,
    everything,
    first_look,
    group,
    plan,
    served,
    slot_of,
    watched,
)
from vidembed.media.reading.picture_stream import FlagsLie, PictureStream
from vidembed.media.reading.scaling import Scaler
from vidembed.media.reading.skipped import Skipped
from vidembed.media.segmenting.cuts import Look, Seen
from vidembed.protocols import Frame

_MAX_PART_BYTES = 16 << 20  # scaled pictures of one group: more of them are decoded here, and handed on one by one


class ForwardPass:
    """From where the stream stands. decoders: decode groups that need no other; None: all is decoded here."""

    def __init__(
        self,
        stream: PictureStream,
        scaler: Scaler,
        decoders: GopDecoders | None,
        request: StreamRequest,
        *,
        plannable: bool,
        again: Skipped | None = None,
    ) -> None:
        """plannable: packets may be left out (see `gops.PLANNABLE`). again: where request.cuts."""
        self._stream, self._scaler, self._decoders, self._request = stream, scaler, decoders, request
        self._plannable, self._again = plannable, again
        self._looks: list[Look] = []
        stream.watch(request.cuts)
        self._picture_bytes = scaler.bytes_of(request.short_side_px)
        # When the chosen frame of a slot is due; where it fails to decode, the next frame of the slot stands in.
        self._due: dict[int, float] = {}
        self._last_slot = slot_of(request.from_s, request.rate_hz) - 1

    def frames(self) -> Iterator[Frame]:
        request = self._request
        inside = ((found, time_s) for found, time_s in self._decoded() if request.from_s <= time_s < request.until_s)
        for found, time_s, slot in served(inside, request.rate_hz, self._due, after=self._last_slot):
            self._due.pop(slot, None)
            yield Frame(
                time_s, found if isinstance(found, np.ndarray) else self._scaler.rgb(found, request.short_side_px)
            )

    def seen(self) -> Iterator[Seen]:
        """What was seen since the last call, in order."""
        assert self._again is not None
        taken, self._looks = [*self._looks, *self._stream.take_looks()], []
        inside = (look for look in taken if self._request.from_s <= look.time_s < self._request.until_s)
        return self._again.filled(inside)

    def _decoded(self) -> Iterator[tuple[Any, float]]:
        """Frames, or scaled pictures, in order, and when they are shown."""
        try:
            yield from self._by_groups()
        except FlagsLie:
            yield from self._from_the_beginning()

    def _from_the_beginning(self) -> Iterator[tuple[Any, float]]:
        """All pictures in order, whatever was served before."""
        self._due.clear()
        stream = self._stream
        stream.rewind()
        for packet in stream.packets():
            yield from stream.decode(packet if packet.size else None)

    def _by_groups(self) -> Iterator[tuple[Any, float]]:
        segments = self._planned()
        first = list(islice(segments, 2))
        decoders = self._decoders if len(first) > 1 else None  # of one group several threads decode a part each
        turns: deque[Callable[[], Iterator[tuple[Any, float]]]] = deque()
        given: list[Future[DecodedGop]] = []
        here = False
        before: Gop | None = None
        try:
            for gop, chosen in chain(first, segments):
                if decoders is not None and self._for_decoders(chosen):
                    if here:
                        turns.append(self._stream.drain)
                    part = decoders.submit(gop, chosen, self._request, before)
                    given = [*(other for other in given if not other.done()), part]
                    turns.append(partial(self._elsewhere, part, chosen))
                    here = False
                else:
                    turns.append(partial(self._here, gop, chosen))
                    here = True
                before = gop
                while len(turns) > (decoders.count if decoders else 0):
                    yield from turns.popleft()()
            while turns:
                yield from turns.popleft()()
            yield from self._stream.drain()
        finally:
            for part in given:
                part.cancel()

    def _planned(self) -> Iterator[tuple[Gop, GopPlan]]:
        """The groups that hold something wanted, and what of them to decode."""
        request, stream = self._request, self._stream
        last = self._last_slot
        unseen: Gop | None = None  # the group just read, where nothing of it is decoded
        for gop in group(stream.packets(), stream.packet_s, stream.begins_group):
            known_s = [time_s for time_s in gop.times_s if time_s is not None]
            if min(known_s, default=request.from_s) >= request.until_s:
                return
            if self._again is not None:
                self._again.hold(gop)
            if gop.planned and self._plannable:
                chosen = plan(gop, request, last_slot=last)
                last = max([last, *chosen.wanted_s])
                chosen = watched(gop, chosen, mode=request.mode) if request.cuts else chosen
            else:
                chosen = everything(gop)
            unseen = None if chosen.feed else gop
            if chosen.feed:
                yield gop, chosen
        if unseen is not None and request.cuts:
            yield unseen, first_look()

    def _for_decoders(self, chosen: GopPlan) -> bool:
        return chosen.independent and len(chosen.wanted) * self._picture_bytes <= _MAX_PART_BYTES

    def _here(self, gop: Gop, chosen: GopPlan) -> Iterator[tuple[Any, float]]:
        self._due.update(chosen.wanted_s)
        decoded = self._stream.decode_gop(gop, chosen)
        if len(chosen.feed) < len(gop.packets) or chosen.served_until_s < math.inf:
            # The next keyframe may tell the decoder to drop what it still holds (H.264, HEVC).
            decoded = chain(decoded, self._stream.drain())
        return ((found, time_s) for found, time_s in decoded if time_s <= chosen.served_until_s)

    def _elsewhere(self, part: Future[DecodedGop], chosen: GopPlan) -> Iterator[tuple[Any, float]]:
        self._due.update(chosen.wanted_s)
        answer = part.result()
        for name, count in answer.counts.items():
            self._stream.counts[name] += count
        self._looks.extend([*self._stream.take_looks(), *answer.looks])
        yield from answer.pictures


@dataclass(frozen=True)
class DecodedGop:
    """Of one group: the frame of each slot, scaled where it was asked for, looks, and what to add to the counts."""

    pictures: list[tuple[Any, float]]
    counts: dict[str, int]
    looks: list[Look]


@dataclass(frozen=True)
class _Task:
    gop: Gop
    chosen: GopPlan
    request: StreamRequest
    before: Gop | None


class GopDecoders:
    """`count` threads, started when they are needed, each with a decoder of its own that `opens` gives.

    They are daemons: one that a damaged file holds for ever does not keep the process from ending.
    """

    def __init__(self, count: int, opens: Callable[[dict[str, int]], tuple[PictureStream, Scaler]]) -> None:
        """opens: given the counts to add to."""
        self.count = count
        self._opens = opens
        self._tasks: SimpleQueue[tuple[Future[DecodedGop], _Task] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()

    def submit(
        self, gop: Gop, chosen: GopPlan, request: StreamRequest, before: Gop | None = None
    ) -> Future[DecodedGop]:
        """Decode a group that needs no other (`GopPlan.independent`); where it seems to be damaged, behind `before`."""
        answer: Future[DecodedGop] = Future()
        self._tasks.put((answer, _Task(gop, chosen, request, before)))
        if len(self._threads) < self.count:
            self._threads.append(threading.Thread(target=self._run, name="vidembed-gops", daemon=True))
            self._threads[-1].start()
        return answer

    def close(self) -> None:
        """End the threads and wait until they have closed the file."""
        self._closed.set()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _run(self) -> None:
        decoder: _GopDecoder | None = None
        while (entry := self._tasks.get()) is not None:
            answer, task = entry
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                decoder = decoder or _GopDecoder(self._opens, self._closed)
                answer.set_result(decoder.decode(task))
            except BaseException as error:
                answer.set_exception(error)
                if decoder is not None:  # it may hold pictures of this group
                    decoder.close()
                    decoder = None
        if decoder is not None:
            decoder.close()


class _GopDecoder:
    """What one thread has."""

    def __init__(
        self, opens: Callable[[dict[str, int]], tuple[PictureStream, Scaler]], closed: threading.Event
    ) -> None:
        self._counts = {"decoded": 0, "corrupt": 0}
        self._stream, self._scaler = opens(self._counts)
        self._closed = closed

    def decode(self, task: _Task) -> DecodedGop:
        found = self._decode(task, None)
        if found.counts["corrupt"] and task.before is not None and not self._closed.is_set():
            # It may be whole, and need what was before it.
            found = self._decode(task, task.before)
        return found

    def _decode(self, task: _Task, before: Gop | None) -> DecodedGop:
        chosen, pictures = task.chosen, []
        for _ in self._stream.decode_gop(before, everything(before)) if before is not None else ():
            pass
        self._counts.update(dict.fromkeys(self._counts, 0))
        self._stream.watch(task.request.cuts)
        every = chain(self._stream.decode_gop(task.gop, chosen), self._stream.drain())
        decoded = (one for one in self._from(task.gop, every) if one[1] <= chosen.served_until_s)
        for frame, time_s, slot in served(decoded, task.request.rate_hz, chosen.wanted_s):
            # A slot that another group serves: this frame is there in case that one fails.
            wanted = slot in chosen.wanted_s
            pictures.append((self._scaler.rgb(frame, task.request.short_side_px) if wanted else frame, time_s))
            if self._closed.is_set():
                break
        return DecodedGop(pictures, dict(self._counts), self._stream.take_looks())

    def _from(self, gop: Gop, decoded: Iterator[tuple[Any, float]]) -> Iterator[tuple[Any, float]]:
        """Without what the decoder still held of the group before."""
        begins_s = min(time_s for time_s in gop.times_s if time_s is not None)
        for found, time_s in decoded:
            if time_s < begins_s - EPSILON_S:
                self._counts["decoded"] -= 1
            else:
                yield found, time_s

    def close(self) -> None:
        self._stream.close()
