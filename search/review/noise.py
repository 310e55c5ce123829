"""Finds how noisy one training run is: from the user, from a publication, or from repeats in the log."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence

from search.config.commands import ReviewNoiseConfig
from search.config.messages import UserError
from search.page.numbers import plural, two_digits
from search.review.luck import Noise, spread
from search.review.read.log import Log, Logged

# The unchanged published program on an H200: 44 first trials of studies in the record of trials of
# ferreirafabio/autoresearch-automl (commit 150cd14), each 300 s; mean 0.99174. Its other record has 0.00053 for one seed.
PUBLISHED = {"h200": (0.00069, 44)}
AGAIN = re.compile(
    r"\b(seeds?|again|re-?runs?|re-?ran|repeat(s|ed)?|replicate[sd]?|confirmation run|same config)\b", re.IGNORECASE
)
WAYS = ("same", "commit", "description", "said")  # ways to find repeats, the safest first


def noise_of(log: Log, config: ReviewNoiseConfig) -> Noise | None:
    """Returns the noise; None if nothing tells it. Raises UserError for a published noise that is unknown, or another
    metric's."""
    if config.sd is not None:
        runs = config.runs
        measured = "taken as exact" if runs is None else f"measured on {plural(runs, 'run')}"
        return Noise(config.sd, None if runs is None else runs - 1, f"as given, {measured}")
    if config.published is not None:
        return _published(log, config.published)
    groups = repeats(log, config.repeats)
    measured_here = spread([[log.cost(trial) for trial in group] for group in groups])
    if measured_here is None or measured_here[0] == 0:
        return None
    return Noise(*measured_here, f"measured in the log on {_told(groups)} ({_WORDS[config.repeats]})")


def repeats(log: Log, way: str) -> list[tuple[Logged, ...]]:
    """Returns groups of at least two trials of one program, as `way` finds them. Under `same`, an equal commit is not
    enough: some loops log the commit to which a discarded change was reverted. Nor is an equal description: the programs may
    differ."""
    groups: dict[Hashable, list[Logged]] = defaultdict(list)
    standing: Logged | None = None
    for trial in log.scored:
        key = _key(trial, way, standing)
        if key is not None:
            groups[key].append(trial)
        if trial.kept:
            standing = trial
    if way == "said":
        by_number = {trial.number: trial for trial in log.scored}
        return [(by_number[number], *group) for number, group in groups.items() if isinstance(number, int)]
    return [tuple(group) for group in groups.values() if len(group) > 1]


def other_ways(log: Log, config: ReviewNoiseConfig) -> tuple[str, ...]:
    """Says which noise the log would give if trials that look like repeats are repeats, which the user may know."""
    found = []
    for way in WAYS:
        groups = repeats(log, way)
        measured = spread([[log.cost(trial) for trial in group] for group in groups])
        if way != config.repeats and measured is not None and measured[0] > 0:
            sd = two_digits(measured[0])
            found.append(f"{_told(groups)} ({_WORDS[way]}) would give {sd}; if they are repeats, give noise.repeats={way}")
    return tuple(found)


_WORDS = {
    "same": "same commit and description",
    "commit": "same commit",
    "description": "same description",
    "said": "described as repeats of the kept trial before",
    "none": "none",
}


def _key(trial: Logged, way: str, standing: Logged | None) -> Hashable:
    """Returns what repeats have in common; None for a trial that cannot be one."""
    if way == "said":
        return standing.number if standing is not None and AGAIN.search(trial.description) else None
    if way == "none":
        return None
    parts = {"same": (trial.commit, trial.description), "commit": (trial.commit,), "description": (trial.description,)}[way]
    return parts if all(parts) else None


def _told(groups: Sequence[Sequence[Logged]]) -> str:
    return f"{plural(sum(map(len, groups)), 'trial')} of {plural(len(groups), 'program')}"


def _published(log: Log, name: str) -> Noise:
    if name not in PUBLISHED:
        raise UserError(f"noise.published={name}: choose {', '.join(PUBLISHED)}, or give noise.sd=")
    if log.metric != "val_bpb":
        raise UserError(f"noise.published={name}: is the noise of val_bpb, and not of {log.metric}; give noise.sd=")
    sd, runs = PUBLISHED[name]
    return Noise(sd, runs - 1, f"published for {name}: {runs} runs of the field's unchanged program")
