"""What must be there before anything is stated, the same for every kind of claim; and the commands that add it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

from search.compare.analyse import remedies
from search.compare.analyse.finding import Look, Missing
from search.compare.read.tables import STOCK, ConfirmationTable, Experiment, Planned, StudyTable
from search.page.numbers import plural
from search.page.numbers import studies as studies_in_words
from search.study.reads import sources_of

CONTROL = 8  # scores of the control, below which its spread says little
PROGRAM_REPEATS = 5  # blocks of a program, for a claim about it
STUDIES = 4  # of a strategy, for a claim about strategies: of 70 ways to part 4 and 4, three have a p below 0.05
STUDY_REPEATS = 3  # blocks of each of these studies


def control(experiment: Experiment, scores: int) -> Iterator[Missing]:
    if scores >= CONTROL:
        return
    what = f"the control has {plural(scores, 'score')} ({CONTROL} are needed)"
    if not experiment.control:
        yield Missing(what, remedies.control(experiment))
        return
    study = experiment.control[0]
    trials = len(study.trials) + CONTROL - scores
    yield Missing(what, remedies.longer(experiment, study, [study.search_seed], trials))


def studies(experiment: Experiment, strategy: str) -> Iterator[Missing]:
    """More studies of a fixed list of edits would say nothing about LLMs: an LLM is asked for instead."""
    mine = experiment.of(strategy)
    have = studies_in_words(len(mine))
    if len(mine) < STUDIES and mine[0].is_without_llm:
        command = remedies.with_llm(experiment, mine[0], _seeds(experiment, set(), STUDIES))
        yield Missing(f"{strategy} has no study with an LLM ({STUDIES} are needed)", command)
    elif len(mine) < STUDIES:
        command = _more_studies(experiment, strategy, STUDIES - len(mine))
        yield Missing(f"{strategy} has {have} ({STUDIES} are needed)", command)


def _more_studies(experiment: Experiment, strategy: str, more: int) -> str:
    """The command."""
    mine = experiment.of(strategy)
    return remedies.studies(experiment, mine[0], _seeds(experiment, {study.search_seed for study in mine}, more))


def _seeds(experiment: Experiment, mine: set[int], more: int) -> list[int]:
    """Search seeds for more studies; those come first that others have, for their blocks are there."""
    others = sorted({study.search_seed for study in experiment.studies if not study.is_control} - mine)
    fresh = (seed for seed in itertools.count() if seed not in mine and seed not in others)
    wanted = itertools.islice(itertools.chain(others, fresh), more)
    return sorted(wanted)


def independence(studies: Sequence[StudyTable]) -> Iterator[Missing]:
    """Studies that know nothing of each other. What was read of another study cannot be unread: no command mends it."""
    sources = [(study.identity, sources_of(study.header)) for study in studies]
    for (one, first), (other, second) in itertools.combinations(sources, 2):
        if shared := first & second:
            what = f"{one} and {other} are not independent: both hold what {min(shared)} found"
            yield Missing(what, None)
            return


def enough_ways(experiment: Experiment, pair: tuple[str, str], look: Look) -> Iterator[Missing]:
    """More studies, where there are so few ways to part them that no difference could be shown at this look."""
    counts = [len(experiment.of(label)) for label in pair]
    more = 0
    while look.level and 1 / math.comb(sum(counts) + 2 * more, counts[0] + more) >= look.level:
        more += 1
    for label in pair if more else ():
        what = f"{label} needs {more} more studies, for with {counts[0]} and {counts[1]} nothing can be shown at this look"
        yield Missing(what, _more_studies(experiment, label, more))


def repeats(experiment: Experiment, wanted: Iterable[StudyTable], have: int, fewest: int) -> Iterator[Missing]:
    """Of studies' confirmations. `have`: the fewest blocks that one of them has. What is planned must be run as well: to
    look before would be a look of its own."""
    table = experiment.confirmation
    known, planned = table.studies, table.repeats
    if unplanned := {study.strategy for study in wanted if study.identity not in known}:
        some = f"winners of {' and '.join(sorted(unplanned))} are not confirmed"
        what = some if table.plans else "there is no confirmation"
        yield Missing(what, remedies.confirm(experiment, max(fewest, planned)))
    elif any(unfinished(table, known[study.identity]) for study in wanted):
        yield Missing("the planned confirmation is not finished", remedies.confirm(experiment, planned))
    elif have < fewest:
        command = remedies.confirm(experiment, planned + fewest - have)
        yield Missing(f"the confirmation has {plural(have, 'repeat')} ({fewest} are needed)", command)


def unfinished(table: ConfirmationTable, planned: Planned, also: Iterable[str] = ()) -> int:
    """How many blocks of a study lack an arm that is planned in them. A failed run is no lack. `also`: arms of its steps,
    without which everything else can be stated."""
    arms = {planned.winner.name, *(arm.name for arm in planned.at.values()), planned.constants or STOCK, *also}
    blocks = ([(planned.search_seed, repeat, arm) for arm in arms - {STOCK}] for repeat in range(table.repeats))
    return sum(not table.trained.issuperset(block) for block in blocks)
