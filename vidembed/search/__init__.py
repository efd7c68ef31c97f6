"""Query -> hits per channel -> fused clips -> moments. Pure functions and `Searcher`, which works on protocols."""

from vidembed.search.calibration import BankVectors, CalibrationSettings, has_match, read_bank
from vidembed.search.catalog import Catalog
from vidembed.search.curves import Curve
from vidembed.search.filters import VideoFacts, resolve
from vidembed.search.fusion import FUSIONS, Fusion, fuse
from vidembed.search.moments import MomentSettings, gap_merge, propose
from vidembed.search.searcher import Searcher, SearchSettings

__all__ = [
    "FUSIONS",
    "BankVectors",
    "CalibrationSettings",
    "Catalog",
    "Curve",
    "Fusion",
    "MomentSettings",
    "SearchSettings",
    "Searcher",
    "VideoFacts",
    "fuse",
    "gap_merge",
    "has_match",
    "propose",
    "read_bank",
    "resolve",
]
