"""How good a model is, and how sure one can be of that: intervals, slices, calibration.

Draws and counts; tables for people at a terminal belong to the command line. No framework
and no data is loaded by importing this.
"""

from numen.train.evaluate.charts import plots
from numen.train.evaluate.judge import Judged, evaluate, judge, report_of
from numen.train.evaluate.paired import compare
from numen.train.evaluate.report import Bin, ClassReport, Comparison, Interval, Report, Slice

__all__ = [
    "Bin",
    "ClassReport",
    "Comparison",
    "Interval",
    "Judged",
    "Report",
    "Slice",
    "compare",
    "evaluate",
    "judge",
    "plots",
    "report_of",
]
