"""How good it is: metrics, data sets, intervals. Pure functions over plain values; runs over an index come on top."""

from vidembed.evaluation.bootstrap import Comparison as Comparison
from vidembed.evaluation.bootstrap import Interval as Interval
from vidembed.evaluation.bootstrap import compare as compare
from vidembed.evaluation.bootstrap import interval as interval
from vidembed.evaluation.dataset import Answer as Answer
from vidembed.evaluation.dataset import DataSet as DataSet
from vidembed.evaluation.dataset import EvalQuery as EvalQuery
from vidembed.evaluation.dataset import read_queries as read_queries
from vidembed.evaluation.readers import READERS as READERS
from vidembed.evaluation.readers import Reader as Reader
from vidembed.evaluation.readers import read_dataset as read_dataset
