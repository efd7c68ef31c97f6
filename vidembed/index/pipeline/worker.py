"""A worker of a cluster: from the settings alone to channels and media tools, on the machine it runs on."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace

from vidembed.config.schema import ChannelSettings, Config
from vidembed.errors import IndexMismatch
from vidembed.index.channels import ChannelFactory, lane, look_of
from vidembed.index.parts import make_tools
from vidembed.index.pipeline.remote import Delivery, Order, fulfil
from vidembed.media.images import jpeg
from vidembed.protocols import Channel
from vidembed.types import Image


@dataclass(frozen=True)
class Worker:
    """The work of a run, picklable: called with an `Order`, it loads what it needs, once a process.

    lanes: the channels' settings; collections: what they are called at the driver's. thumbnails: make them.
    Raises IndexMismatch where the weights on this machine are others than the driver's.
    """

    config: Config
    lanes: Mapping[str, ChannelSettings]
    collections: Mapping[str, str]
    thumbnails: bool

    def __call__(self, order: Order) -> Delivery:
        pictures: dict[str, bytes] = {}
        given = self.config.thumbnails

        def keep(rgb: Image, clip_id: str) -> None:
            pictures[clip_id] = jpeg(rgb, long_side_px=given.long_side_px, quality=given.quality)

        run = self.config.run
        # Decoders of one thread where this process has one core; its neighbours have theirs.
        tools = make_tools(
            self.config,
            thumbnails=None,
            workers=run.workers if run.worker_cpus <= 1 else 1,
            look=look_of(self.lanes, lambda name: self._channel(name, order.captions)),
        )
        if self.thumbnails:
            tools = replace(tools, save_thumbnail=keep)
        channels = {name: self._channel(name, order.captions) for name in order.channels}
        done = fulfil(order, channels, tools, batch_size=run.batch_size, prefetch=run.prefetch)
        return replace(done, thumbnails=pictures)

    def _channel(self, name: str, captions: Mapping[str, str]) -> Channel:
        wanted = lane(name, self.lanes[name])
        if wanted.collection != self.collections[name]:
            raise IndexMismatch(
                f"channels.{name}: {wanted.spec.name} on this worker is not the one of the driver",
                hint="give all machines the same weights, at the same place",
            )
        with _LOADED.lock:
            _LOADED.captions = captions
            if wanted.collection not in _LOADED.channels:
                factory = ChannelFactory(self.config, caption_of=lambda clip_id: _LOADED.captions.get(clip_id))
                _LOADED.channels[wanted.collection] = factory.make(wanted)
            return _LOADED.channels[wanted.collection]


class _Loaded:
    """What this process has loaded; a process of Ray's does one item at a time."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.channels: dict[str, Channel] = {}
        self.captions: Mapping[str, str] = {}


_LOADED = _Loaded()
