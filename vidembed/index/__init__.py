"""`VideoIndex`: everything a person touches is one object."""

from vidembed.index.info import ChannelInfo, IndexInfo, VideoRecord
from vidembed.index.opening import open_index
from vidembed.index.video_index import VideoIndex

__all__ = ["ChannelInfo", "IndexInfo", "VideoIndex", "VideoRecord", "open_index"]
