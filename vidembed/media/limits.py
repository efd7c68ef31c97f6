"""Bounds on what a file may ask of us. Files are untrusted: a few hundred bytes can claim a 65535 x 65535 picture."""

from __future__ import annotations

from dataclasses import dataclass

from vidembed.errors import ConfigError, MediaUnreadable
from vidembed.types import format_time


@dataclass(frozen=True)
class Limits:
    """What is refused with a clear error instead of being tried.

    max_pixels: width x height of one picture (default: 8192 x 8192, above 8K).
    max_duration_s: of a whole video (default: 48 hours).
    max_size_bytes: of a file (default: 1 TiB).
    io_timeout_s: longest wait for opening a file, and for reading its next packet.
    decode_timeout_s: longest wait for an answer of a decoder (`guarded`).
    """

    max_pixels: int = 8192 * 8192
    max_duration_s: float = 48 * 3600.0
    max_size_bytes: int = 1 << 40
    io_timeout_s: float = 30.0
    decode_timeout_s: float = 300.0

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_duration_s", "max_size_bytes", "io_timeout_s", "decode_timeout_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"limits.{name} must be positive, got {getattr(self, name)}")

    def check_size(self, size_bytes: int, name: str) -> None:
        if size_bytes > self.max_size_bytes:
            raise MediaUnreadable(
                f"{name}: {size_bytes:,} bytes is more than the allowed {self.max_size_bytes:,}",
                hint="raise media.limits.max_size_bytes if you trust the file",
            )

    def check_picture(self, width_px: int, height_px: int, name: str) -> None:
        if width_px * height_px > self.max_pixels:
            raise MediaUnreadable(
                f"{name}: a picture of {width_px} x {height_px} is more than the allowed {self.max_pixels:,} pixels",
                hint="raise media.limits.max_pixels if you trust the file",
            )

    def check_duration(self, duration_s: float, name: str) -> None:
        if duration_s > self.max_duration_s:
            raise MediaUnreadable(
                f"{name}: {format_time(duration_s)} is longer than the allowed {format_time(self.max_duration_s)}",
                hint="raise media.limits.max_duration_s if you trust the file",
            )
