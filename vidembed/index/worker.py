"""Where a run's work is done: the executor, and the worker of a cluster, made from settings alone."""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from vidembed.config.schema import Config, RunSettings
from vidembed.errors import IndexMismatch
from vidembed.index.channels import ChannelFactory, ChannelSpec, channel_spec, frame_encoder
from vidembed.index.media import Thumbnails, make_tools
from vidembed.index.pipeline.remote import Delivery, Order, Remote, absent, fulfil
from vidembed.media.images import jpeg
from vidembed.media.remote import exists
from vidembed.protocols import Channel, Executor
from vidembed.types import Image


def make_executor(settings: RunSettings) -> Executor:
    """The executor that the settings name. Raises MissingDependency."""
    if settings.executor == "ray":
        from vidembed.index.executors import RayExecutor

        return RayExecutor(settings.workers, cpus=settings.worker_cpus, gpus=settings.worker_gpus)
    from vidembed.index.executors import SerialExecutor, ThreadExecutor

    serial = settings.executor == "serial" or settings.workers == 1
    return SerialExecutor() if serial else ThreadExecutor(settings.workers)


def make_remote(
    config: Config,
    specs: Mapping[str, ChannelSpec],
    *,
    thumbnails: Thumbnails | None,
    captions_of: Callable[[Sequence[str]], Mapping[str, str]],
) -> Remote | None:
    """What executors need whose workers share no memory with this process; None for the others.

    thumbnails: None = make none. captions_of: clip ids -> captions.
    """
    if config.run.executor != "ray":
        return None
    keep_thumbnail = None if thumbnails is None else thumbnails.write
    return Remote(Worker(config, specs, thumbnails is not None), captions_of, keep_thumbnail)


@dataclass(frozen=True)
class Worker:
    """The work of a run, picklable: called with an `Order`, it loads what it needs, once per process.

    A call raises IndexMismatch where this machine has other weights than the driver.

    Attributes:
        config: The settings.
        specs: The channels as the driver knows them.
        thumbnails: Whether to make them.
    """

    config: Config
    specs: Mapping[str, ChannelSpec]
    thumbnails: bool

    def __call__(self, order: Order) -> Delivery:
        """Do the work of one video."""
        if not exists(order.file.path):
            return absent(order, platform.node())
        pictures: dict[str, bytes] = {}
        given = self.config.thumbnails

        def keep(rgb: Image, clip_id: str) -> None:
            pictures[clip_id] = jpeg(rgb, given)

        run = self.config.run
        tools = make_tools(
            self.config,
            save_thumbnail=keep if self.thumbnails else None,
            # Decoders of one thread where this process has one core; its neighbours have theirs.
            workers=run.workers if run.worker_cpus <= 1 else 1,
            encode_frames=frame_encoder(self.specs, lambda spec: self._channel(spec.name, order.captions)),
        )
        channels = {name: self._channel(name, order.captions) for name in order.channels}
        done = fulfil(order, channels, tools, batch_size=run.batch_size, prefetch=run.prefetch)
        return replace(done, thumbnails=pictures)

    def _channel(self, name: str, captions: Mapping[str, str]) -> Channel:
        theirs = self.specs[name]
        facts = {"model": theirs.model.name, "revision": theirs.model.revision}
        own = channel_spec(name, theirs.settings, {"facts": facts})
        if own.collection != theirs.collection:
            raise IndexMismatch(
                f"channels.{name}: {own.model.name} on the worker {platform.node()} is not the one of the driver",
                hint="give all machines the same weights, at the same path",
            )
        with _LOADED.lock:
            _LOADED.captions = captions
            if own.collection not in _LOADED.channels:
                factory = ChannelFactory(self.config, caption_of=lambda clip_id: _LOADED.captions.get(clip_id))
                _LOADED.channels[own.collection] = factory.load(own)
            return _LOADED.channels[own.collection]


class _Loaded:
    """What this process has loaded; a Ray process does one item at a time."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.channels: dict[str, Channel] = {}
        self.captions: Mapping[str, str] = {}


_LOADED = _Loaded()
