"""A stand-in for a decoder that crashes at one file."""

# A sitecustomize module: the process that opens bad.mp4 dies as from a segmentation fault.
CRASHING = """
import os, signal
from vidembed.media.reading.pyav_reader import PyavReader
real = PyavReader.__init__
def opened(self, path, *args, **how):
    if os.path.basename(path) == "bad.mp4":
        os.kill(os.getpid(), signal.SIGSEGV)
    real(self, path, *args, **how)
PyavReader.__init__ = opened
"""
