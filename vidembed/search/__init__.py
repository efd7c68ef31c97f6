"""Query -> hits per channel -> fused clips -> moments. Pure functions and `Searcher`, which works on protocols."""

from vidembed.search.calibration import BankVectors, CalibrationSettings, read_bank
from vidembed.search.catalog import Catalog
from vidembed.search.filters import VideoFacts, resolve
from vidembed.search.fusion import FUSIONS, Fusion, fuse
from vidembed.search.moments import MomentSettings
from vidembed.search.searcher import Searcher, SearchSettings

__all__ = [
    "FUSIONS",
    "BankVectors",
    "CalibrationSettings",
    "Catalog",
    "Fusion",
    "MomentSettings",
    "SearchSettings",
    "Searcher",
    "VideoFacts",
    "fuse",
    "read_bank",
    "resolve",
]
