"""The records that travel between the rooms: frozen, checked when made, printed by shape.

Time is seconds from the earliest of picture and sound (`t = 0`), spans are half-open `[start_s, end_s)`.
Vectors are plain `numpy.float32` arrays with unit rows; there is no wrapper type.
"""

from vidembed.types.media import (
    MODALITIES,
    AudioSamples,
    AudioVisual,
    Clip,
    Floats,
    FrameBatch,
    Image,
    Item,
    Modality,
    SubtitleKind,
    SubtitleTrack,
    TextLine,
    TimedText,
    UnreadLine,
    VideoInfo,
    script_name,
)
from vidembed.types.query import (
    Filter,
    Query,
    Term,
    TermModality,
    Where,
)
from vidembed.types.results import (
    Candidate,
    Caption,
    Damage,
    Failure,
    Hit,
    Moment,
    RunReport,
)
from vidembed.types.space import (
    Row,
    Space,
    SpaceKind,
    SparseVector,
)
from vidembed.types.time import (
    Span,
    format_time,
    parse_date,
    parse_place,
    parse_span,
    parse_time,
)

__all__ = [
    "MODALITIES",
    "AudioSamples",
    "AudioVisual",
    "Candidate",
    "Caption",
    "Clip",
    "Damage",
    "Failure",
    "Filter",
    "Floats",
    "FrameBatch",
    "Hit",
    "Image",
    "Item",
    "Modality",
    "Moment",
    "Query",
    "Row",
    "RunReport",
    "Space",
    "SpaceKind",
    "Span",
    "SparseVector",
    "SubtitleKind",
    "SubtitleTrack",
    "Term",
    "TermModality",
    "TextLine",
    "TimedText",
    "UnreadLine",
    "VideoInfo",
    "Where",
    "format_time",
    "parse_date",
    "parse_place",
    "parse_span",
    "parse_time",
    "script_name",
]
