"""Compare the studies of an experiment: how much of what each strategy found is luck, tuning, or code.

python -m search.compare experiment=NAME
python -m search.compare experiment=NAME task=cpu out=~/report

Reads the studies and their confirmation from MLflow, prints the verdict, and writes a report (HTML, Markdown, JSON and
pictures), which it puts into MLflow too. Comparing again replaces that report. It trains nothing.
"""

from __future__ import annotations

import sys

from search.compare.comparison import Settings, compare
from search.console import arguments

if __name__ == "__main__":
    sys.exit(arguments.run(Settings, compare, __doc__, "stopped; the same command does it again"))
