"""The catalog: what is indexed, by what, and what failed. One SQLite file; the store can be rebuilt from it."""

from vidembed.catalog.catalog import Catalog
from vidembed.catalog.lanes import LaneCounts, LaneState
from vidembed.catalog.videos import PathRow, VideoRow

__all__ = ["Catalog", "LaneCounts", "LaneState", "PathRow", "VideoRow"]
