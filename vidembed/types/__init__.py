"""The records that travel between the rooms: frozen, checked when made, printed by shape.

Time is seconds from the earliest of picture and sound (`t = 0`), spans are half-open `[start_s, end_s)`.
Vectors are plain `numpy.float32` arrays with unit rows; there is no wrapper type.
"""

from vidembed.types.media import MODALITIES as MODALITIES
from vidembed.types.media import AudioSamples as AudioSamples
from vidembed.types.media import AudioVisual as AudioVisual
from vidembed.types.media import Clip as Clip
from vidembed.types.media import Floats as Floats
from vidembed.types.media import FrameBatch as FrameBatch
from vidembed.types.media import Image as Image
from vidembed.types.media import Item as Item
from vidembed.types.media import Modality as Modality
from vidembed.types.media import Row as Row
from vidembed.types.media import Space as Space
from vidembed.types.media import SpaceKind as SpaceKind
from vidembed.types.media import SparseVector as SparseVector
from vidembed.types.media import SubtitleKind as SubtitleKind
from vidembed.types.media import SubtitleTrack as SubtitleTrack
from vidembed.types.media import TextLine as TextLine
from vidembed.types.media import TimedText as TimedText
from vidembed.types.media import UnreadLine as UnreadLine
from vidembed.types.media import VideoInfo as VideoInfo
from vidembed.types.media import script_name as script_name
from vidembed.types.query import Filter as Filter
from vidembed.types.query import Query as Query
from vidembed.types.query import Term as Term
from vidembed.types.query import TermModality as TermModality
from vidembed.types.query import Where as Where
from vidembed.types.results import Candidate as Candidate
from vidembed.types.results import Caption as Caption
from vidembed.types.results import Damage as Damage
from vidembed.types.results import Failure as Failure
from vidembed.types.results import Hit as Hit
from vidembed.types.results import Moment as Moment
from vidembed.types.results import RunReport as RunReport
from vidembed.types.time import Span as Span
from vidembed.types.time import format_time as format_time
from vidembed.types.time import parse_date as parse_date
from vidembed.types.time import parse_place as parse_place
from vidembed.types.time import parse_span as parse_span
from vidembed.types.time import parse_time as parse_time
