"""vidembed: search inside videos and caption them."""

__version__ = "0.1.0"
