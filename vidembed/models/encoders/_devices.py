"""Whether a device is the CPU, told without importing torch where that can be."""

from __future__ import annotations

import ctypes
import re
import sys
from functools import cache

from vidembed.errors import ConfigError

_KNOWN = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def checked(device: str) -> str:
    """The device's name. Raises ConfigError where there is no such name; whether it is there shows when it is used."""
    if not _KNOWN.fullmatch(device):
        raise ConfigError(f"unknown device {device!r}; allowed: auto, cpu, cuda, cuda:N, mps")
    return device


def is_cpu(device: str) -> bool:
    """True for "cpu", and for "auto" where there is no GPU that torch can use."""
    if device == "auto" and has_nvidia_gpu():
        import torch  # which may have been built for CPUs alone

        return not torch.cuda.is_available()
    return device in ("auto", "cpu")


@cache
def has_nvidia_gpu() -> bool:
    """Whether NVIDIA's driver is installed and counts a device."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int()
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):
        return False
