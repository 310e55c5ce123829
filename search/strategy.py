"""Everything that a strategy needs to import.

A strategy is a class with `ask` and `tell` (see `Strategy`) in a file of its own, and a YAML file in conf/strategy that
names it. `source` reads, sets and compares the constants of a `train.py` text.
"""

from search.config.messages import UserError
from search.config.schema import DimensionConfig
from search.study import source
from search.study.contract import FEWEST, Done, NoiseFloor, Rebases, Strategy, TaskFacts
from search.study.trial import Candidate, Cost, Origin, Outcome, Status, Trial, Unusable, Verdict

__all__ = [
    "FEWEST",
    "Candidate",
    "Cost",
    "DimensionConfig",
    "Done",
    "NoiseFloor",
    "Origin",
    "Outcome",
    "Rebases",
    "Status",
    "Strategy",
    "TaskFacts",
    "Trial",
    "Unusable",
    "UserError",
    "Verdict",
    "source",
]
