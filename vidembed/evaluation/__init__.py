"""How good it is: metrics, data sets, intervals. Pure functions over plain values; runs over an index come on top."""

from vidembed.evaluation.bootstrap import Comparison, Interval, compare, interval
from vidembed.evaluation.dataset import Answer, DataSet, EvalQuery, read_queries
from vidembed.evaluation.readers import READERS, Reader, read_dataset

__all__ = [
    "READERS",
    "Answer",
    "Comparison",
    "DataSet",
    "EvalQuery",
    "Interval",
    "Reader",
    "compare",
    "interval",
    "read_dataset",
    "read_queries",
]
