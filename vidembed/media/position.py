"""The frame that is shown at a time: forwards by decoding on, backwards and far ahead by the file's index."""

from __future__ import annotations

from collections.abc import Iterator

from vidembed.media.gops import EPSILON_S
from vidembed.media.picture_stream import Decoded, PictureStream

_FAR_S = 10.0  # without an index: further ahead than this, seek instead of decoding on


class Position:
    """Where a stream stands, and the frames around the last answer."""

    def __init__(self, stream: PictureStream) -> None:
        self._stream = stream
        self.forget()

    def forget(self) -> None:
        """Someone else has moved the stream."""
        self._forward: Iterator[Decoded] | None = None
        self._before: Decoded | None = None
        self._after: Decoded | None = None

    def shown_at(self, time_s: float) -> Decoded | None:
        """The last frame with a time of at most time_s, or the first frame where there is none before."""
        if self._must_seek(time_s):
            back_s = 0.0
            while True:
                self.forget()
                self._stream.seek(time_s - back_s)
                self._forward = self._decode_on()
                self._after = next(self._forward, None)
                late = self._after is None or self._after[1] > time_s + EPSILON_S
                if not late or time_s - back_s <= 0:
                    break
                # An index that points too far ahead, or nothing decodable from there on: try from further back.
                back_s = max(2.0, back_s * 4)
        assert self._forward is not None
        while self._after is not None and self._after[1] <= time_s + EPSILON_S:
            self._before, self._after = self._after, next(self._forward, None)
        return self._before if self._before is not None else self._after

    def _decode_on(self) -> Iterator[Decoded]:
        last_s = float("-inf")
        for packet in self._stream.packets():
            flushing = packet.size == 0 and packet.pts is None and packet.dts is None
            for frame, time_s in self._stream.decode(None if flushing else packet):
                if time_s > last_s:
                    last_s = time_s
                    yield frame, time_s

    def _must_seek(self, time_s: float) -> bool:
        if self._forward is None:
            return True
        if self._before is None:
            return self._after is None or time_s < self._after[1]
        if time_s < self._before[1] - EPSILON_S:
            return True
        if self._after is None or time_s < self._after[1]:
            return False
        key_s = self._stream.keyframe_s(time_s)
        if key_s is not None:
            return key_s > self._after[1] + self._stream.frame_s
        return time_s > self._after[1] + _FAR_S
