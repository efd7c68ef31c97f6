"""From files to vectors: plan what is missing, decode ahead, encode here, and write crash-safe."""

from vidembed.indexing.job import Job, PathStat, Tools
from vidembed.indexing.progress import Progress, ProgressCallback
from vidembed.indexing.run import Indexer, RunOptions

__all__ = ["Indexer", "Job", "PathStat", "Progress", "ProgressCallback", "RunOptions", "Tools"]
